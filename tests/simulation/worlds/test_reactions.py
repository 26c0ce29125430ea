"""Worlds react to acts: the same rows up to the act, and less of what it is against afterwards."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from dagster_project.simulation.worlds.catalogue import build_world
from dagster_project.simulation.worlds.reactions import Act, Kind, harm_of, is_right, react
from dagster_project.simulation.worlds.scenario import Flag, Rollout
from dagster_project.simulation.worlds.simulate import Simulation

AT = 8.0
HAPPENED = {"feedback": "occurred_at", "service_metrics": "bucket_start", "funnel_metrics": "bucket_start"}


def world(scenario: str, seed: int = 3) -> Simulation:
    return Simulation(replace(build_world(scenario, seed), per_day=100.0))


def against(simulation: Simulation, kind: Kind, hour: float = AT) -> Act:
    """The act of this kind against the culprit."""
    culprit = simulation.world.plot.culprit
    change = culprit.key if isinstance(culprit, Flag) else simulation.version_of(culprit) if culprit else ""
    return Act(kind, hour, change)


def complaints(simulation: Simulation, first: float, last: float) -> int:
    hour = (pl.col("occurred_at") - simulation.onset_at()).dt.total_seconds() / 3600
    return simulation.rows["feedback"].filter("is_caused", hour.is_between(first, last)).height


def error_rate(simulation: Simulation, first: float) -> float:
    """Highest error rate of any service in the ten hours from this one on."""
    hours = simulation.instant(first), simulation.instant(first + 10)
    rows = simulation.rows["service_metrics"].filter(pl.col("bucket_start").is_between(*hours))
    worst = rows.group_by("service").agg(pl.col("errors").sum() / pl.col("requests").sum())
    return float(worst["errors"].max())  # type: ignore[arg-type]


CASES: list[tuple[str, Kind]] = [
    ("bad_release_on_one_platform", "roll back"),
    ("bad_release_on_one_platform", "halt"),
    ("bad_flag", "flag off"),
    ("provider_fails_after_an_innocent_release", "fallback"),
]


@pytest.mark.parametrize(("scenario", "kind"), CASES)
def test_up_to_the_act_nothing_is_changed(scenario: str, kind: Kind) -> None:
    before = world(scenario)
    after = react(before, against(before, kind))
    for table, at in HAPPENED.items():
        known = pl.col(at) < before.instant(AT)
        assert after.rows[table].filter(known).equals(before.rows[table].filter(known)), table
    for table in ("releases", "flag_changes", "campaigns", "customers"):
        assert after.rows[table].equals(before.rows[table])


@pytest.mark.parametrize(("scenario", "kind"), CASES)
def test_complaints_afterwards_are_some_of_those_that_would_have_come(scenario: str, kind: Kind) -> None:
    before = world(scenario)
    after = react(before, against(before, kind))
    rows, theirs = after.rows["feedback"], before.rows["feedback"]
    assert set(rows["feedback_id"]) < set(theirs["feedback_id"])
    assert rows.filter(~pl.col("is_caused")).equals(theirs.filter(~pl.col("is_caused")))
    assert harm_of(after).complaints < harm_of(before).complaints
    assert harm_of(after).failed_requests < harm_of(before).failed_requests
    assert is_right(before, against(before, kind))


@pytest.mark.parametrize(("scenario", "kind"), [case for case in CASES if case[1] != "halt"])
def test_what_is_ended_is_over_within_hours(scenario: str, kind: Kind) -> None:
    before = world(scenario)
    after = react(before, against(before, kind))
    assert complaints(before, AT + 12, 200) > 5
    assert complaints(after, AT + 12, 200) <= 0.05 * complaints(before, AT + 12, 200)
    assert error_rate(after, AT + 12) < 0.015 < error_rate(before, AT + 12)


def test_a_halt_keeps_the_release_from_spreading_and_a_rollback_takes_it_away() -> None:
    before = world("bad_release_on_one_platform")
    release = before.world.plot.culprit
    assert isinstance(release, Rollout)

    def share(simulation: Simulation, hour: float) -> float:
        versions, shares = simulation.adoption[release.platform]
        return float(shares[int(simulation.onset + hour), versions.index(simulation.version_of(release))])

    halted, back = (react(before, against(before, kind, 6)) for kind in ("halt", "roll back"))  # type: ignore[arg-type]
    assert share(halted, 100) == pytest.approx(share(halted, 8), rel=0.05)
    assert share(before, 100) > 1.5 * share(halted, 100)
    assert share(back, 20) < 0.02
    assert harm_of(back).complaints < harm_of(halted).complaints < harm_of(before).complaints


@pytest.mark.parametrize("kind", ["flag off", "fallback", "halt", "roll back"])
def test_an_act_against_what_is_innocent_ends_nothing(kind: Kind) -> None:
    before = world("two_overlapping_incidents" if kind != "fallback" else "bad_flag")
    innocent = next(version for version, one in before.releases if one != before.world.plot.culprit)
    act = Act(kind, AT, innocent if kind in ("halt", "roll back") else "dark_mode")
    assert not is_right(before, act)
    assert harm_of(react(before, act)) == harm_of(before)


def test_acts_follow_each_other() -> None:
    before = world("bad_release_on_one_platform")
    halted = react(before, against(before, "halt", 6))
    back = react(halted, against(before, "roll back", 30))
    assert [act.tier for act in back.acts] == [2, 3]
    first = pl.col("occurred_at") < before.instant(30)
    assert back.rows["feedback"].filter(first).equals(halted.rows["feedback"].filter(first))
    assert harm_of(back).complaints < harm_of(halted).complaints
    ids = back.rows["orders"]["order_id"]
    assert ids.n_unique() == len(ids)


def test_a_world_without_machines_reacts_as_well() -> None:
    before = world("telemetry_missing")
    after = react(before, against(before, "roll back"))
    assert "service_metrics" not in after.rows
    assert harm_of(after).complaints < harm_of(before).complaints
