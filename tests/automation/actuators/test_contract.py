"""Contract of every actuator with an HTTP API: one list, against one simulated control system per kind.

A new kind is a ``Subject`` in ``subjects.py``; what only one system does is in a test of its own.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from dagster_project.automation.actuators.base import PREFLIGHTS, Conflict, Reading
from dagster_project.automation.actuators.config import KINDS, desired_problem
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.outcomes import (
    Confirmed,
    Deferred,
    NotSent,
    Rejected,
    Unknown,
    outcome_of,
)
from tests.automation.actuators.subjects import SUBJECTS, Subject
from tests.automation.unreliable import AFTER, BEFORE

NOTE = "plan 3fa9c2 for issue shop-checkout-1"


@pytest.fixture(params=SUBJECTS, ids=lambda one: f"{one.kind}-{one.label}".strip("-"))
def subject(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """One kind of target, its secrets set."""
    chosen: Subject = request.param
    for variable, value in chosen.secrets:
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(ReadBack, "PAUSE", 0.0)
    return chosen


def applied(subject: Subject, target: Any, there: Any) -> tuple[Reading, Reading]:
    """The reading before, and the one that ``apply`` returned."""
    before = there.read(subject.item)
    return before, there.apply(subject.item, subject.desired, before, NOTE)


def test_a_reading_is_the_state_word_for_word_and_reading_changes_nothing(subject: Subject) -> None:
    target = subject.fake()
    untouched, there = target.state(), subject.actuator(target)
    reading = there.read(subject.item)
    assert json.loads(json.dumps(reading.state)) == reading.state
    assert reading == there.read(subject.item)
    assert not there.shows(reading, subject.desired)
    assert (target.state(), target.writes) == (untouched, 0)
    target.tamper()
    assert there.read(subject.item).digest != reading.digest


def test_apply_sets_the_desired_state_and_returns_what_is_there(subject: Subject) -> None:
    target = subject.fake()
    untouched, there = target.state(), subject.actuator(target)
    before, after = applied(subject, target, there)
    assert there.shows(after, subject.desired) and after == there.read(subject.item)
    assert after.digest != before.digest and target.state() != untouched and target.writes == 1


def test_apply_twice_is_one_state(subject: Subject) -> None:
    target = subject.fake()
    there = subject.actuator(target)
    before, after = applied(subject, target, there)
    left = target.state()
    assert there.apply(subject.item, subject.desired, before, NOTE) == after
    assert there.apply(subject.item, subject.desired, after, NOTE) == after
    assert (target.state(), target.writes) == (left, 1)


def test_a_state_that_somebody_changed_is_a_conflict_and_is_never_overwritten(subject: Subject) -> None:
    target = subject.fake()
    there = subject.actuator(target)
    before = there.read(subject.item)
    target.tamper()
    theirs = target.state()
    with pytest.raises(Conflict) as caught:
        there.apply(subject.item, subject.desired, before, NOTE)
    assert caught.value.now == there.read(subject.item)
    assert (target.state(), target.writes) == (theirs, 0)


def test_restore_gives_the_very_state_before(subject: Subject) -> None:
    target = subject.fake()
    untouched, there = target.state(), subject.actuator(target)
    before, after = applied(subject, target, there)
    restored = there.restore(before, after, NOTE)
    assert restored.state == before.state and restored.digest == before.digest and target.state() == untouched
    writes = target.writes
    assert there.restore(before, after, NOTE).state == before.state
    assert target.writes == writes


def test_an_act_that_somebody_changed_since_is_not_undone(subject: Subject) -> None:
    target = subject.fake()
    there = subject.actuator(target)
    before, after = applied(subject, target, there)
    target.tamper()
    theirs, writes = target.state(), target.writes
    with pytest.raises(Conflict) as caught:
        there.restore(before, after, NOTE)
    assert caught.value.now == there.read(subject.item)
    assert (target.state(), target.writes) == (theirs, writes)


@pytest.mark.parametrize("fault", AFTER)
def test_a_lost_answer_is_unknown_and_a_later_read_settles_it(subject: Subject, fault: str) -> None:
    target = subject.fake()
    there = subject.actuator(target)
    before = there.read(subject.item)
    target.fault = fault
    outcome = outcome_of(lambda: there.apply(subject.item, subject.desired, before, NOTE))
    settled = fault == "nonsense after" and isinstance(outcome, Confirmed)  # where the answer is not needed
    assert isinstance(outcome, Unknown) or settled, outcome
    assert there.shows(there.read(subject.item), subject.desired)
    there.apply(subject.item, subject.desired, before, NOTE)
    assert target.writes == 1


@pytest.mark.parametrize("fault", BEFORE)
def test_a_write_that_did_not_arrive_is_repeated(subject: Subject, fault: str) -> None:
    target = subject.fake()
    untouched, there = target.state(), subject.actuator(target)
    before = there.read(subject.item)
    target.fault = fault
    outcome = outcome_of(lambda: there.apply(subject.item, subject.desired, before, NOTE))
    kinds = {"refused": NotSent, "429": Deferred}
    assert isinstance(outcome, kinds.get(fault, Unknown)), outcome
    assert target.state() == untouched
    there.apply(subject.item, subject.desired, before, NOTE)
    assert there.shows(there.read(subject.item), subject.desired)


def test_a_failed_read_after_the_write_leaves_it_unknown(subject: Subject) -> None:
    target, failing = subject.fake(), [False]

    def around(request: httpx.Request) -> httpx.Response:
        if failing[0] and target.writes:
            raise httpx.ConnectError("Connection refused", request=request)
        answer: httpx.Response = target(request)
        return answer

    there = subject.actuator(around)
    before = there.read(subject.item)
    failing[0] = True
    outcome = outcome_of(lambda: there.apply(subject.item, subject.desired, before, NOTE))
    assert isinstance(outcome, Unknown), outcome
    failing[0] = False
    assert there.shows(there.read(subject.item), subject.desired)


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_that_fails_is_never_unknown(subject: Subject, status: int) -> None:
    answer = httpx.Response(status, headers={"retry-after": "7"}, text="later")
    outcome: Any = outcome_of(lambda: subject.actuator(lambda _: answer).read(subject.item))
    assert outcome == Deferred(outcome.reason, timedelta(seconds=7)) if status == 429 else isinstance(outcome, NotSent)


def test_a_rate_limit_defers_for_as_long_as_it_asks(subject: Subject) -> None:
    target = subject.fake()
    there = subject.actuator(target)
    before = there.read(subject.item)
    target.fault = "429"
    outcome = outcome_of(lambda: there.apply(subject.item, subject.desired, before, NOTE))
    assert isinstance(outcome, Deferred) and outcome.wait == timedelta(seconds=7)


@pytest.mark.parametrize("value", ["wrong", ""], ids=["wrong", "missing"])
def test_a_secret_that_is_wrong_or_missing_is_named(
    subject: Subject, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, right = subject.secret
    monkeypatch.setenv(variable, subject.wrong if value else "")
    target = subject.fake()
    outcome: Any = outcome_of(lambda: subject.actuator(target).read(subject.item))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and variable in outcome.reason
    assert right not in outcome.reason and subject.wrong not in outcome.reason
    assert value or not target.requests


def test_an_item_that_is_not_there_is_refused_before_anything_is_written(subject: Subject) -> None:
    target = subject.fake()
    there = subject.actuator(target)
    outcome = outcome_of(lambda: there.read(subject.item[:-1] + "X"))
    assert isinstance(outcome, Rejected) and target.writes == 0


@pytest.mark.parametrize("item", ["..", "", "."])
def test_no_item_leaves_its_place_in_the_path(subject: Subject, item: str) -> None:
    target = subject.fake()
    outcome = outcome_of(lambda: subject.actuator(target).read(item))
    assert isinstance(outcome, Rejected)
    assert not [one for one in target.requests if {"", "..", "."} & {*one.url.path.split("/")[1:-1]}]


def test_preflights_are_named_and_change_nothing(subject: Subject) -> None:
    target = subject.fake()
    untouched, there = target.state(), subject.actuator(target)
    for row in there.preflights(subject.item, subject.desired, there.read(subject.item)):
        assert row.name in PREFLIGHTS and row.passed is not False and row.answer == " ".join(row.answer.split())
    assert (target.state(), target.writes) == (untouched, 0)


def test_the_desired_state_is_one_that_the_kind_takes(subject: Subject) -> None:
    entry = {"name": "target", "kind": subject.kind, **subject.settings}
    settings = KINDS[subject.kind].model_validate(entry)
    assert desired_problem(settings, subject.desired) == ""
    if subject.kind != "webhook":  # which takes whatever the receiver understands
        assert "colour" in desired_problem(settings, {**subject.desired, "colour": "blue"})
    assert settings.place.startswith(f"{subject.kind} ")
