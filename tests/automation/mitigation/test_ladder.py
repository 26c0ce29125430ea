"""The ladder and the plan's hash, by properties."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.automation.actuators.base import Preflight, Reading, canonical
from dagster_project.automation.actuators.config import Target
from dagster_project.automation.actuators.local import LocalControlSettings
from dagster_project.automation.ledger.proposals import HOLDING, LIVE, WAITING, ProposalState
from dagster_project.automation.mitigation.ladder import (
    Situation,
    Step,
    approvals_needed,
    in_the_way,
    is_automatic,
    next_step,
    reminders_due,
)
from dagster_project.automation.mitigation.plans import Plan, plan_of, short
from tests.automation.mitigation.support import FLAG
from tests.automation.support import NOW

HOURS = timedelta(hours=8)


@cache
def a_plan() -> Plan:
    target = Target("control", LocalControlSettings(name="control"), None)
    reading = Reading("flags/new-checkout", {"enabled": True, "rollout": 50}, version="7", url="control.json")
    asked = (Preflight("target_reachable", True, "it answers"),)
    return plan_of(FLAG, target, reading, asked, proposer="feedback-control", now=NOW, valid=HOURS)


PLANS = st.builds(
    lambda tier, mode, critical, undo, passed: replace(
        a_plan(), tier=tier, mode=mode, critical=critical, undo=undo, preflights=(Preflight("dry_run", passed, ""),)
    ),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["shadow", "approve", "auto"]),
    st.booleans(),
    st.sampled_from(["person", "auto"]),
    st.sampled_from([True, False, None]),
)
SITUATIONS = st.builds(
    lambda state, late, **more: Situation(state=state, now=NOW + timedelta(hours=late), expires_at=NOW + HOURS, **more),
    st.sampled_from(ProposalState),
    st.integers(-24, 24),
    moved=st.sampled_from(["", "the evidence moved"]),
    approvals=st.integers(0, 3),
    hindrance=st.sampled_from(["", "stopped"]),
    is_spent=st.booleans(),
    undo_offered=st.booleans(),
)


@given(PLANS, SITUATIONS)
def test_an_act_is_due_only_when_nothing_speaks_against_it(plan: Plan, situation: Situation) -> None:
    if next_step(plan, situation) is Step.ACT:
        assert situation.state is ProposalState.APPROVED
        assert situation.now < situation.expires_at
        assert not situation.moved
        assert not situation.hindrance


@given(PLANS, SITUATIONS)
def test_a_plan_is_approved_only_with_its_needs_met(plan: Plan, situation: Situation) -> None:
    if next_step(plan, situation) is Step.APPROVE:
        assert situation.state is ProposalState.PROPOSED
        assert situation.now < situation.expires_at
        assert not situation.moved
        assert plan.is_clear
        assert situation.approvals >= (2 if plan.critical else 0 if plan.mode == "auto" and plan.tier < 3 else 1)


@given(PLANS, SITUATIONS)
def test_what_waits_is_over_once_it_expired_or_its_ground_moved(plan: Plan, situation: Situation) -> None:
    expired = situation.now >= situation.expires_at
    if situation.state in WAITING and (expired or situation.moved):
        assert next_step(plan, situation) is (Step.EXPIRE if expired else Step.VOID)


@given(PLANS, SITUATIONS)
def test_every_state_has_its_steps(plan: Plan, situation: Situation) -> None:
    step = next_step(plan, situation)
    if situation.state not in LIVE:
        assert step is Step.KEEP  # shadow, and what is over
    if step in (Step.SETTLE, Step.WATCH, Step.UNDO, Step.OFFER_UNDO):
        assert situation.state in HOLDING
    if step is Step.UNDO:
        assert situation.is_spent
        assert plan.undo == "auto"
        assert not situation.hindrance
    if step is Step.OFFER_UNDO:
        assert not situation.undo_offered


@given(PLANS)
def test_tier_3_and_critical_targets_are_never_automatic(plan: Plan) -> None:
    assert is_automatic(plan) == (plan.mode == "auto" and plan.tier < 3 and not plan.critical)
    assert approvals_needed(plan) == (2 if plan.critical else int(not is_automatic(plan)))


@given(st.integers(0, 5_000), st.integers(1, 60), st.integers(0, 60), st.integers(0, 5))
def test_everybody_is_asked_once_and_reminded_once(minutes: int, remind: int, more: int, people: int) -> None:
    wait, escalate = timedelta(minutes=minutes), timedelta(minutes=remind + more)
    reminders, escalations = reminders_due(wait, timedelta(minutes=remind), escalate, people)
    assert 0 <= escalations <= max(people - 1, 0)
    assert escalations <= reminders <= escalations + 1 or reminders == escalations
    later = reminders_due(wait + timedelta(minutes=1), timedelta(minutes=remind), escalate, people)
    assert later >= (reminders, escalations)


def test_one_act_at_a_time_holds_a_target_for_an_issue() -> None:
    plan = a_plan()
    assert in_the_way(plan, replace(plan, item="flags/other"))
    assert not in_the_way(plan, replace(plan, issue_id="ISS-2"))
    assert not in_the_way(plan, replace(plan, target="edge"))


# ---------- the hash


def _changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case Reading():
            return replace(value, state={**value.state, "rollout": 51})
        case dict():
            return {**value, "more": 1}
        case tuple():
            return (*value, Preflight("dry_run", None, "?"))
    raise AssertionError(value)


@pytest.mark.parametrize("name", [one.name for one in fields(Plan)])
def test_any_field_changed_is_another_hash(name: str) -> None:
    plan = a_plan()
    assert replace(plan, **{name: _changed(getattr(plan, name))}).plan_id != plan.plan_id


@pytest.mark.parametrize("change", [{"version": "8"}, {"item": "flags/other"}, {"state": {"enabled": True}}])
def test_any_part_of_the_state_before_is_in_the_hash(change: dict[str, Any]) -> None:
    plan = a_plan()
    assert replace(plan, before=replace(plan.before, **change)).plan_id != plan.plan_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _turned_round(value: Any) -> Any:
    """The same content, with the keys the other way round."""
    if isinstance(value, dict):
        return {key: _turned_round(value[key]) for key in reversed(value)}
    return [_turned_round(one) for one in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_the_same_content_is_the_same_hash_and_it_survives_the_ledger(state: Any, desired: Any) -> None:
    plan = replace(a_plan(), before=Reading("flags/new-checkout", state), desired=desired)
    turned = replace(plan, before=replace(plan.before, state=_turned_round(state)), desired=_turned_round(desired))
    assert turned.plan_id == plan.plan_id
    assert Plan.of(plan.proposal()).plan_id == plan.plan_id
    assert canonical(json.loads(plan.content)) == plan.content


@given(st.integers(-14, 14))
def test_one_instant_is_one_hash_in_every_time_zone(hours: int) -> None:
    zone = datetime.fromisoformat(f"2026-06-01T12:00:00{hours:+03d}:00").tzinfo
    target = Target("control", LocalControlSettings(name="control"), None)
    plan, elsewhere = (
        plan_of(FLAG, target, a_plan().before, (), proposer="x", now=now, valid=HOURS)
        for now in (NOW, NOW.astimezone(zone))
    )
    assert asdict(plan) == asdict(elsewhere)
    assert plan.plan_id == elsewhere.plan_id


@given(st.text("0123456789abcdef", min_size=64, max_size=64))
def test_a_short_hash_is_a_beginning_that_nobody_takes_for_a_number(plan_id: str) -> None:
    assert plan_id.startswith(short(plan_id))
    assert len(short(plan_id)) >= 8
    assert not short(plan_id).isdigit() or plan_id.isdigit()
