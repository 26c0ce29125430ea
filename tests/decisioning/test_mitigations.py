"""What may be done, decided by the real dbt over a lake of complaints and telemetry: from the alarm to the effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.explain import explain
from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from tests.decisioning.lake_builder import LakeBuilder, hours

START = datetime(2026, 3, 1, tzinfo=UTC)
BROKEN = START + timedelta(days=35)
ACT = BROKEN + timedelta(hours=8)
LATER = ACT + timedelta(hours=3)


def outage(home: Home, *, telemetry: bool = True, until: datetime = LATER) -> LakeBuilder:
    """Five quiet weeks, then the payment provider fails from BROKEN to ACT; no release is near."""
    builder = LakeBuilder(home)
    for at in hours(START, until, 1.0):
        builder.complain("praise", at, platform="web", country="DE", customer_id=f"calm{at:%d%H}")
    for at in hours(START, BROKEN, 24.0):
        builder.complain("payment_failure", at, platform="web", country="DE", customer_id=f"one{at:%m%d}")
    for number, at in enumerate(hours(BROKEN, ACT, 0.1)):
        builder.complain("payment_failure", at, platform="web", country="DE", customer_id=f"hurt{number}")
    for at in hours(START, until, 1.0) if telemetry else ():
        failing = BROKEN <= at < ACT
        builder.add(
            "service_metrics",
            product="app",
            service="payments",
            bucket_start=at,
            requests=1000,
            errors=400 if failing else 10,
            known_at=at + timedelta(hours=1),
            content_hash="1",
        )
    return builder


def acted(builder: LakeBuilder, issue_id: str) -> None:
    """The plan that people approved, put in force at ACT."""
    for number, (event, state) in enumerate(
        (("proposed", "proposed"), ("approved", "approved"), ("applied", "in_force"))
    ):
        builder.add(
            "plan_events",
            event_id=f"e{number}",
            plan_id="p1",
            issue_id=issue_id,
            mitigation="payment-fallback",
            tier=1,
            target="control",
            item="flags/payment-fallback",
            mode="approve",
            event=event,
            state=state,
            occurred_at=ACT,
            known_at=ACT,
        )


def mitigation(home: Home) -> dict[str, Any]:
    rows = read_mart(home, "fct_mitigations", where={"mitigation": "payment-fallback"}).to_dicts()
    assert len(rows) == 1
    return rows[0]


@pytest.fixture
def here(tmp_path: Path) -> Callable[[str], Home]:
    return lambda name: Home(tmp_path / name).marked("replay")


def test_complaints_and_errors_together_propose_an_act_and_its_effect_is_seen(
    here: Callable[[str], Home],
) -> None:
    home = here("home")
    builder = outage(home)
    builder.write()
    decide(home, as_of=ACT)
    found = mitigation(home)
    assert (found["decision"], found["withheld_by"], found["plan_state"]) == ("proposed", None, None)
    (planned,) = map(json.loads, (home.outbound / "out_mitigations.jsonl").read_text(encoding="utf-8").splitlines())
    assert (planned["item"], planned["desired"], planned["mode"]) == (
        "flags/payment-fallback",
        '{"enabled":true}',
        "shadow",
    )
    assert planned["signals"] >= 2 and planned["priority"] == "P1" and planned["suspect_kind"] == "none"
    acted(builder, found["issue_id"])
    builder.write()
    decide(home, as_of=LATER)  # incremental: the act becomes known with it
    after = mitigation(home)
    assert (after["plan_state"], after["effect"], after["effect_metric"]) == ("in_force", "effective", "errors")
    assert after["unchanged_after"] > 20 * after["count_after"] > 0
    assert (after["decision"], after["withheld_by"]) == ("withheld", "not_tried_in_this_episode")
    assert (home.outbound / "out_mitigations.jsonl").read_text(encoding="utf-8") == ""
    page = explain(home, found["issue_id"]).as_text()
    assert "What may be done\n  tier 1  payment-fallback (withheld, shadow, plan in_force)" in page
    assert "effect: effective (errors)" in page
    assert "not met: not_tried_in_this_episode: 1, needs 0" in page
    whole = here("whole")
    complete = outage(whole)
    acted(complete, found["issue_id"])
    complete.write()
    decide(whole, as_of=LATER)
    assert mitigation(whole) == after


def test_text_alone_proposes_nothing_however_much_of_it_there_is(here: Callable[[str], Home]) -> None:
    home = here("home")
    outage(home, telemetry=False, until=ACT).write()
    decide(home, as_of=ACT)
    found = mitigation(home)
    assert (found["decision"], found["withheld_by"]) == ("withheld", "signals")
    rules = read_mart(home, "fct_mitigation_rules", where={"mitigation": "payment-fallback", "met": False})
    assert set(rules["rule"]) == {"signals", "not_text_alone"}
    assert (home.outbound / "out_mitigations.jsonl").read_text(encoding="utf-8") == ""


def test_a_lake_whose_releases_landed_before_they_had_a_floor_still_builds(here: Callable[[str], Home]) -> None:
    home = here("home")
    lake.ensure_tables(home)
    new = ("rollback_floor", "schema_revision")
    schema = {name: kind for name, kind in schema_of("releases").items() if name not in new}
    row = {"release_id": "r1", "product": "app", "version": "1.0", "environment": "production", "deployed_at": START}
    landed = {**row, "known_at": START, "attributes": "{}", "loaded_from": "old", "content_hash": "1"}
    lake.append(home, "releases", pl.DataFrame([landed], schema=schema))
    decide(home, as_of=ACT)
    assert read_mart(home, "out_mitigations").height == 0
