"""Contract of every destination: one suite, with one simulated target per kind."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from pydantic import TypeAdapter

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.config import Settings
from dagster_project.automation.outcomes import Rejected, Unknown, outcome_of
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation import (
    fake_github,
    fake_jira,
    fake_opsgenie,
    fake_pagerduty,
    fake_request_tracker,
    fake_servicenow,
    fake_slack,
    fake_webhook,
)
from tests.automation.support import CHECKOUT, DELIVERY, NOW, publish, resolved
from tests.automation.unreliable import AFTER, FAULTS, Seen


@dataclass(frozen=True)
class Subject:
    """A kind of destination, its simulated target, and what is wrong with it when it is set up wrongly."""

    kind: str
    fake: Callable[[], Any]
    secret: tuple[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    misplaced: dict[str, Any] = field(default_factory=dict)
    """A setting that names what the target does not have; the error has to name that setting."""
    keeps_notes: bool = True
    limit: int = 60_000
    """The most characters of text that the target takes."""

    def destination(self, target: Callable[[httpx.Request], httpx.Response], **changed: Any) -> Any:
        entry = {"kind": self.kind, "pace_seconds": 0, **self.settings, **changed}
        settings: Any = TypeAdapter(Settings).validate_python(entry)
        built = settings.build(Home.locate(Path("unused")))
        return type(built)(settings, transport=httpx.MockTransport(target))


SUBJECTS = [
    Subject(
        "github",
        fake_github.FakeGitHub,
        ("GITHUB_TOKEN", fake_github.TOKEN),
        {"repository": "acme/shop"},
        {"repository": "acme/gone"},
        limit=65_536,
    ),
    Subject(
        "jira",
        fake_jira.FakeJira,
        ("JIRA_TOKEN", fake_jira.TOKEN),
        {"base_url": "https://acme.atlassian.net", "project": "OPS", "user": fake_jira.USER},
        {"project": "GONE"},
        limit=32_767,
    ),
    Subject(
        "servicenow",
        fake_servicenow.FakeServiceNow,
        ("SERVICENOW_PASSWORD", fake_servicenow.PASSWORD),
        {"base_url": "https://acme.service-now.com", "user": fake_servicenow.USER},
        {"table": "gone"},
        limit=4_000,
    ),
    Subject(
        "opsgenie",
        fake_opsgenie.FakeOpsgenie,
        ("OPSGENIE_API_KEY", fake_opsgenie.KEY),
        {"team": "checkout-squad"},
        {"team": "gone"},
        limit=15_000,
    ),
    Subject(
        "pagerduty",
        fake_pagerduty.FakePagerDuty,
        ("PAGERDUTY_ROUTING_KEY", fake_pagerduty.KEY),
        keeps_notes=False,
    ),
    Subject(
        "slack",
        fake_slack.FakeSlack,
        ("SLACK_BOT_TOKEN", fake_slack.TOKEN),
        {"channel": fake_slack.CHANNEL},
        {"channel": "C0GONE"},
        limit=12_000,
    ),
    Subject(
        "request_tracker",
        fake_request_tracker.FakeRequestTracker,
        ("RT_TOKEN", fake_request_tracker.TOKEN),
        {"base_url": "https://rt.example", "queue": "General"},
        {"queue": "Gone"},
        limit=1_000_000,
    ),
    Subject(
        "webhook",
        fake_webhook.FakeReceiver,
        ("WEBHOOK_SECRET", fake_webhook.SECRET),
        {"base_url": "https://hooks.example/events"},
        {"base_url": "https://hooks.example/gone"},
        limit=1_000_000,
    ),
]

LOWERED = replace(CHECKOUT, priority="P2")
STORY = [[CHECKOUT, DELIVERY], [LOWERED, DELIVERY], [resolved(LOWERED), DELIVERY], [CHECKOUT, DELIVERY]]
"""Stages of the queue: an issue is found, less urgent, over, and back again."""


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.kind)
def subject(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """One kind of destination, its secret set."""
    monkeypatch.setenv(*request.param.secret)
    chosen: Subject = request.param
    return chosen


def copies_of(home: Home, folder: Path) -> Callable[[], Home]:
    """Makes one fresh home after another, as alike as copies are."""
    pristine = folder / "pristine"
    shutil.copytree(home.root, pristine)

    def another() -> Home:
        root = folder / f"copy{len(list(folder.iterdir()))}"
        shutil.copytree(pristine, root)
        return Home.locate(root)

    return another


@pytest.fixture
def homes(tmp_path: Path, home: Home) -> Callable[[], Home]:
    """Fresh homes."""
    return copies_of(home, tmp_path)


def live(home: Home, configured: ConfiguredDestination, story: Iterable[list[Issue]]) -> list[PushReport]:
    """Run until nothing is left to do, after each stage of the story; the first report of each stage."""
    now, reports = NOW, []
    for issues in story:
        publish(home, issues)
        for attempt in range(6):
            now += timedelta(minutes=6)
            with patch("dagster_project.automation.tickets.push.read_queue", lambda *_, issues=issues, **__: issues):
                report = push(home, now=now, destinations=[configured])
            reports += [report] if attempt == 0 else []
            if not report.problems and not report.unknown and not report.deferred:
                break
        else:
            raise AssertionError(report.problems)
    return reports


def by_title(target: Any) -> list[Seen]:
    """The tickets as people see them, in an order that does not depend on which came first."""
    return sorted(target.records(), key=lambda seen: (seen.title, seen.closed))


def test_a_story_is_told_as_it_goes(subject: Subject, home: Home) -> None:
    target = subject.fake()
    reports = live(home, ConfiguredDestination(subject.destination(target)), STORY)
    assert [(r.created, r.updated, r.resolved) for r in reports] == [(2, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0)]
    ours = [seen for seen in target.records() if "checkout" in seen.title.lower()]
    assert [seen.closed for seen in ours][-1] is False
    told = "\n".join(note for seen in ours for note in seen.notes)
    if subject.keeps_notes:
        for said in ("Priority lowered from P1 to P2", "Resolved: complaints are back", "Reopened as P1"):
            assert told.count(said) == 1
    assert all("79.2" in seen.text or seen.text.endswith("(cut here: too long for this tool)") for seen in ours)


def test_nothing_to_say_sends_nothing(subject: Subject, home: Home) -> None:
    target = subject.fake()
    configured = ConfiguredDestination(subject.destination(target))
    publish(home, [])
    assert push(home, now=NOW, destinations=[configured]).problems == []
    assert not target.requests
    live(home, configured, STORY[:1])
    push(home, now=NOW + timedelta(hours=2), destinations=[configured])  # looks for younger twins, for the last time
    asked, written = len(target.requests), target.writes
    assert push(home, now=NOW + timedelta(hours=3), destinations=[configured]).unchanged == 2
    assert (len(target.requests), target.writes) == (asked, written) and written == 2


LESSER = ["refused", "429", "timeout before", "nonsense after"]


@pytest.mark.long
def test_whatever_goes_wrong_with_any_write_the_end_is_the_same(subject: Subject, homes: Callable[[], Home]) -> None:
    """Every write loses its answer once; lesser faults take turns among the destinations, and meet in the histories."""
    calm = calm_end(subject, homes)
    place = [one.kind for one in SUBJECTS].index(subject.kind)
    end_after(subject, homes, calm, "timeout after", range(calm.writes))
    end_after(subject, homes, calm, LESSER[place % len(LESSER)], range(0, calm.writes, 3))


def calm_end(subject: Any, homes: Callable[[], Home]) -> Any:
    """The target after the story, without a fault."""
    calm = subject.fake()
    live(homes(), ConfiguredDestination(subject.destination(calm)), STORY)
    assert calm.writes > 4
    return calm


def end_after(subject: Any, homes: Callable[[], Home], calm: Any, fault: str, writes: Iterable[int]) -> None:
    """Assert that the story ends the same when one of these writes meets the fault."""
    for spared in writes:
        target = subject.fake()
        target.fault, target.spared = fault, spared
        live(homes(), ConfiguredDestination(subject.destination(target)), STORY)
        assert target.fault is None
        assert by_title(target) == by_title(calm), f"{fault} at write {spared + 1} of {calm.writes}"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_says_what_is_known(subject: Subject, fault: str) -> None:
    target = subject.fake()
    target.fault = fault
    outcome = outcome_of(lambda: subject.destination(target).create(render(CHECKOUT, subject.kind)))
    taken = subject.kind == "webhook" and fault == "nonsense after"  # receivers may answer with any words
    lost = fault in (*AFTER, "timeout before", "500 before") and not taken
    assert isinstance(outcome, Unknown) is lost, outcome
    assert len(target.records()) == (fault in AFTER)


HOSTILE = (
    "![x](http://track.example/p.png) <img src=x onerror=alert(1)> <!channel> @here [a](javascript:alert(1)) 🧨 日本"
)


def test_hostile_text_shows_as_it_was_written_and_does_nothing(subject: Subject) -> None:
    target = subject.fake()
    quotes = (CHECKOUT.quotes[0].model_copy(update={"text": HOSTILE}),)
    ticket = render(replace(CHECKOUT, issue_title=HOSTILE, quotes=quotes), subject.kind)
    subject.destination(target).create(ticket)
    (seen,) = target.records()
    assert "🧨 日本" in seen.text or seen.text.endswith("(cut here: too long for this tool)")
    # Mentions and addresses are broken by a space that nobody sees; the rest is text, or escaped where there is markup.
    assert not {"@here", "![x](http://track.example/p.png)"} & set(seen.text.split())
    assert "http://" not in seen.title and "@here" not in seen.title
    if subject.kind == "github":
        assert "<img" not in seen.text and "![x](" not in seen.text and "<!channel>" not in seen.text


@pytest.mark.parametrize("text", ["word " * 20_000, "é日🧨 " * 25_000, "\n\n".join(["line"] * 20_000)])
def test_a_body_of_100_kb_is_cut_and_says_so(subject: Subject, text: str) -> None:
    target = subject.fake()
    ticket = replace(render(CHECKOUT, subject.kind), body=text)
    if subject.kind == "github":  # Markdown is cut where it is written (brief.py)
        ticket = replace(ticket, body=ticket.body[:60_000])
    subject.destination(target).create(ticket)
    (seen,) = target.records()
    assert len(seen.text) <= subject.limit
    whole = subject.limit > 60_000
    assert ("(cut here: too long for this tool)" in seen.text) is not whole


def test_a_wrong_or_missing_secret_names_its_variable(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    variable, _ = subject.secret
    for value in ("wrong", "", "two\nlines"):
        monkeypatch.setenv(variable, value)
        outcome = outcome_of(lambda: subject.destination(subject.fake()).create(render(CHECKOUT, subject.kind)))
        assert isinstance(outcome, Rejected) and outcome.whole_destination
        assert variable in outcome.reason


def test_what_is_not_there_names_its_setting(subject: Subject) -> None:
    if not subject.misplaced:
        pytest.skip("this tool has one place only, and the secret says which")
    destination = subject.destination(subject.fake(), **subject.misplaced)
    outcome = outcome_of(lambda: destination.create(render(CHECKOUT, subject.kind)))
    (setting,) = subject.misplaced
    assert isinstance(outcome, Rejected) and outcome.whole_destination
    assert f"check {setting}" in outcome.reason and str(subject.misplaced[setting]) in outcome.reason


def test_a_right_that_was_taken_away_is_named(subject: Subject) -> None:
    target = subject.fake()
    if hasattr(target, "forbidden"):
        target.forbidden = True
    else:
        target.fault = httpx.Response(403, json={"message": "not allowed"})
    outcome = outcome_of(lambda: subject.destination(target).create(render(CHECKOUT, subject.kind)))
    assert isinstance(outcome, Rejected) and outcome.whole_destination
    assert any(word in outcome.reason for word in ("right", "roles", "let ", subject.secret[0])), outcome.reason


def test_the_secret_shows_nowhere(subject: Subject, home: Home, caplog: pytest.LogCaptureFixture) -> None:
    _, secret = subject.secret
    caplog.set_level(logging.DEBUG)
    faults: list[Any] = [httpx.Response(422, json={"message": f"odd: {secret}"}), "timeout after"]
    for number, fault in enumerate(faults):
        target = subject.fake()
        target.fault = fault
        publish(home, [replace(CHECKOUT, issue_id=f"shop-{number}")])
        report = push(
            home, now=NOW + timedelta(days=number), destinations=[ConfiguredDestination(subject.destination(target))]
        )
        assert report.problems and secret not in str(report)
    assert secret not in caplog.text and secret not in repr(vars(subject.destination(subject.fake())))
    assert not [path for path in home.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_what_is_simulated_can_fail() -> None:
    """The suite's own canary: without a reconcile step, a lost answer makes two tickets."""
    target = fake_jira.FakeJira()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JIRA_TOKEN", fake_jira.TOKEN)
        destination = SUBJECTS[1].destination(target)
        target.fault = "timeout after"
        for _ in range(2):
            outcome_of(lambda: destination.create(render(CHECKOUT, "jira")))
    assert len(target.records()) == 2
