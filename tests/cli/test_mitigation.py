"""Plans, votes, undo, stop and approvers from the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import duckdb
import pytest
from click.testing import CliRunner, Result

from dagster_project.cli.main import main
from dagster_project.doctor import examine
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


def test_explain_prints_a_plan_whole(stage: Stage) -> None:
    plan = stage.plans()[0]
    told = cli(stage.home, "explain", plan.plan_id[:6]).stdout
    assert plan.plan_id in told
    assert "ground  verdict: regression" in told
    assert '{"enabled":true,"rollout":50} -> {"enabled":false}' in told
    assert "check   target reachable: yes" in told
    assert f"approve {plan.short_id}" in told
    content = json.loads(cli(stage.home, "explain", plan.short_id, "--json").stdout)
    assert (content["plan_id"], content["evidence"]["signals"]) == (plan.plan_id, 3)
    unknown = cli(stage.home, "explain", "ffffff00")
    assert (unknown.exit_code, "no plan begins with ffffff00" in unknown.stderr) == (2, True)


def test_the_shadow_report_counts_what_would_have_been_right(home: Home) -> None:
    stage = Stage.set_up(home, [])
    lines: list[tuple[str, int, str | None, str | None, bool | None, float | None]] = [
        ("flag-off", 1, "a", "shadow", True, 90.0),
        ("flag-off", 1, "b", "shadow", True, 30.0),
        ("flag-off", 1, "c", "shadow", True, 40.0),
        ("flag-off", 1, "d", "shadow", False, None),
        ("release-rollback", 3, "e", "shadow", None, None),
        ("release-rollback", 3, "f", "approve", None, None),  # not in shadow
        ("rollout-halt", 2, None, None, None, None),  # never planned
    ]
    columns = ("mitigation", "tier", "plan_id", "plan_mode", "would_have_been_right", "minutes_earlier")
    with duckdb.connect(str(stage.home.published)) as connection:
        connection.execute(
            "create or replace table fct_mitigations (mitigation varchar, tier bigint, plan_id varchar,"
            " plan_mode varchar, would_have_been_right boolean, minutes_earlier double)"
        )
        connection.executemany(f"insert into fct_mitigations values ({', '.join('?' for _ in columns)})", lines)
    flag, rollback, everything = json.loads(cli(stage.home, "shadow-report", "--json").stdout)
    assert flag == {
        "mitigation": "flag-off",
        "tier": 1,
        "acts": 4,
        "right": 3,
        "wrong": 1,
        "cannot_be_told": 0,
        "minutes_earlier": 40.0,
    }
    assert (rollback["acts"], rollback["cannot_be_told"], rollback["minutes_earlier"]) == (1, 1, None)
    assert [everything[name] for name in ("mitigation", "acts", "right", "wrong", "cannot_be_told")] == [
        "all",
        *(5, 3, 1, 1),
    ]
    table = cli(stage.home, "shadow-report").stdout
    assert "Had it been on" in table
    assert "release-rollback" in table


def findings(home: Home) -> dict[str, list[tuple[bool, str]]]:
    found: dict[str, list[tuple[bool, str]]] = {}
    for one in examine(home):
        found.setdefault(one.subject, []).append((one.ok, one.detail))
    return found


def test_the_doctor_tries_each_target_without_writing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(stage.home)
    assert found["targets"] == [(True, "control")]
    assert found["approvers"] == [(True, "dana (no token: by comment only), kim (no token: by comment only)")]
    monkeypatch.delenv("UNSET_TOKEN", raising=False)
    act = {"tier": 1, "mode": "approve", "do": {"target": "control", "item": "flags/gone", "set": {"enabled": False}}}
    stage.write_playbook(
        approvers={"dana": {}},
        mitigations={"off": act},
        targets={
            "control": {"kind": "local"},
            "flags": {"kind": "unleash", "base_url": "https://flags.example", "token_env": "UNSET_TOKEN"},
            "lab": {"kind": "unleash", "base_url": "https://lab.example", "environment": "staging"},
            "odd": {"kind": "nothing"},
        },
    )
    found = findings(stage.home)
    assert found["targets"] == [(False, "control, flags, lab, odd")]
    told = [detail for _, detail in found["target"]]
    assert len(told) == 4
    assert told[0].startswith("control: flags/gone cannot be read")
    assert told[1].startswith("flags: the environment variable UNSET_TOKEN (token_env) is not set")
    assert "lab: nothing is sent to lab.example: this is a production home" in told[2]
    assert told[3].startswith("targets.odd.kind: 'nothing' is none of")
    assert found["approvers"] == [(False, "none")]
    assert "dana has neither a token nor an account" in found["approver"][0][1]
    assert found["approver"][1][1].startswith("off needs 1 to approve it, and none")
    assert stage.control() == CONTROL
