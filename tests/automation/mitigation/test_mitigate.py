"""Mitigation turns on the embedded control system: plans, approvals, acts, drift, undo, stop, limits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.automation.actuators.base import Preflight, Reading
from dagster_project.automation.actuators.local import LocalControl
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Happening
from dagster_project.automation.mitigation.plans import Plan
from dagster_project.automation.outcomes import DeliveryError, Rejected, Unknown
from dagster_project.errors import ConfigurationError
from tests.automation.mitigation.support import CONTROL, FLAG, ROLLBACK, Stage


def test_a_plan_waits_for_its_approval_and_is_then_in_force(stage: Stage) -> None:
    stage.run()
    assert stage.states() == ["proposed"]
    assert stage.control() == CONTROL
    counted = stage.vote("dana")
    assert counted.proposal is not None
    assert counted.proposal.state == "in_force"
    assert stage.control()["flags"]["new-checkout"] == {"enabled": False, "rollout": 50}
    assert stage.events() == ["proposed", "approved", "begun", "applied"]


def test_undo_restores_the_very_state_before(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    undone = stage.undo(stage.proposals()[0])
    assert undone.state == "undone"
    assert stage.control() == CONTROL
    stage.run(hours=1)
    assert stage.states() == ["undone"]  # and it is not proposed again without a person


def test_the_same_turn_again_does_nothing(stage: Stage) -> None:
    for _ in range(3):
        stage.run(minutes=5)
    assert stage.states() == ["proposed"]
    assert stage.events() == ["proposed"]


def test_auto_acts_at_once_within_its_tier(stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="auto"), replace(ROLLBACK, mode="auto", issue_id="ISS-2")])
    stage.run()
    assert sorted(stage.states()) == ["in_force", "proposed"]  # tier 3 asks a person all the same
    assert stage.control()["releases"] == CONTROL["releases"]


def test_the_next_tier_waits_until_the_act_before_it_is_undone(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    stage.decide([ROLLBACK], effects={stage.plans()[0].plan_id: "ineffective"})
    stage.run(hours=1)
    stage.run(minutes=15)
    assert stage.states() == ["in_force"]
    assert stage.events()[-2:] == ["ineffective", "undo_offered"]
    stage.undo(stage.proposals()[0])
    stage.run(minutes=15)
    assert stage.states() == ["undone", "proposed"]
    assert stage.plans()[1].tier == 3


def test_shadow_records_and_touches_nothing(stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="shadow")])
    stage.run()
    stage.run(minutes=15)
    assert stage.states() == ["shadow"]
    assert stage.control() == CONTROL
    assert stage.vote("dana").said.endswith("is shadow")


def test_a_critical_target_wants_two_people(stage: Stage) -> None:
    stage.decide([replace(FLAG, critical=True, mode="auto")])
    stage.run()
    assert "1 of 2" in stage.vote("dana").said
    assert "already" in stage.vote("dana").said
    assert stage.states() == ["proposed"]
    stage.vote("kim")
    assert stage.states() == ["in_force"]


@pytest.mark.parametrize("prefix", ["abc", "zzzzzzzz", "000000000000"])
def test_a_vote_needs_a_known_and_unambiguous_hash(stage: Stage, prefix: str) -> None:
    stage.run()
    assert stage.vote("dana", prefix).refusal
    assert stage.states() == ["proposed"]


def test_only_approvers_count_and_every_attempt_is_on_record(stage: Stage) -> None:
    stage.run()
    assert stage.vote("mallory").refusal
    assert stage.states() == ["proposed"]
    assert stage.events() == ["proposed", "vote_not_counted"]
    assert stage.ledger.verify_audit().holds


def test_a_refused_plan_is_not_proposed_again(stage: Stage) -> None:
    stage.run()
    stage.vote("dana", approves=False)
    stage.run(hours=1)
    assert stage.states() == ["refused"]


def test_approved_then_the_evidence_moved_void(stage: Stage) -> None:
    stage.run()
    turn = stage.turn()
    stage.decide([replace(FLAG, verdict="inconclusive")])
    plan = stage.plans()[0]
    assert "evidence" in turn.planner.moved(plan, replace(FLAG, verdict="inconclusive"))
    stage.vote("dana")
    assert stage.states()[0] == "void"
    assert stage.control() == CONTROL


def test_approved_then_the_state_of_the_target_moved_void(stage: Stage) -> None:
    stage.run()
    stage.change("flags", "new-checkout", rollout=80)
    stage.vote("dana")
    assert stage.states()[0] == "void"
    assert stage.control()["flags"]["new-checkout"]["enabled"] is True


def test_a_plan_expires_with_reminder_and_escalation(stage: Stage) -> None:
    stage.run()
    stage.run(minutes=31)
    stage.run(minutes=31)
    stage.run(minutes=30)
    assert stage.events() == ["proposed", "reminded", "escalated", "reminded"]
    stage.run(hours=7)
    assert stage.states()[0] == "expired"
    assert stage.vote("dana", stage.plans()[0].plan_id).refusal


def test_the_stop_switch_holds_acts_and_not_undoing(stage: Stage) -> None:
    stage.run()
    stage.ledger.switch.stop("kim", "looking into it", stage.now)
    stage.vote("dana")
    assert stage.states() == ["approved"]
    assert stage.control() == CONTROL
    stage.ledger.switch.resume("kim", "fine", stage.now)
    stage.run(minutes=1)
    assert stage.states() == ["in_force"]
    stage.ledger.switch.stop("kim", "again", stage.now)
    assert stage.undo(stage.proposals()[0]).state == "undone"


def test_drift_is_told_once_and_so_is_its_return(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    stage.change("flags", "new-checkout", enabled=True)
    stage.run(minutes=15)
    stage.run(minutes=15)
    stage.change("flags", "new-checkout", enabled=False)
    stage.run(minutes=15)
    assert stage.events()[4:] == ["drifted", "returned"]


def test_an_undo_after_somebody_changed_it_is_a_conflict(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    stage.change("flags", "new-checkout", rollout=5)
    after = stage.undo(stage.proposals()[0])
    assert after.state == "failed"
    assert stage.control()["flags"]["new-checkout"] == {"enabled": False, "rollout": 5}


def test_undo_is_offered_once_when_the_issue_is_over(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    stage.decide([], issues={"ISS-1": "resolved"})
    stage.run(hours=1)
    stage.run(hours=1)
    assert stage.events().count("undo_offered") == 1


def test_an_automatic_undo_follows_the_end_of_the_issue(stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="auto", undo="auto")])
    stage.run()
    stage.decide([], issues={"ISS-1": "resolved"})
    stage.run(hours=1)
    assert stage.states() == ["undone"]
    assert stage.control() == CONTROL


def test_one_act_at_a_time_holds_an_item(stage: Stage) -> None:
    other = replace(FLAG, issue_id="ISS-2", desired='{"enabled":false,"variant":"b"}')
    stage.decide([FLAG, other])
    stage.run()
    for plan in stage.plans():
        stage.vote("dana", plan.plan_id)
    assert sorted(stage.states()) == ["in_force", "void"]  # the second one stood on a state that is gone


def test_automatic_acts_have_a_daily_limit(stage: Stage) -> None:
    stage.write_playbook(approvals={"max_automatic_per_day": 1})
    flags = [replace(FLAG, mode="auto"), replace(FLAG, mode="auto", issue_id="ISS-2", item="flags/payment-fallback")]
    flags[1] = replace(flags[1], desired='{"enabled":true}')
    stage.decide(flags)
    stage.run()
    assert sorted(stage.states()) == ["approved", "in_force"]


def test_the_breaker_holds_automatic_acts_after_ineffective_ones(stage: Stage) -> None:
    stage.write_playbook(approvals={"breaker_after": 1})
    stage.decide([replace(FLAG, mode="auto")])
    stage.run()
    second = replace(FLAG, mode="auto", issue_id="ISS-2", item="flags/payment-fallback", desired='{"enabled":true}')
    stage.decide([second], effects={stage.plans()[0].plan_id: "ineffective"}, issues={"ISS-1": "open"})
    stage.run(hours=2)
    assert "ineffective" in stage.events(0)
    assert stage.states() == ["in_force", "approved"]


def test_a_target_that_is_gone_harms_only_its_own(stage: Stage) -> None:
    stage.decide([replace(FLAG, target="elsewhere", issue_id="ISS-0"), FLAG])
    report = stage.run()
    assert [one.issue_id for one in stage.plans()] == ["ISS-1"]
    assert "elsewhere" in report.problems[0]


def test_a_rollback_below_the_schema_floor_is_refused_before_any_request(stage: Stage) -> None:
    stage.decide([replace(ROLLBACK, rollback_floor="5.1.5")])
    stage.run()
    assert "pre-flight" in stage.vote("dana").said
    assert stage.control() == CONTROL


def test_what_happened_lands_once(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    stage.run(minutes=1)
    stage.run(minutes=1)
    rows = (
        lake.scan(stage.home, "plan_events")
        .collect()
        .sort(pl.col("event_id").str.split("-").list.last().cast(pl.Int64))
    )
    assert rows["event"].to_list() == ["proposed", "approved", "begun", "applied"]
    assert rows["state"].to_list() == ["proposed", "approved", "applying", "in_force"]
    assert rows.select(pl.col("plan_id").n_unique()).item() == 1


def test_undo_of_what_is_not_in_force_is_refused(stage: Stage) -> None:
    stage.run()
    with pytest.raises(ConfigurationError, match="nothing to undo"):
        stage.undo(stage.proposals()[0])


def test_the_hash_covers_the_whole_plan(stage: Stage) -> None:
    stage.run()
    proposal = stage.proposals()[0]
    plan = Plan.of(proposal)
    assert plan.plan_id == proposal.proposal_id
    assert replace(plan, expires_at="2100-01-01T00:00:00+00:00").plan_id != plan.plan_id
    assert replace(plan, undo="auto").plan_id != plan.plan_id


def test_an_automatic_plan_whose_pre_flight_fails_does_not_act(stage: Stage) -> None:
    shift = replace(FLAG, item="traffic/checkout", tier=2, mode="auto", desired='{"weights":{"stable":0,"canary":0}}')
    stage.decide([shift])
    stage.run()
    stage.run(minutes=15)
    assert stage.states() == ["proposed"]
    assert stage.control() == CONTROL


def test_approved_then_a_pre_flight_fails_void(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.run()
    down = Preflight("receiver_healthy", False, "it is down")
    monkeypatch.setattr(LocalControl, "preflights", lambda *_: (down,))
    stage.vote("dana")
    assert stage.states()[0] == "void"
    assert stage.control() == CONTROL
    stage.run(minutes=1)
    assert stage.states() == ["void", "proposed"]
    monkeypatch.undo()
    stage.run(minutes=1)  # it is healthy again: a plan without the failed pre-flight takes its place
    assert stage.states() == ["void", "void", "proposed"]
    assert stage.plans()[-1].is_clear


def test_what_somebody_changes_just_after_an_act_is_not_undone_with_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = LocalControl.apply

    def changed_after(control: LocalControl, *arguments: Any) -> Reading:
        apply(control, *arguments)
        stage.change("flags", "new-checkout", rollout=5)
        return control.read(arguments[0])

    stage.run()
    monkeypatch.setattr(LocalControl, "apply", changed_after)
    stage.vote("dana")
    assert stage.undo(stage.proposals()[0]).state == "failed"
    assert stage.control()["flags"]["new-checkout"] == {"enabled": False, "rollout": 5}


def test_a_second_act_for_one_issue_waits_for_the_first_at_the_same_target(stage: Stage) -> None:
    stage.decide([FLAG, ROLLBACK])
    stage.run()
    for plan in stage.plans():
        stage.vote("dana", plan.plan_id)
    assert sorted(stage.states()) == ["approved", "in_force"]
    assert "undo it first" in stage.said[-1]
    held = next(one for one in stage.proposals() if one.state == "in_force")
    stage.undo(held)
    stage.run(minutes=1)
    assert sorted(stage.states()) == ["in_force", "undone"]


def test_an_act_that_is_under_way_counts_towards_the_limit_of_a_day(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> Reading:
        raise DeliveryError(Unknown("timed out"))

    stage.write_playbook(approvals={"max_automatic_per_day": 1})
    other = replace(FLAG, mode="auto", issue_id="ISS-2", item="flags/payment-fallback", desired='{"enabled":true}')
    stage.decide([replace(FLAG, mode="auto"), other])
    monkeypatch.setattr(LocalControl, "apply", lost)
    stage.run()
    assert sorted(stage.states()) == ["applying", "approved"]


def test_an_undo_that_was_refused_is_tried_again_at_the_next_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Reading:
        raise DeliveryError(Rejected("forbidden"))

    stage.run()
    stage.vote("dana")
    monkeypatch.setattr(LocalControl, "restore", refused)
    assert stage.undo(stage.proposals()[0]).state == "undoing"
    stage.run(minutes=1)
    assert stage.events().count("undo_refused") == 1
    monkeypatch.undo()
    stage.run(minutes=1)
    assert stage.states() == ["undone"]
    assert stage.control() == CONTROL


def test_an_automatic_undo_waits_for_the_end_of_a_stop_and_for_no_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> Reading:
        raise DeliveryError(Unknown("timed out"))

    stage.write_playbook(approvals={"max_automatic_per_day": 1})
    stage.decide([replace(FLAG, mode="auto", undo="auto")])
    stage.run()
    monkeypatch.setattr(LocalControl, "restore", lost)
    stage.decide([], issues={"ISS-1": "resolved"})
    stage.run(hours=1)
    monkeypatch.undo()
    stage.ledger.switch.stop("kim", "wait", stage.now)
    stage.run(minutes=1)
    assert stage.states() == ["undoing"]
    assert stage.control() != CONTROL
    stage.ledger.switch.resume("kim", "fine", stage.now)
    stage.run(minutes=1)
    assert stage.states() == ["undone"]


def test_a_run_that_lost_its_lease_sends_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Ledger.claim

    def claimed_and_taken_over(ledger: Ledger, *arguments: Any) -> Intent | None:
        intent = claim(ledger, *arguments)
        assert intent is not None
        assert ledger.expire(intent, stage.now + timedelta(hours=1), timedelta())
        return intent

    stage.run()
    monkeypatch.setattr(Ledger, "claim", claimed_and_taken_over)
    stage.vote("dana")
    assert stage.control() == CONTROL


def test_two_runs_at_once_make_one_plan_and_tell_each_thing_once(stage: Stage) -> None:
    first, second = stage.turn(), stage.turn()
    plan = first.planner.plan
    first.planner.plan = lambda *given: (second.run(), plan(*given))[1]  # type: ignore[method-assign]
    first.run()
    assert stage.states() == ["proposed"]
    stage.now += timedelta(minutes=31)
    first, second = stage.turn(), stage.turn()
    remind = first._remind
    first._remind = lambda proposal: (second.run(), remind(proposal))[1]  # type: ignore[method-assign]
    first.run()
    assert stage.events() == ["proposed", "reminded"]


def test_an_event_that_comes_late_says_the_state_that_the_plan_has_by_then(stage: Stage) -> None:
    stage.run()
    seen = stage.proposals()[0]
    stage.vote("dana", approves=False)
    stage.ledger.proposals.happen(seen, Happening("reminded", stage.now))
    events = stage.ledger.proposals.events(seen.proposal_id)
    assert [one.state for one in events] == ["proposed", "refused", "refused"]


def test_an_act_that_did_not_help_makes_way_for_the_next_tier(stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="auto", undo="auto")])
    stage.run()
    effects = {stage.plans()[0].plan_id: "ineffective"}
    stage.decide([ROLLBACK], effects=effects)
    stage.run(hours=2)
    stage.run(minutes=15)
    assert stage.states() == ["undone", "proposed"]
    stage.vote("dana")
    assert stage.states() == ["undone", "in_force"]
    assert stage.control()["flags"] == CONTROL["flags"]


def test_an_undo_is_offered_for_an_act_that_did_not_help(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    stage.decide([], effects={stage.plans()[0].plan_id: "ineffective"}, issues={"ISS-1": "open"})
    for _ in range(3):
        stage.run(hours=1)
    assert stage.events()[-2:] == ["ineffective", "undo_offered"]


def test_events_of_a_ledger_that_was_put_back_land_beside_those_that_it_lost(stage: Stage) -> None:
    stage.run()
    file = stage.home.root / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as ledger, closing(sqlite3.connect(":memory:")) as backup:
        ledger.backup(backup)
        stage.run(minutes=31)
        backup.backup(ledger)
    stage.vote("dana", approves=False)
    stage.run(minutes=1)
    events = lake.scan(stage.home, "plan_events").collect()
    assert sorted(events["event"]) == ["proposed", "refused", "reminded"]


def test_a_plan_is_never_undone_at_another_place(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    (stage.home.root / "other.json").write_text(json.dumps(stage.control()), encoding="utf-8")
    stage.write_playbook(targets={"control": {"kind": "local", "file": "other.json"}})
    with pytest.raises(ConfigurationError, match="no longer points"):
        stage.undo(stage.proposals()[0])
    assert "no longer points" in stage.run(minutes=1).problems[0]
    assert stage.states() == ["in_force"]
    assert json.loads((stage.home.root / "other.json").read_text(encoding="utf-8")) == stage.control()
