"""Worlds are reproducible and match their scenario."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dagster_project.simulation.worlds.baselines import RULES_OF_THUMB, alarms, blamed
from dagster_project.simulation.worlds.catalogue import build_worlds
from dagster_project.simulation.worlds.must_fire import MUST_FIRE, bad_release_on_one_platform
from dagster_project.simulation.worlds.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.simulation.worlds.scenario import Dice, Rollout, World
from dagster_project.simulation.worlds.simulate import Simulation


def world(seed: int = 5) -> World:
    plot = bad_release_on_one_platform(Dice(np.random.default_rng(seed)))
    return World("shop", "bad_release_on_one_platform", True, seed, 60.0, plot)


def test_the_same_seed_gives_the_same_worlds_and_another_seed_others() -> None:
    first, again, other = (Simulation(build_worlds(10, 14, seed)[4]) for seed in (1, 1, 2))
    assert len(first.rows) == 8
    for table, rows in first.rows.items():
        assert rows.equals(again.rows[table]), table
        assert table == "customers" or not rows.equals(other.rows[table]), table


def test_every_scenario_is_cast_in_turn() -> None:
    names = [world.scenario for world in build_worlds(len(MUST_FIRE), len(MUST_NOT_ROLL_BACK), 1)]
    assert names == [scenario.__name__ for scenario in (*MUST_FIRE, *MUST_NOT_ROLL_BACK)]
    assert len({world.product for world in build_worlds(40, 56, 1)}) == 96


@pytest.mark.parametrize("scenario", MUST_NOT_ROLL_BACK, ids=lambda one: one.__name__)
def test_what_must_not_be_rolled_back_has_a_tempting_release_and_no_culprit(scenario: object) -> None:
    for seed in range(5):
        plot = scenario(Dice(np.random.default_rng(seed)))  # type: ignore[operator]
        assert plot.culprit is None
        assert any(isinstance(change, Rollout) and -20 <= change.hour < 0 for change in plot.changes)


def test_a_bad_release_is_complained_of_on_its_version_and_seen_by_machines() -> None:
    simulation = Simulation(world())
    culprit = simulation.world.plot.culprit
    assert isinstance(culprit, Rollout)
    version, trouble = simulation.version_of(culprit), simulation.world.plot.troubles[0]
    caused = simulation.rows["feedback"].filter("is_caused")
    assert caused.height > 20
    assert set(caused["issue_type"]) == {trouble.issue_type}
    assert set(caused["app_version"].drop_nulls()) == {version}
    assert caused["occurred_at"].min() >= simulation.onset_at().replace(minute=0, second=0)  # type: ignore[operator]
    rates = (
        simulation.rows["service_metrics"]
        .group_by(pl.col("app_version") == version)
        .agg((pl.col("errors").sum() / pl.col("requests").sum()).alias("rate"))
    )
    on_it, elsewhere = (rates.filter(pl.col("app_version") == own)["rate"][0] for own in (True, False))
    assert on_it > 2 * elsewhere


def test_people_install_a_release_over_days_and_no_more_of_them_than_may_get_it() -> None:
    simulation = Simulation(next(one for one in build_worlds(10, 14, 1) if one.scenario == "partial_rollout"))
    release = simulation.world.plot.culprit
    assert isinstance(release, Rollout)
    versions, shares = simulation.adoption[release.platform]
    share = shares[:, versions.index(simulation.version_of(release))]
    before, day = share[simulation.hours < 0], share[(simulation.hours > 0) & (simulation.hours < 24)]
    assert not before.any()
    assert (np.diff(day) >= 0).all()
    # Crumbs of other versions are swept up, so a little more than its reach.
    assert 0.5 * release.reach < share.max() < 1.1 * release.reach


def test_a_backfill_is_known_in_one_night_and_happened_long_before() -> None:
    simulation = Simulation(next(one for one in build_worlds(10, 14, 1) if one.scenario == "data_backfill"))
    old = simulation.rows["feedback"].filter(pl.col("known_at") - pl.col("occurred_at") > pl.duration(days=4))
    assert old.height > simulation.rows["feedback"].height / 3
    assert (old["known_at"] >= simulation.onset_at()).all()
    assert (old["occurred_at"] < simulation.onset_at()).all()


def test_the_rivals_see_a_strong_failure_and_blame_what_went_out_last() -> None:
    simulation = Simulation(world())
    for rival in RULES_OF_THUMB[:2]:
        scores = rival.score(simulation)
        assert scores is not None
        raised = alarms(simulation, scores, 2.0)
        assert raised.first_after is not None and raised.first_after >= 0, rival.name
        known = {simulation.change_id(one) for _, one in simulation.releases}
        assert {blamed(simulation, hour) for hour in raised.hours} - {None} <= known
