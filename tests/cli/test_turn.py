"""A turn, the queue and the doctor on the command line: what could not be done is said, and fails."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import click
import polars as pl
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from dagster_project import lake, loop
from dagster_project.automation.tickets.pull import PullReport
from dagster_project.automation.tickets.push_report import PushReport
from dagster_project.cli import demo, options
from dagster_project.cli.main import main
from dagster_project.decisioning import explain
from dagster_project.decisioning.history import history
from dagster_project.decisioning.published import DecisionReport
from dagster_project.enrichment.labeling import LabelReport
from dagster_project.errors import FeedbackControlError
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.reading import SourceLine
from dagster_project.ingestion.sources import load_sources
from dagster_project.lake_tables import schema_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    lake.ensure_tables(home)
    (home.root / "sources.yml").write_text("sources:\n- {name: reviews, table: feedback, path: reviews.csv}\n")
    return home


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments], catch_exceptions=False)


def a_turn(
    home: Home, landed: LandingReport, pushed: PushReport | None = None, pulled: PullReport | None = None
) -> loop.TurnReport:
    labeled, page = LabelReport(0, 0, 0, 0, {}, 0.0, "m", "l", "r", home.root), home.root / "page.html"
    return loop.TurnReport(landed, labeled, pulled or PullReport(), DecisionReport(0, 0, 0, {}), pushed, page)


GONE = SourceLine("zendesk", "feedback", "zendesk", state="missing", problem="zendesk: no file matches exports/*.json")


@pytest.mark.parametrize(
    ("landed", "pushed", "code", "said"),
    [
        (LandingReport(), PushReport(unchanged=3), 0, ""),
        (LandingReport(), PushReport(deferred=2), 0, ""),  # quiet hours
        (LandingReport([GONE]), None, 1, "failed: zendesk: no file matches"),
        (LandingReport(), PushReport(deferred=3, stopped=["github: $GITHUB_TOKEN is not set"]), 1, "GITHUB_TOKEN"),
        (LandingReport(silent=["zendesk: nothing new since"]), None, 0, "problem: zendesk: nothing new since"),
    ],
)
def test_a_turn_fails_for_a_source_that_is_not_read_and_a_ticket_that_does_not_leave(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    landed: LandingReport,
    pushed: PushReport | None,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(loop, "turn", lambda *_, **__: a_turn(home, landed, pushed))
    monkeypatch.setattr(explain, "queue", lambda *_, **__: [])
    done = cli(home, "run")
    assert (done.exit_code, said in done.stderr) == (code, True)
    as_json = cli(home, "run", "--json")
    assert as_json.exit_code == code
    assert bool(json.loads(as_json.stdout)["failures"]) is bool(code)


def test_a_turn_fails_for_a_tracker_that_is_not_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    unread = PullReport(problems=["jira: what people did there was not read: timed out"])
    monkeypatch.setattr(loop, "turn", lambda *_, **__: a_turn(home, LandingReport(), PushReport(), unread))
    monkeypatch.setattr(explain, "queue", lambda *_, **__: [])
    done = cli(home, "run")
    assert (done.exit_code, "failed: jira: what people did there was not read" in done.stderr) == (1, True)


def test_a_push_leases_from_its_own_beginning_however_long_the_turn_took(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: dict[str, datetime] = {}
    whole = a_turn(home, LandingReport(), PushReport())
    for name, result in (("land", whole.landed), ("label_new", whole.labeled), ("pull", whole.pulled)):
        monkeypatch.setattr(loop, name, lambda *_, result=result, **__: result)
    monkeypatch.setattr(loop, "write_report", lambda _: whole.report)
    monkeypatch.setattr(loop, "write_pages", lambda _: [])

    def decide(*_: object, **__: object) -> DecisionReport:
        begun["decide"] = datetime.now(UTC)
        return whole.decided

    def push(*_: object, now: datetime, **__: object) -> PushReport | None:
        begun["push"] = now
        return whole.pushed

    monkeypatch.setattr(loop, "decide", decide)
    monkeypatch.setattr(loop, "push", push)
    loop.turn(home, sources=home.sources())
    assert begun["decide"] <= begun["push"]


def say(home: Home, days: int, issue_type: str = "app_crash") -> None:
    """A piece of feedback a day, each labelled."""
    for table, column in (("feedback", "occurred_at"), ("labels", "labeled_at")):
        schema = schema_of(table)
        rows = [
            {"feedback_id": f"f{day}", "product": "app", "issue_type": issue_type, "known_at": NOW, "abstained": False}
            | {column: NOW + timedelta(days=day)}
            for day in range(days)
        ]
        frame = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
        lake.append(home, table, frame)


def test_a_short_history_says_how_long_it_must_be_and_what_was_understood(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "queue", lambda *_, **__: [])
    say(home, days=3)
    said = cli(home, "issues").stdout
    assert "there are 3 days of feedback, and 11 are needed" in said
    assert "understood so far: 3 app_crash" in said


def test_a_long_history_without_issues_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "queue", lambda *_, **__: [])
    say(home, days=11)
    assert not history(home).is_short
    assert cli(home, "issues").stdout == "no open issues\n"


def test_the_id_is_whole_in_eighty_columns(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        **dict.fromkeys(("scope_platform", "scope_version", "scope_country", "scope_feature"), "somewhere"),
        **{"queue_position": 1, "issue_id": "ISS-4F0C11AA92", "priority": "P1", "severity_score": 91.0},
        **{"issue_title": "Checkout failing", "started_at": NOW, "feedback_count": 120, "verdict": "regression"},
        **{"suspect_version": "5.2.0", "suspect_release_id": "shop-app@5.2.0", "status": "open"},
    }
    printed = io.StringIO()
    monkeypatch.setattr(explain, "queue", lambda *_, **__: [row])
    monkeypatch.setattr(options, "console", lambda: Console(width=80, file=printed))
    options.show_queue(home, include_resolved=False)
    assert "ISS-4F0C11AA92" in printed.getvalue()


def test_the_doctor_names_each_source_and_destination_that_is_not_well(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    (home.root / "destinations.yml").write_text(
        "version: 1\ndestinations:\n- {kind: local}\n- {kind: github, repository: a/b, token_env: SHOP_TOKEN}\n"
        "- {kind: mail, host: localhost, sender: a@example.com, to: [b@example.com], tls: none}\n"
    )
    land(home, load_sources(home.sources()), now=NOW)
    found = cli(home, "doctor")
    assert found.exit_code == 1
    assert "reviews.csv does not exist; correct `path` or put the export there" in found.stdout
    assert "reviews: nothing new since 2026-05-01" in found.stdout
    assert "github: the environment variable SHOP_TOKEN (token_env) is not set" in found.stdout
    assert "SMTP_PASSWORD" not in found.stdout
    assert "ok   model        none yet" in found.stdout
    listed = json.loads(cli(home, "doctor", "--json").stdout)
    assert [one["ok"] for one in listed if one["subject"] == "destinations"] == [False]


def test_the_doctor_says_what_takes_the_space(home: Home) -> None:
    (home.root / "lake").mkdir(exist_ok=True)
    (home.root / "lake" / "large.parquet").write_bytes(b"0" * 3_000_000)
    listed = json.loads(cli(home, "doctor", "--json").stdout)
    (sizes,) = [finding["detail"] for finding in listed if finding["subject"] == "sizes"]
    assert "MB: lake 3" in sizes


def test_the_doctor_looks_at_everything_whatever_is_damaged(home: Home) -> None:
    home.models.mkdir()
    (home.models / "champion.json").write_text('{"version": ')
    home.published.parent.mkdir(parents=True)
    home.published.write_bytes(b"not a database")
    said = cli(home, "doctor")
    assert said.exit_code == 1
    assert "champion.json is damaged" in said.stdout
    assert f"FIX  warehouse    {home.published}: is broken (IO Error: " in said.stdout
    assert f"build it anew with `feedback-control --home {home.root} run`" in said.stdout
    assert "ok   ledger       empty" in said.stdout


def test_the_doctor_misses_a_champion_that_is_gone(home: Home) -> None:
    home.models.mkdir()
    decision: dict[str, object] = {
        "candidate": "abc",
        "champion": None,
        "promoted": True,
        "reasons": [],
        "figures": {"macro_f1": 0.7},
    }
    record = {"version": "abc", "decision": decision}
    (home.models / "champion.json").write_text(json.dumps(record))
    assert "names model abc, which is not there" in cli(home, "doctor").stdout


def test_a_demo_fails_with_its_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = SimpleNamespace(success=False, all_events=[])  # of the run, not of a step: a resource, say
    monkeypatch.setattr(demo, "run_in_dagster", lambda *_, **__: [failed])
    monkeypatch.setenv("FEEDBACK_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    with pytest.raises(FeedbackControlError, match="the Dagster run failed"):
        demo._run_in_dagster(home, home.root / "sources.yml", NOW)


def test_the_package_itself_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dagster_project", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage: python -m dagster_project" in done.stdout


def test_help_lists_every_command_without_importing_it() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=120).stdout
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        if not command.hidden:
            assert f"  {name} " in shown
            assert command.get_short_help_str(limit=40).removesuffix("...") in shown
    heavy = "{'numpy', 'polars', 'sqlalchemy', 'httpx', 'pydantic', 'dagster', 'duckdb'}"
    told = (
        "import atexit, sys; from dagster_project.cli.main import main\n"
        f"atexit.register(lambda: print('heavy:', {heavy}.intersection(sys.modules)))\nmain(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert "heavy: set()" in done.stdout
