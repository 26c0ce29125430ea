"""Against a real Roundup, by a destination that is one file beside this one; once with a ledger on a real PostgreSQL.

Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.outcomes import DeliveryError, Rejected, outcome_of
from dagster_project.automation.tickets.brief import marker_of, render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.home import Home
from tests.automation.postgres import needs_postgresql, postgresql
from tests.automation.support import BORN, CHECKOUT, NOW, publish, resolved
from tests.servers.roundup_destination import RESOLVED, Roundup, RoundupSettings
from tests.servers.roundup_server import BIN, PASSWORD, RunningRoundup, roundup
from tests.servers.stories import BRISK, faulty, issues, needs_tools, planned, tell

pytestmark = pytest.mark.skipif(not BIN.exists(), reason="run `make test-servers`")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDUP_PASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoundup]:
    """A Roundup that answers as often as it is asked."""
    with roundup(tmp_path_factory.mktemp("roundup")) as running_one:
        yield running_one


def to_roundup(url: str, **settings: Any) -> Roundup:
    entry = {"base_url": url, "user": "admin", **BRISK, "timeout_seconds": 10, **settings}
    return Roundup(RoundupSettings.model_validate(entry))


def of(tracker: RunningRoundup, issue: Issue) -> list[dict[str, Any]]:
    """The issues there that are this issue's ticket."""
    marker = marker_of(issue.issue_id, "roundup")
    return [one for one in tracker.issues() if one["marker"] == marker]


def test_roundup_opens_reads_updates_notes_closes_and_reopens(tracker: RunningRoundup) -> None:
    there, issue = to_roundup(tracker.url), replace(CHECKOUT, issue_id="life")
    ticket = render(issue, "roundup")
    opened = there.create(ticket)
    (found,) = there.find_by_marker(ticket.marker)
    assert opened.says(ticket) and found.says(ticket) and found.external_id == opened.external_id
    changed = replace(render(replace(issue, priority="P2"), "roundup"), note="Priority lowered.", note_key="a" * 24)
    for _ in range(2):
        assert there.update(opened.external_id, changed).says(changed)
    over = replace(render(resolved(issue), "roundup"), note="Resolved.", note_key="b" * 24)
    assert there.resolve(opened.external_id, over).closed
    assert not there.update(opened.external_id, replace(changed, reopens=True, note_key="c" * 24)).closed
    (seen,) = of(tracker, issue)
    assert len(seen["notes"].splitlines()) == 3 and seen["title"] == changed.title
    hostile = replace(
        ticket, marker="f" * 24, title="日本 <b>🧨</b> é", body="<script>a()</script> 日本 🧨" + " w" * 50_000
    )
    there.create(hostile)
    (found,) = there.find_by_marker("f" * 24)
    assert found.title == hostile.title and there.read("99999") is None


def test_roundup_refuses_what_somebody_changed_meanwhile_and_it_is_read_again(
    tracker: RunningRoundup, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, other, issue = to_roundup(tracker.url), to_roundup(tracker.url), replace(CHECKOUT, issue_id="contended")
    ticket = render(issue, "roundup")
    number = there.create(ticket).external_id
    read = there._http.read
    times: list[int] = []

    def read_and_be_overtaken(*asked: Any, **more: Any) -> Any:
        answer = read(*asked, **more)
        if len(times) < limit:
            times.append(1)
            other.update(number, replace(ticket, title=f"theirs {len(times)}"))
        return answer

    monkeypatch.setattr(there._http, "read", read_and_be_overtaken)
    limit = 1
    there.update(number, replace(ticket, title="ours"))
    assert of(tracker, issue)[0]["title"] == "ours" and len(times) == 1  # a 412 in between
    limit = 100
    with pytest.raises(DeliveryError, match="over and over"):
        there.update(number, replace(ticket, title="ours, later"))
    assert of(tracker, issue)[0]["title"].startswith("theirs")


def test_roundup_says_which_setting_is_wrong(tracker: RunningRoundup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDUP_PASSWORD", "wrong")
    outcome = outcome_of(lambda: to_roundup(tracker.url).create(render(CHECKOUT, "roundup")))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and "ROUNDUP_PASSWORD" in outcome.reason


def told(tracker: RunningRoundup, ours: list[Issue]) -> None:
    """Every issue has one ticket, which is closed and has one note about each change."""
    for issue in ours:
        (one,) = of(tracker, issue)
        assert one["status"]["id"] == RESOLVED and len(one["notes"].splitlines()) == 2  # less urgent; over


@needs_tools
@pytest.mark.parametrize("seed", range(2))
def test_roundup_has_one_issue_each_whatever_happened_on_the_way(
    tracker: RunningRoundup, home: Home, tmp_path: Path, seed: int
) -> None:
    ours = issues(f"faults{seed}", 5)
    with faulty(tmp_path, tracker.url.removesuffix("/rest"), planned(seed, 0.4)) as url:
        runs = tell(home, ConfiguredDestination(to_roundup(f"{url}/rest", timeout_seconds=3)), ours)
    print(f"Roundup: {len(ours)} issues in {runs} runs")
    told(tracker, ours)


@needs_tools
@needs_postgresql
def test_the_same_with_the_ledger_on_postgresql_and_two_runs_at_once(
    tracker: RunningRoundup, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = issues("postgres", 5)
    with postgresql() as database, faulty(tmp_path, tracker.url.removesuffix("/rest"), planned(3)) as url:
        monkeypatch.setenv("FEEDBACK_LEDGER_URL", database)
        Ledger(home.ledger_url, now=BORN)
        runs = tell(home, ConfiguredDestination(to_roundup(f"{url}/rest", timeout_seconds=3)), ours, together=2)
        ledger = Ledger(home.ledger_url)
        assert ledger.verify_audit().holds and ledger.count_by_state() == {State.CONFIRMED: 15}
        ledger._store.engine.dispose()
    print(f"Roundup, by a ledger on PostgreSQL: {len(ours)} issues in {runs} times two runs at once")
    told(tracker, ours)


def test_roundups_own_rate_limit_is_honoured_for_as_long_as_it_asks(home: Home, tmp_path: Path) -> None:
    ours = issues("limit", 4)
    publish(home, ours)
    with roundup(tmp_path, calls=6, seconds=30) as limited:  # one call more every five seconds
        while (answer := limited.ask("/data/status")).status_code == 200:
            pass  # somebody else uses the same account
        asked = int(answer.headers["retry-after"])

        def run(now: Any) -> PushReport:
            return push(home, now=now, destinations=[ConfiguredDestination(to_roundup(limited.url, settle_seconds=0))])

        first = run(NOW)
        held = Ledger(home.ledger_url).rate_limited_until("roundup", NOW)
        assert answer.status_code == 429 and first.created == 0 and first.deferred == len(ours)
        assert "429" in first.problems[0] and held and NOW < held <= NOW + timedelta(seconds=asked * 1.3 + 5)
        log = (tmp_path / "roundup.log").read_text()
        assert "rate limit" in run(held - timedelta(seconds=0.5)).problems[0]
        assert (tmp_path / "roundup.log").read_text() == log, "it was asked before the time that it named was over"
        now, begun, runs, created = held, time.monotonic(), 0, 0
        while created < len(ours) and runs < 150:
            time.sleep(2)
            runs, now = runs + 1, held + timedelta(seconds=time.monotonic() - begun)
            created += run(now).created
        time.sleep(10)
        print(f"Roundup's rate limit: {len(ours)} issues in {runs} runs, {time.monotonic() - begun:.0f} s")
        titles = limited.issues()
    assert len(titles) == created == len(ours)


def test_two_runs_at_once_open_each_issue_once(tracker: RunningRoundup, home: Home) -> None:
    ours = issues("twice", 4)
    publish(home, ours)
    with ThreadPoolExecutor(2) as pool:
        reports = list(
            pool.map(
                lambda _: push(home, now=NOW, destinations=[ConfiguredDestination(to_roundup(tracker.url))]), range(2)
            )
        )
    assert sum(report.created for report in reports) == len(ours)
    assert [len(of(tracker, issue)) for issue in ours] == [1] * len(ours)
