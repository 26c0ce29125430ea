"""The whole loop over the simulated shop: what was planted is found, nothing else is, and nothing is sent twice."""

from __future__ import annotations

import csv
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.destinations.local import list_tickets
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import push
from dagster_project.cli.main import main
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.explain import queue
from dagster_project.decisioning.published import read_mart
from dagster_project.home import REPOSITORY, Home
from dagster_project.loop import TurnReport, turn
from dagster_project.measurement.drift import label_queue
from dagster_project.simulation.shop.shop import ShopTruth, write_shop

UNTIL = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = 35


def new_home(root: Path) -> Home:
    """A replay home that shares the repository's trained models: training is tested on its own, once."""
    home = Home(root).marked("replay")
    shared = REPOSITORY / ".feedback-control" / "models"
    shared.mkdir(parents=True, exist_ok=True)
    home.models.symlink_to(shared)
    return home


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ShopTruth:
    return write_shop(tmp_path_factory.mktemp("shop"), until=UNTIL, days=DAYS)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, shop: ShopTruth) -> tuple[Home, TurnReport]:
    home = new_home(tmp_path_factory.mktemp("loop") / "home")
    return home, turn(home, sources=shop.sources, as_of=UNTIL)


def test_everything_lands_and_is_labelled(first: tuple[Home, TurnReport], shop: ShopTruth) -> None:
    _, report = first
    assert report.landed.problems == []
    assert report.labeled.labeled == shop.rows["feedback"]


def test_the_planted_incidents_are_found_and_judged(first: tuple[Home, TurnReport], shop: ShopTruth) -> None:
    home, _ = first
    found = {row["issue_type"]: row for row in queue(home, include_resolved=True)}
    checkout, crash, strike = found["checkout_failure"], found["app_crash"], found["shipping_delivery"]
    assert (checkout["verdict"], checkout["suspect_version"], checkout["status"]) == ("regression", "5.2.0", "open")
    assert (crash["verdict"], crash["suspect_version"], crash["status"]) == ("regression", "4.8.0", "resolved")
    assert (strike["verdict"], strike["scope_country"], strike["status"]) == ("no_regression", "DE", "open")
    assert checkout["has_technical"]
    assert checkout["has_business"]
    assert queue(home)[0]["issue_type"] == "checkout_failure"


def test_no_innocent_release_is_blamed(first: tuple[Home, TurnReport], shop: ShopTruth) -> None:
    home, _ = first
    blamed = {row["suspect_release_id"] for row in queue(home, include_resolved=True)} - {None}
    assert blamed == {event.release_id for event in shop.planted if event.expected_verdicts == ("regression",)}


def test_open_issues_have_one_ticket_each_and_a_second_turn_opens_none(
    first: tuple[Home, TurnReport], shop: ShopTruth
) -> None:
    home, report = first
    assert report.pushed is not None
    assert report.pushed.created == report.decided.issues_open == len(list_tickets(home.tickets))
    before = (home.outbound / "out_tickets.jsonl").read_bytes()
    again = turn(home, sources=shop.sources, as_of=UNTIL)
    assert again.pushed is not None
    assert (again.labeled.labeled, again.pushed.created, again.pushed.updated) == (0, 0, 0)
    assert again.pulled.problems == []
    assert not any(again.pulled.counts.values())  # what we wrote is nobody else's doing
    assert (home.outbound / "out_tickets.jsonl").read_bytes() == before


@pytest.mark.long
def test_another_folder_and_dagster_itself_give_the_same_bytes(
    first: tuple[Home, TurnReport], shop: ShopTruth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_project.cli.demo import run_in_dagster

    elsewhere = new_home(tmp_path / "elsewhere")
    elsewhere.dagster.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", elsewhere.dagster)
    monkeypatch.setenv("DAGSTER_HOME", str(elsewhere.dagster))
    results = run_in_dagster(elsewhere, sources=str(shop.sources), as_of=UNTIL)
    assert [result.success for result in results] == [True, True, True]
    home, _ = first
    assert (elsewhere.outbound / "out_tickets.jsonl").read_bytes() == (home.outbound / "out_tickets.jsonl").read_bytes()


def test_a_person_who_says_not_a_bug_is_heard_by_the_next_decision(
    first: tuple[Home, TurnReport], tmp_path: Path
) -> None:
    """Said in the ticket's file; then in the mart, in the label queue and, from the next day on, in the baseline."""
    home = Home(Path(shutil.copytree(first[0].root, tmp_path / "home", symlinks=True)))
    ticket = next(one for one in list_tickets(home.tickets) if "Checkout" in one.title)
    said_at, later = UNTIL + timedelta(minutes=10), UNTIL + timedelta(minutes=15)
    text = ticket.path.read_text(encoding="utf-8").replace("status: open\n", "status: not a bug\nby: jo\n", 1)
    ticket.path.write_text(text, encoding="utf-8")
    os.utime(ticket.path, (said_at.timestamp(), said_at.timestamp()))
    destinations = load_destinations(home)
    report = pull(home, now=later, destinations=destinations)
    assert (report.problems, report.rejected, report.exclusions) == ([], 1, 1)

    decide(home, as_of=later)
    (issue,) = read_mart(home, "fct_issue_lifecycle").drop_nulls("rejected_at").to_dicts()
    assert (issue["issue_type"], issue["ticket_status"]) == ("checkout_failure", "rejected")
    assert (issue["rejected_as"], issue["rejected_by"]) == ("not a bug", "jo")
    assert issue["rejected_at"] == said_at.replace(tzinfo=None)
    pushed = push(home, now=datetime.now(UTC), destinations=destinations)
    assert (pushed.created, pushed.problems) == (0, [])
    assert "status: not a bug" in ticket.path.read_text(encoding="utf-8")

    with label_queue(home, as_of=later, size=10).open(encoding="utf-8", newline="") as rows:
        notes = [row["note"] for row in csv.DictReader(rows)]
    asked = f"issue {issue['issue_id']} was rejected as 'not a bug' by jo: is this the type?"
    assert [note.startswith(asked) for note in notes[:6]] == [True] * 5 + [False]

    decide(home, as_of=UNTIL + timedelta(days=2, hours=6))
    days = read_mart(home, "int_baseline", ["issue_type", "day", "baseline_days"], where={"scope_kind": "all"})
    heard, unheard = (
        dict(days.filter(pl.col("issue_type") == kind).group_by("day").agg(pl.max("baseline_days")).iter_rows())
        for kind in ("checkout_failure", "(any)")
    )
    midnight = UNTIL.replace(tzinfo=None)
    assert heard[midnight] == unheard[midnight] == 28.0
    after = midnight + timedelta(days=2)
    assert unheard[after] == 28.0
    assert heard[after] < 28.0
    again = read_mart(home, "fct_issues", ["issue_id"], where={"issue_type": "checkout_failure"})
    assert again["issue_id"].to_list() == [issue["issue_id"]]


def test_the_report_shows_every_issue(first: tuple[Home, TurnReport]) -> None:
    home, report = first
    assert report.report
    page = report.report.read_text(encoding="utf-8")
    for row in queue(home, include_resolved=True):
        assert row["issue_id"] in page
    assert page.count("<svg") == len(queue(home, include_resolved=True))


def test_the_command_line_prints_the_marts_columns(first: tuple[Home, TurnReport]) -> None:
    home, _ = first
    runner = CliRunner()
    listed = runner.invoke(main, ["--home", str(home.root), "issues", "--json"])
    rows = json.loads(listed.stdout)
    assert [row["issue_id"] for row in rows] == [row["issue_id"] for row in queue(home)]
    explained = runner.invoke(main, ["--home", str(home.root), "explain", rows[0]["issue_id"]])
    assert explained.exit_code == 0
    assert "Severity" in explained.stdout
    tickets = runner.invoke(main, ["--home", str(home.root), "tickets", "--json"])
    assert len(json.loads(tickets.stdout)) == len(rows)


def test_usage_errors_exit_with_two_and_name_the_remedy(tmp_path: Path) -> None:
    runner = CliRunner()
    missing = runner.invoke(main, ["--home", str(tmp_path), "run"])
    assert (missing.exit_code, "--sources" in missing.stderr) == (2, True)
    early = runner.invoke(main, ["--home", str(tmp_path), "issues"])
    assert (early.exit_code, f"`feedback-control --home {tmp_path} run`" in early.stderr) == (2, True)
    date = runner.invoke(main, ["--home", str(tmp_path), "run", "--as-of", "tomorrow"])
    assert (date.exit_code, "2026-01-31" in date.stderr) == (2, True)
