"""Plans, votes, undo, stop and approvers from the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from dagster_project.cli.main import main
from dagster_project.home import Home
from tests.automation.mitigation.support import CONTROL, Stage
from tests.automation.support import BORN


def cli(home: Home, *arguments: str, token: str = "") -> Result:
    runner = CliRunner(env={"FEEDBACK_CONTROL_TOKEN": token})
    return runner.invoke(main, ["--home", str(home.root), *arguments], catch_exceptions=False)


@pytest.fixture
def stage(home: Home) -> Stage:
    """A stage in the present, as the command line has no other clock."""
    stage = Stage.set_up(home)
    stage.now = max(datetime.now(UTC), BORN)
    stage.run()
    return stage


def token_of(home: Home, name: str) -> str:
    return cli(home, "approvers", "add", name).stdout.strip()


def test_a_token_is_shown_once_and_approves(stage: Stage) -> None:
    token = token_of(stage.home, "dana")
    plan = stage.plans()[0]
    told = cli(stage.home, "plans").stdout
    assert plan.short_id in told
    assert "0 of 1 approvals" in told
    approved = cli(stage.home, "approve", plan.plan_id[:6], "--reason", "checked", token=token)
    assert approved.exit_code == 0
    assert "in force" in approved.stdout
    assert f"undo {plan.short_id}" in approved.stdout
    assert stage.control()["flags"]["new-checkout"]["enabled"] is False
    assert token not in stage.home.ledger_head.read_text(encoding="utf-8")
    undone = cli(stage.home, "undo", plan.short_id)
    assert undone.exit_code == 0
    assert stage.control() == CONTROL


def test_a_claimed_name_is_no_identity(stage: Stage) -> None:
    plan = stage.plans()[0]
    assert cli(stage.home, "approve", plan.short_id).exit_code == 2
    assert cli(stage.home, "approve", plan.short_id, token="fct_made_up").exit_code == 2
    assert cli(stage.home, "approvers", "add", "mallory").exit_code == 2
    assert stage.states() == ["proposed"]


def test_a_removed_token_no_longer_works(stage: Stage) -> None:
    token = token_of(stage.home, "dana")
    assert cli(stage.home, "approvers", "remove", "dana").exit_code == 0
    assert cli(stage.home, "approve", stage.plans()[0].short_id, token=token).exit_code == 2
    assert "no token" in cli(stage.home, "approvers", "list").stdout


def test_stop_holds_an_approved_plan_until_an_approver_resumes(stage: Stage) -> None:
    token = token_of(stage.home, "dana")
    assert cli(stage.home, "stop", "looking into it").exit_code == 0
    cli(stage.home, "approve", stage.plans()[0].short_id, token=token)
    assert stage.states() == ["approved"]
    assert "stopped by" in cli(stage.home, "plans").stdout
    assert cli(stage.home, "resume").exit_code == 2
    assert cli(stage.home, "resume", token=token).exit_code == 0
    stage.run()
    assert stage.states() == ["in_force"]


def test_a_refused_plan_and_a_vote_that_does_not_count(stage: Stage) -> None:
    token = token_of(stage.home, "kim")
    plan = stage.plans()[0]
    assert cli(stage.home, "refuse", plan.short_id, "--reason", "a sale", token=token).exit_code == 0
    late = cli(stage.home, "approve", plan.short_id, token=token)
    assert late.exit_code == 1
    assert "refused" in late.stderr
    (row,) = json.loads(cli(stage.home, "plans", "--all", "--json").stdout)
    assert (row["plan_id"], row["state"]) == (plan.plan_id, "refused")
    assert [one["event"] for one in row["history"]] == ["proposed", "refused", "vote_not_counted"]


def test_too_short_a_hash_is_refused(stage: Stage) -> None:
    token = token_of(stage.home, "dana")
    assert "at least 6" in cli(stage.home, "approve", stage.plans()[0].plan_id[:5], token=token).stderr
