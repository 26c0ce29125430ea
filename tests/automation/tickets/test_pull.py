"""Pull of people's changes: one suite over every destination that reports changes, by its simulated tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import duckdb
import httpx
import polars as pl
import pytest

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.base import ReportsChanges
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.destinations.resolutions import rejects
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import markers_in
from dagster_project.automation.tickets import pull, rejections
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.pull import LONGEST, MARGIN, PullReport
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from tests.automation.destinations.test_contract import SUBJECTS, Subject, live
from tests.automation.editor import Folder
from tests.automation.support import CHECKOUT, DELIVERY, NOW, KilledError, publish, resolved

ABLE = [one for one in SUBJECTS if isinstance(one.destination(lambda _: httpx.Response(500)), ReportsChanges)]
LATER = NOW + timedelta(hours=2)


@dataclass
class Place:
    """One destination that reports changes, and its tool."""

    kind: str
    home: Home
    target: Any
    configured: ConfiguredDestination
    now: datetime = LATER

    def pushed(self, *story: list[Issue]) -> None:
        """Push stage after stage."""
        live(self.home, self.configured, story)
        decided(self.home, story[-1])

    def acts(self, *acts: tuple[str, str]) -> None:
        """Make a person's changes."""
        self.target.now = self.now
        for what, value in acts:
            self.target.act(what, value)

    def pull(self, **passed: float) -> PullReport:
        """A pull a few minutes later."""
        self.now += timedelta(**(passed or {"minutes": 5}))
        return pull.pull(self.home, now=self.now, destinations=[self.configured])

    def told(self) -> list[dict[str, Any]]:
        """Others' changes in the lake, in order."""
        ours = ("created", "updated", "resolved")
        return [row for row in rows(self.home, "ticket_events") if row["event"] not in ours]


def rows(home: Home, table: str) -> list[dict[str, Any]]:
    lake.ensure_table(home, table)
    found = lake.scan(home, table).sort("known_at", *(["occurred_at"] if table == "ticket_events" else []))
    return found.collect().to_dicts()


def decided(home: Home, issues: list[Issue]) -> None:
    """Publish these issues, as the mart as well."""
    publish(home, issues)
    columns = "issue_id, product, issue_type, scope_platform, scope_country, started_at, resolved_at"
    with duckdb.connect(str(home.published)) as connection:
        connection.execute(f"create or replace table fct_issues as select {columns} from out_tickets")


@pytest.fixture(params=["local", *ABLE], ids=lambda one: one if isinstance(one, str) else one.kind)
def place(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> Place:
    if isinstance(request.param, Subject):
        monkeypatch.setenv(*request.param.secret)
        target = request.param.fake()
        return Place(request.param.kind, home, target, ConfiguredDestination(request.param.destination(target)))
    return Place("local", home, Folder(home.tickets), ConfiguredDestination(LocalTracker(home.tickets)))


def test_every_tool_that_keeps_a_history_of_people_can_tell() -> None:
    assert [one.kind for one in ABLE] == ["github", "jira", "servicenow", "request_tracker"]


LOWERED = replace(CHECKOUT, priority="P2")


def test_what_we_write_never_comes_back(place: Place) -> None:
    place.pushed([CHECKOUT, DELIVERY], [LOWERED, DELIVERY], [resolved(LOWERED), DELIVERY], [CHECKOUT, DELIVERY])
    assert sum(place.pull().counts.values()) == 0
    assert place.told() == []


def test_what_people_do_comes_back_once_and_says_what_it_comes_to(place: Place) -> None:
    place.pushed([CHECKOUT, DELIVERY])
    place.acts(("comment", "We see it on one shard only"), ("assign", "kim"), ("priority", "4"), ("reject", ""))
    report = place.pull()
    assert report.problems == []
    assert report.counts == {"status": 1, "assignee": 1, "priority": 1, "comment": 1, "rejected": 1, "exclusions": 1}
    told = {row["event"]: row for row in place.told()}
    assert {row["issue_id"] for row in told.values()} == {CHECKOUT.issue_id}
    assert told["comment"]["value"] == "We see it on one shard only"
    assert (told["assignee"]["value"], told["priority"]["value"]) == ("kim", "4")
    assert told["status"]["resolution"] == "rejected"
    assert all(row["by_person"] and row["known_at"] == place.now for row in told.values())
    assert all(row["url"] and row["external_id"] for row in told.values())
    assert place.kind == "local" or {row["actor"] for row in told.values()} == {"jo"}
    assert told["status"]["actor"] == "jo"
    for _ in range(2):
        assert sum(place.pull().counts.values()) == 0
    assert len(place.told()) == 4


def test_a_rejection_that_is_taken_back_and_a_ticket_that_is_done_are_told_apart(place: Place) -> None:
    place.pushed([CHECKOUT, DELIVERY])
    for what, comes_to in (("reject", "rejected"), ("reopen", "open"), ("resolve", "resolved")):
        place.acts((what, ""))
        assert place.pull().acts["status"] == 1
        assert place.told()[-1]["resolution"] == comes_to
    assert [row["excluded"] for row in rows(place.home, "baseline_exclusions")] == [True, False]


@pytest.mark.parametrize("opened", [True, False], ids=["opened again for it", "as closed as it is"])
def test_a_rejection_of_what_we_closed_before_is_told_once(place: Place, opened: bool) -> None:
    story = [CHECKOUT, resolved(CHECKOUT), CHECKOUT, resolved(CHECKOUT)]
    place.pushed(*([stage, DELIVERY] for stage in story))
    place.acts(*([("reopen", "")] if opened else []), ("reject", ""))
    assert place.pull().rejected == 1
    assert [row["resolution"] for row in place.told()][-1] == "rejected"


@pytest.mark.parametrize("lands", [True, False], ids=["after it landed", "before it landed"])
def test_a_crash_loses_nothing_and_doubles_nothing(place: Place, lands: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    place.pushed([CHECKOUT, DELIVERY])
    place.acts(("comment", "looking"), ("reject", ""))
    append = lake.append

    def dies(*arguments: Any) -> None:
        if lands:
            append(*arguments)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(lake, "append", dies)
        with pytest.raises(KilledError):
            place.pull()
    assert len(place.told()) == (2 if lands else 0)
    assert Ledger(place.home.ledger_url).pull_cursors.pulled_until(place.kind) is None
    place.pull(hours=3)
    place.pull()
    assert sorted(row["event"] for row in place.told()) == ["comment", "status"]
    assert [row["excluded"] for row in rows(place.home, "baseline_exclusions")] == [True]


def test_what_people_write_lands_masked_and_of_sane_length(place: Place) -> None:
    place.pushed([CHECKOUT])
    place.acts(("comment", "jo.doe@example.com paid with 4111 1111 1111 1111"), ("comment", "word " * 1_000))
    place.pull()
    texts = [row["value"] for row in place.told()]  # in a file, it is one
    assert texts[0].splitlines()[0] == "[email] paid with [card]"
    assert len(texts[-1]) == LONGEST and texts[-1].endswith("…")
    planted = (b"jo.doe@example.com", b"4111")
    files = [path.read_bytes() for path in place.home.lake.rglob("*.parquet")]
    assert not [file for file in files if any(secret in file for secret in planted)]


def test_only_tickets_of_this_ledger_count(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.pushed([CHECKOUT])
    place.acts(("reject", ""))
    monkeypatch.setattr(Ledger, "heads_by_marker", lambda *_: {})
    assert sum(place.pull().counts.values()) == 0


def test_nothing_is_asked_where_nothing_was_ever_sent(place: Place) -> None:
    assert place.pull().problems == []
    assert not getattr(place.target, "requests", [])


@dataclass
class Troubled:
    """A target whose reads fail as told."""

    target: Any
    answer: httpx.Response | None = None
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer: httpx.Response = self.answer or self.target(request)
        return answer


@pytest.fixture
def troubled(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Troubled, list[ConfiguredDestination]]]:
    """GitHub through something that fails, and the embedded tracker beside it, with tickets in both."""
    github = ABLE[0]
    monkeypatch.setenv(*github.secret)
    target = Troubled(github.fake())
    destinations = [
        ConfiguredDestination(github.destination(target)),
        ConfiguredDestination(LocalTracker(home.tickets)),
    ]
    for configured in destinations:
        live(home, configured, [[CHECKOUT]])
    decided(home, [CHECKOUT])
    Folder(home.tickets).act("reject")
    yield target, destinations


def test_a_rate_limit_is_kept_by_the_next_pull_and_the_next_push_and_stops_nobody_else(
    home: Home, troubled: tuple[Troubled, list[ConfiguredDestination]]
) -> None:
    target, destinations = troubled
    target.answer = httpx.Response(429, headers={"retry-after": "600"})
    report = pull.pull(home, now=LATER, destinations=destinations)
    assert report.acts["status"] == 1  # the embedded tracker's
    assert report.problems == [
        "github: what people did there was not read: answered 429 to GET /repos/acme/shop/issues: too many requests"
    ]
    target.asked.clear()
    again = pull.pull(home, now=LATER + timedelta(minutes=9), destinations=destinations)
    assert "holds until 2026-06-01 14:10 UTC" in again.problems[0]
    publish(home, [LOWERED])
    assert push(home, now=LATER + timedelta(minutes=9), destinations=destinations[:1]).deferred == 1
    assert target.asked == []
    target.answer = None
    target.target.now = LATER
    target.target.act("reject")
    decided(home, [LOWERED])
    assert pull.pull(home, now=LATER + timedelta(minutes=11), destinations=destinations).acts["status"] == 1


@pytest.mark.parametrize("answer", [httpx.Response(401), httpx.Response(500), httpx.Response(200, json=[{"id": "?"}])])
def test_what_cannot_be_read_is_told_and_stays_to_be_read(
    home: Home, troubled: tuple[Troubled, list[ConfiguredDestination]], answer: httpx.Response
) -> None:
    target, destinations = troubled
    target.target.now = LATER
    target.target.act("comment", "I am on it")
    target.answer = answer
    (problem,) = pull.pull(home, now=LATER, destinations=destinations).problems
    assert problem.startswith("github: what people did there was not read: ")
    assert answer.status_code != 401 or "GITHUB_TOKEN" in problem
    target.answer = None
    assert pull.pull(home, now=LATER + timedelta(days=2), destinations=destinations).acts["comment"] == 1


def test_each_pull_asks_only_for_what_is_newer_than_the_last_less_a_margin(
    home: Home, troubled: tuple[Troubled, list[ConfiguredDestination]]
) -> None:
    target, destinations = troubled
    target.asked.clear()
    pull.pull(home, now=LATER, destinations=destinations)
    pull.pull(home, now=LATER + timedelta(hours=1), destinations=destinations)
    asked = [request.url.params["since"] for request in target.asked if "since" in request.url.params]
    first, second = map(datetime.fromisoformat, dict.fromkeys(asked))  # of all listings of a pull
    assert NOW - MARGIN <= first < NOW  # when the first ticket was asked for
    assert second == LATER - MARGIN


def test_a_program_that_closes_a_ticket_rejects_nothing(place: Place) -> None:
    programs = {"github": "stale[bot]", "jira": "janitor[bot]", "servicenow": "system", "request_tracker": "RT_System"}
    if place.kind not in programs:
        pytest.skip("nobody else writes in these files")
    place.pushed([CHECKOUT])
    place.target.now = place.now
    place.target.act("reject", by=programs[place.kind])
    place.target.act("comment", "closed for want of attention", by=programs[place.kind])
    report = place.pull()
    assert (report.counts["status"], report.counts["comment"], report.counts["rejected"]) == (1, 0, 0)
    assert [row["by_person"] for row in place.told()] == [False]
    assert rows(place.home, "baseline_exclusions") == []


def test_what_people_do_to_an_umbrella_concerns_each_issue_under_it(place: Place) -> None:
    storm = [replace(CHECKOUT, issue_id=f"ISS-{number:02}") for number in range(14)]
    place.pushed(storm)  # twelve have a ticket of their own, by the seed of owners
    place.target.now = place.now
    place.target.act("reject", number=13)
    report = place.pull()
    assert (report.acts["status"], report.rejected, report.exclusions) == (1, 1, 2)
    rejected = {row["issue_id"] for row in place.told() if row["resolution"] == "rejected"}
    assert {"ISS-12", "ISS-13"} < rejected and len(rejected) == 3  # and the umbrella itself
    assert [row["excluded"] for row in rows(place.home, "baseline_exclusions")] == [True, True]
    if place.kind != "local":  # where a file was changed last is all that is known there
        place.target.now = place.now
        place.target.act("comment", "we look at all of it", number=13)
        place.now += timedelta(minutes=1)
    later = [replace(CHECKOUT, issue_id=f"ISS-{number:02}") for number in range(14, 27)]
    decided(place.home, storm + later)
    push(place.home, now=place.now, destinations=[place.configured])  # one more than have tickets of their own joins
    assert sum(place.pull().counts.values()) == (place.kind != "local")
    assert not any(row["issue_id"] == "ISS-26" for row in place.told())
    events = rows(place.home, "ticket_events")
    (umbrella,) = {row["url"] for row in events if row["issue_id"] == "ISS-12"}
    assert {row["issue_id"] for row in events if row["url"] == umbrella} == rejected | {"ISS-26"}
    assert {row["issue_id"] for row in place.told() if row["resolution"] == "rejected"} == rejected


def test_who_shares_our_account_can_still_reject(place: Place) -> None:
    ours = {"github": "bot", "jira": "bot@acme.example", "servicenow": "feedback.bot", "request_tracker": "feedback"}
    place.pushed([CHECKOUT])
    place.target.now = place.now
    place.target.act("reject", by=ours.get(place.kind, ""))
    assert place.pull().rejected == 1


def test_the_days_of_a_rejected_issue_are_told_until_it_ends(place: Place) -> None:
    place.pushed([CHECKOUT])
    place.acts(("reject", ""))
    place.pull()
    (open_ended,) = rows(place.home, "baseline_exclusions")
    assert open_ended == {
        "issue_id": CHECKOUT.issue_id,
        "product": "shop-app",
        "issue_type": "checkout_failure",
        "platform": "android",
        "country": None,
        "excluded_from": CHECKOUT.started_at,
        "excluded_until": None,
        "excluded": True,
        "known_at": place.now,
    }
    over = resolved(CHECKOUT)
    decided(place.home, [over])
    assert place.pull().exclusions == 1
    assert rows(place.home, "baseline_exclusions")[-1]["excluded_until"] == over.resolved_at
    decided(place.home, [DELIVERY])  # a build as of another day does not know the issue: what was said of it stands
    assert place.pull().exclusions == 0


@pytest.mark.parametrize(
    ("word", "rejected"),
    [
        *((word, True) for word in ("Not a bug", "won't fix", "WontFix", "not_planned", "Won’t Do")),
        *((word, False) for word in ("done", "completed", "Duplicate", "Solution provided", "")),
    ],
)
def test_words_are_understood_however_they_are_written(word: str, rejected: bool) -> None:
    assert rejects(word) is rejected


def test_markers_are_lines_of_their_own() -> None:
    ours = "<!-- feedback-control:0123abc -->"
    assert markers_in(f"text\n{ours}\r\nmore") == ["0123abc"]
    assert markers_in(f"> {ours}") == markers_in(f"as in {ours}") == []


def test_a_history_that_may_not_be_read_names_the_table(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    servicenow = next(one for one in ABLE if one.kind == "servicenow")
    monkeypatch.setenv(*servicenow.secret)
    target = servicenow.fake()
    target.may_read_history = False
    configured = ConfiguredDestination(servicenow.destination(target))
    live(home, configured, [[CHECKOUT]])
    (problem,) = pull.pull(home, now=NOW + timedelta(minutes=7), destinations=[configured]).problems
    assert "let feedback.bot read the table sys_audit" in problem


def test_older_files_of_the_lake_read_as_nobodys_acts(home: Home) -> None:
    old = {name: kind for name, kind in schema_of("ticket_events").items() if name not in ("actor", "by_person")}
    event = {"event_id": "e", "issue_id": "i", "event": "created", "known_at": NOW}
    lake.append(home, "ticket_events", pl.DataFrame([event], schema=old))
    assert rejections.export_exclusions(home, LATER) == 0
    assert rows(home, "ticket_events")[0]["by_person"] is None
