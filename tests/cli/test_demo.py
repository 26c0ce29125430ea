"""The demo goes on: its shop obeys the control system of its home, and never plays into the future."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from dagster_project.automation.actuators.base import Reading, canonical
from dagster_project.automation.actuators.config import load_target
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Happening
from dagster_project.automation.mitigation.plans import Plan
from dagster_project.cli import demo
from dagster_project.cli.main import main
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.published import present_of
from dagster_project.home import Home
from dagster_project.home_kind import Kind
from dagster_project.simulation import controls
from dagster_project.simulation.start_over import is_outdated, words_of_people
from tests.faults.homes import SIMULATED, decided

UNTIL = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The demo's home, where a run of the loop does nothing."""
    monkeypatch.setattr(demo, "run_in_dagster", lambda *_, **__: [])
    monkeypatch.setattr(demo, "_earlier_turn", lambda *_: None)
    monkeypatch.setattr(demo, "show_queue", lambda *_, **__: None)
    monkeypatch.setattr("dagster_project.enrichment.takeover.take_over_model", lambda *_: None)
    return Home(tmp_path / "demo")


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments], catch_exceptions=False)


def failing(home: Home, since: datetime) -> float:
    """Error rate of the checkout on android from an instant on, without the four hours after it."""
    metrics = pl.scan_parquet(home.root / "demo" / "telemetry" / "services.parquet").filter(
        pl.col("service") == "checkout",
        pl.col("platform") == "android",
        pl.col("bucket_start") >= since + timedelta(hours=4),
    )
    errors, requests = metrics.select(pl.col("errors").sum(), pl.col("requests").sum()).collect().row(0)
    return float(errors / requests)


def test_the_demo_begins_with_a_control_system_a_playbook_and_the_way_on(home: Home) -> None:
    done = cli(home, "demo", "--until", "2026-11-23")
    assert done.exit_code == 0, done.output
    android = json.loads(home.control.read_text())["releases"]["android"]
    assert android == {"halted": False, "previous_version": "5.1.4", "version": "5.2.0"}
    assert "demo --continue" in done.stdout
    playbook = load_playbook(home.playbook)
    modes = {name: one.mode for name, one in playbook.mitigations.items() if one.mode != "shadow"}
    assert modes == {"rollout-halt": "approve", "release-rollback": "approve"}
    assert list(playbook.approvers) == [controls.APPROVER]
    entry = playbook.mitigations["rollout-halt"].do
    target = load_target(home, entry.target, playbook.targets[entry.target].entry)
    assert (target.broken, target.actuator and target.actuator.read("releases/android").state) == ("", android)
    assert words_of_people(home) == []


def test_without_an_act_the_failures_go_on(home: Home) -> None:
    cli(home, "demo", "--until", "2026-11-23")
    done = cli(home, "demo", "--continue")
    assert done.exit_code == 0, done.output
    assert "present   2026-11-24 00:00 UTC" in done.stdout
    assert failing(home, UNTIL) > 0.2


def test_what_the_actuator_sets_ends_them(home: Home) -> None:
    cli(home, "demo", "--until", "2026-11-23")
    playbook = load_playbook(home.playbook)
    control = load_target(home, "control", playbook.targets["control"].entry).actuator
    assert control is not None
    control.apply("releases/android", {"halted": True}, control.read("releases/android"), "a plan")
    done = cli(home, "demo", "--continue", "--hours", "12")
    assert done.exit_code == 0, done.output
    said = canonical({"halted": True, "previous_version": "5.1.4", "version": "5.2.0"})
    assert f"control: releases/android is {said}" in done.stderr
    assert failing(home, UNTIL) < 0.02
    cli(home, "demo", "--continue", "--hours", "12")
    assert failing(home, UNTIL) < 0.02


def test_a_demo_that_went_on_starts_over_and_the_control_system_with_it(home: Home) -> None:
    cli(home, "demo", "--until", "2026-11-23")
    assert not is_outdated(home, UNTIL)
    home.control.write_text(home.control.read_text().replace('"halted": false', '"halted": true'))
    cli(home, "demo", "--continue", "--hours", "2")
    assert is_outdated(home, UNTIL) and is_outdated(home, UNTIL + timedelta(hours=2))
    again = cli(home, "demo", "--until", "2026-11-23")
    assert again.exit_code == 0, again.output
    assert "the demo of another day is kept in" in again.stderr
    assert json.loads(home.control.read_text())["releases"]["android"]["halted"] is False
    (backup,) = home.root.parent.glob("*.backup-*")
    assert (backup / "control.json").exists() and (backup / "playbook.yml").exists()


def test_a_playbook_that_somebody_edited_is_not_replaced_unasked(home: Home) -> None:
    cli(home, "demo", "--until", "2026-11-23")
    home.playbook.write_text(home.playbook.read_text() + "# mine\n")
    assert cli(home, "demo", "--until", "2026-11-23").exit_code == 0
    assert home.playbook.read_text().endswith("# mine\n")
    refused = cli(home, "demo", "--until", "2026-11-22")
    assert (refused.exit_code, "a playbook.yml that was edited" in refused.stderr) == (2, True)


def test_a_demo_never_goes_on_into_the_future_nor_where_there_is_none(home: Home) -> None:
    nothing = cli(home, "demo", "--continue")
    assert (nothing.exit_code, "holds no simulated shop" in nothing.stderr) == (2, True)
    cli(home, "demo")
    ahead = cli(home, "demo", "--continue", "--hours", "49")
    assert (ahead.exit_code, "lie in the future; give --hours" in ahead.stderr) == (2, True)
    assert cli(home, "demo", "--continue", "--hours", "24").exit_code == 0
    both = cli(home, "demo", "--continue", "--until", "2026-11-23")
    assert (both.exit_code, "--until begins a demo" in both.stderr) == (2, True)


def test_a_broken_control_system_plays_nothing_on(home: Home) -> None:
    cli(home, "demo", "--until", "2026-11-23")
    before = (home.root / "demo" / "truth.json").read_bytes()
    home.control.write_text("{}")
    refused = cli(home, "demo", "--continue")
    assert refused.exit_code == 1
    assert "has no flags/" in refused.stderr
    assert (home.root / "demo" / "truth.json").read_bytes() == before


def test_the_command_that_approves_is_printed(home: Home) -> None:
    cli(home, "demo", "--until", "2026-11-23")
    evidence = {"priority": "P1", "verdict": "regression", "signals": 3, "confidence": 0.9}
    plan = Plan(
        issue_id="ISS-1", mitigation="rollout-halt", tier=2, mode="approve", critical=False, target="control",
        place="local", item="releases/android", before=Reading("releases/android", {"halted": False}),
        desired={"halted": True}, evidence=evidence, ground="", preflights=(), undo="person", verify_metric="errors",
        verify_minutes=240, product="shop-app", issue_type="checkout_failure", owner="checkout", summary="",
        proposer="feedback-control", created_at=UNTIL.isoformat(), expires_at=UNTIL.isoformat(),
    )  # fmt: skip
    Ledger.of(home).proposals.add(plan.proposal(), Happening("proposed", UNTIL))
    said = cli(home, "demo", "--until", "2026-11-23").stdout
    (command,) = [line for line in said.splitlines() if line.startswith("approve ")]
    assert "FEEDBACK_CONTROL_TOKEN=$(" in command and "approvers add dana) " in command
    assert command.endswith(f" approve {plan.short_id}")
    assert plan.title in said


@pytest.mark.parametrize(("kind", "is_its_own"), [("demo", True), ("replay", True), ("production", False)])
def test_what_is_done_about_a_rehearsal_happens_in_its_present(tmp_path: Path, kind: Kind, is_its_own: bool) -> None:
    home, now = Home(tmp_path / "home").marked(kind), UNTIL + timedelta(days=3)
    assert present_of(home, now) == now  # nothing is decided yet
    decided(home, [SIMULATED], UNTIL)
    assert present_of(home, now) == (UNTIL if is_its_own else now)
