"""The histories can fail: with each guard taken away in turn, they notice within so many of them.

python -m pytest tests/automation/mitigation/test_histories_notice.py -m soak -s      # prints the table
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from dagster_project.automation.ledger import proposals
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.mitigation import approvals, execution, ladder, mitigate, planner
from dagster_project.automation.mitigation.execution import Execution
from dagster_project.automation.mitigation.mitigate import Turn
from dagster_project.automation.mitigation.plans import Plan
from tests.automation.mitigation.test_histories import SETTINGS, History, at_each_step_of_an_act
from tests.automation.mitigation.world import FAULTS, Control

pytestmark = pytest.mark.usefixtures("in_memory")

MOST = 2_000
"""Histories within which a missing guard has to be noticed."""

Removal = Callable[[pytest.MonkeyPatch], None]


def without_expiry(patch: pytest.MonkeyPatch) -> None:
    proposal = Plan.proposal
    later = timedelta(days=365)
    patch.setattr(Plan, "proposal", lambda plan: replace(proposal(plan), expires_at=proposal(plan).expires_at + later))


def without_the_check_of_the_ground(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Turn, "_moved", lambda *_: "")


def without_approvals(patch: pytest.MonkeyPatch) -> None:
    for module in (ladder, approvals):
        patch.setattr(module, "approvals_needed", lambda _: 0)


def without_four_eyes(patch: pytest.MonkeyPatch) -> None:
    refusal = approvals._refusal
    patch.setattr(approvals, "_refusal", lambda *given: _unless("somebody else", refusal(*given)))


def with_one_approval_for_critical_targets(patch: pytest.MonkeyPatch) -> None:
    needed = ladder.approvals_needed
    for module in (ladder, approvals):
        patch.setattr(module, "approvals_needed", lambda plan: min(1, needed(plan)))


def with_tier_3_by_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ladder, "TIER_3", 4)


def with_shadow_plans_that_act(patch: pytest.MonkeyPatch) -> None:
    proposal = Plan.proposal
    waits = proposals.ProposalState.PROPOSED
    patch.setattr(Plan, "proposal", lambda plan: replace(proposal(plan), state=waits))


def without_pre_flights(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Plan, "is_clear", True)
    patch.setattr(planner, "_failed", lambda _: {})


def without_the_stop_before_an_act_begins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(proposals, "stopped_in", lambda *_: None)
    patch.setattr(Turn, "_stopped", lambda _: "")


def without_the_stop_between_intent_and_send(patch: pytest.MonkeyPatch) -> None:
    withheld = Execution._withheld
    patch.setattr(Execution, "_withheld", lambda *given: _unless("stopped", withheld(*given)))


def without_the_hold_on_an_item(patch: pytest.MonkeyPatch) -> None:
    begin = proposals.Proposals.begin

    def anywhere(self: Any, seen: Any, *given: Any, **named: Any) -> Any:
        begun = begin(self, replace(seen, place=f"somewhere else {seen.proposal_id}"), *given, **named)
        return replace(begun, place=seen.place) if isinstance(begun, proposals.Proposal) else begun

    patch.setattr(proposals.Proposals, "begin", anywhere)


def without_the_hold_on_target_and_issue(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(execution, "in_the_way", lambda *_: "")


def without_the_conflict_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Control, "is_conditional", False)


def without_reading_after_a_lost_answer(patch: pytest.MonkeyPatch) -> None:
    def blind(self: Any, _proposal: object, _order: object, head: Intent) -> None:
        self._ledger.absent(head, self._clock())

    patch.setattr(Execution, "_look_up", blind)


def without_the_settle_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Control, "settle_seconds", 0.0)


def without_the_state_that_an_act_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Execution, "_left", lambda self, plan: self._actuator.read(plan.item))


def _without_allowance(patch: pytest.MonkeyPatch, event: str) -> None:
    allowances = ladder.allowances
    patch.setattr(
        ladder, "allowances", lambda *given: tuple(one for one in allowances(*given) if event not in one.events)
    )


def without_the_limit_of_a_day(patch: pytest.MonkeyPatch) -> None:
    _without_allowance(patch, "begun")


def without_the_breaker(patch: pytest.MonkeyPatch) -> None:
    _without_allowance(patch, "ineffective")


def without_telling_once(patch: pytest.MonkeyPatch) -> None:
    numbers = count()
    for module in (execution, mitigate):
        patch.setattr(module, "once", lambda *_: str(next(numbers)))


def without_one_plan_for_two_runs(patch: pytest.MonkeyPatch) -> None:
    add = proposals.Proposals.add
    patch.setattr(
        proposals.Proposals, "add", lambda self, proposal, happening, *_, **__: add(self, proposal, happening)
    )


def _unless(beginning: str, reason: str) -> str:
    return "" if beginning in reason else reason


REMOVALS: tuple[Removal, ...] = (
    without_expiry,
    without_the_check_of_the_ground,
    without_approvals,
    without_four_eyes,
    with_one_approval_for_critical_targets,
    with_tier_3_by_itself,
    with_shadow_plans_that_act,
    without_pre_flights,
    without_the_stop_before_an_act_begins,
    without_the_stop_between_intent_and_send,
    without_the_hold_on_an_item,
    without_the_hold_on_target_and_issue,
    without_the_conflict_check,
    without_reading_after_a_lost_answer,
    without_the_settle_time,
    without_the_state_that_an_act_left,
    without_the_limit_of_a_day,
    without_the_breaker,
    without_telling_once,
    without_one_plan_for_two_runs,
)


@pytest.mark.soak
@pytest.mark.parametrize("remove", REMOVALS, ids=lambda remove: remove.__name__)
def test_a_missing_guard_is_noticed(remove: Removal, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch)
    lived, noticed = 0, list[tuple[int, str]]()
    judge = History.teardown

    def counted(history: History) -> None:
        nonlocal lived
        lived += 1
        try:
            judge(history)
        except AssertionError as error:
            noticed.append((lived, str(error).split("\n")[0]))
            raise

    monkeypatch.setattr(History, "teardown", counted)
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(History, settings=settings(SETTINGS, max_examples=MOST))
    print(f"\n| {remove.__name__.replace('_', ' ')} | {noticed[0][0]} | {noticed[0][1]} |")


def _a_turn(history: History, *writes: str, seconds: int = 61) -> None:
    history.a_turn(seconds=seconds, writes=list(writes), down=False, meanwhile={}, dies_at=None)


def _change(history: History, *change: Any) -> None:
    history.something_changes(change)


def an_act_that_did_not_help(history: History) -> None:
    """An automatic act is ineffective; then another issue asks for one at another target."""
    history.begin(asked=[0], mode="auto", most=5)
    _a_turn(history)
    _change(history, "effect", 0, "ineffective")
    _a_turn(history)
    _change(history, "decide", 3, "auto", "regression", False)
    _a_turn(history)


def a_late_write(history: History) -> None:
    """A write is under way for 20 seconds; one second after its lost answer the evidence is gone."""
    history.begin(asked=[0], mode="auto", most=5)
    _a_turn(history, "late", "busy")
    _change(history, "withhold", 0)
    _a_turn(history, seconds=1)
    _a_turn(history, seconds=900)


def two_plans_at_one_target(history: History) -> None:
    """Two plans for one issue wait at one target, for different items; people approve both."""
    history.begin(asked=[0, 1], mode="approve", most=5)
    _a_turn(history)
    for _ in range(2):
        history.a_vote(person="dana", number=0, approves=True, writes=[], meanwhile={}, dies_at=None)


NOTICED_BY: tuple[tuple[Callable[[History], None], Removal, str], ...] = (
    (an_act_that_did_not_help, without_the_breaker, "acted in spite of the breaker"),
    (a_late_write, without_the_settle_time, "its act was forgotten"),
    (two_plans_at_one_target, without_the_hold_on_target_and_issue, "two acts in force"),
)
"""One history each for the guards that random ones meet seldom, with the promise that is broken without them."""


@pytest.mark.parametrize(("live", "remove", "promise"), NOTICED_BY, ids=[live.__name__ for live, *_ in NOTICED_BY])
def test_one_history_notices(
    live: Callable[[History], None], remove: Removal, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History()
    live(history)
    history.teardown()
    remove(monkeypatch)
    history = History()
    live(history)
    with pytest.raises(AssertionError, match=promise):
        history.teardown()


@pytest.mark.soak
def test_a_plan_that_ends_without_its_write_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    move = proposals.Proposals.move
    monkeypatch.setattr(
        proposals.Proposals, "end", lambda self, seen, state, happening, _: move(self, seen, state, happening)
    )
    withheld = Execution._withheld
    monkeypatch.setattr(Execution, "_withheld", lambda *given: _unless("ended it", withheld(*given)))
    with pytest.raises(AssertionError):
        for fault in FAULTS:
            at_each_step_of_an_act(fault, ("worker", None))
