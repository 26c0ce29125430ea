"""The worlds themselves: reproducible, and what their scenario says they are."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dagster_project.simulation.worlds.baselines import RIVALS, alarms
from dagster_project.simulation.worlds.catalogue import cast
from dagster_project.simulation.worlds.must_fire import MUST_FIRE, bad_release_on_one_platform
from dagster_project.simulation.worlds.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.simulation.worlds.scenario import Dice, Release, World
from dagster_project.simulation.worlds.simulate import Drawing


def world(seed: int = 5) -> World:
    plot = bad_release_on_one_platform(Dice(np.random.default_rng(seed)))
    return World("shop", "bad_release_on_one_platform", True, seed, 60.0, plot)


def test_the_same_seed_gives_the_same_worlds_and_another_seed_others() -> None:
    first, again, other = (Drawing(cast(10, 14, seed)[4]) for seed in (1, 1, 2))
    assert len(first.rows) == 7
    for table, rows in first.rows.items():
        assert rows.equals(again.rows[table]), table
        assert not rows.equals(other.rows[table]), table


def test_every_scenario_is_cast_in_turn() -> None:
    names = [world.scenario for world in cast(len(MUST_FIRE), len(MUST_NOT_ROLL_BACK), 1)]
    assert names == [scenario.__name__ for scenario in (*MUST_FIRE, *MUST_NOT_ROLL_BACK)]
    assert len({world.product for world in cast(40, 56, 1)}) == 96


@pytest.mark.parametrize("scenario", MUST_NOT_ROLL_BACK, ids=lambda one: one.__name__)
def test_what_must_not_be_rolled_back_has_a_tempting_release_and_no_culprit(scenario: object) -> None:
    for seed in range(5):
        plot = scenario(Dice(np.random.default_rng(seed)))  # type: ignore[operator]
        assert plot.culprit is None
        assert any(isinstance(change, Release) and -20 <= change.hour < 0 for change in plot.changes)


def test_a_bad_release_is_complained_of_on_its_version_and_seen_by_machines() -> None:
    drawing = Drawing(world())
    culprit = drawing.world.plot.culprit
    assert isinstance(culprit, Release)
    version, trouble = drawing.version_of(culprit), drawing.world.plot.troubles[0]
    caused = drawing.rows["feedback"].filter("is_caused")
    assert caused.height > 20
    assert set(caused["issue_type"]) == {trouble.issue_type}
    assert set(caused["app_version"].drop_nulls()) == {version}
    assert caused["occurred_at"].min() >= drawing.onset_at().replace(minute=0, second=0)  # type: ignore[operator]
    rates = (
        drawing.rows["service_metrics"]
        .group_by(pl.col("app_version") == version)
        .agg((pl.col("errors").sum() / pl.col("requests").sum()).alias("rate"))
    )
    on_it, elsewhere = (rates.filter(pl.col("app_version") == own)["rate"][0] for own in (True, False))
    assert on_it > 2 * elsewhere


def test_people_install_a_release_over_days_and_no_more_of_them_than_may_get_it() -> None:
    drawing = Drawing(next(one for one in cast(10, 14, 1) if one.scenario == "partial_rollout"))
    release = drawing.world.plot.culprit
    assert isinstance(release, Release)
    versions, shares = drawing.adoption[release.platform]
    share = shares[:, versions.index(drawing.version_of(release))]
    before, day = share[drawing.hours < 0], share[(drawing.hours > 0) & (drawing.hours < 24)]
    assert not before.any()
    assert (np.diff(day) >= 0).all()
    # Crumbs of other versions are swept up, so a little more than its reach.
    assert 0.5 * release.reach < share.max() < 1.1 * release.reach


def test_a_backfill_is_known_in_one_night_and_happened_long_before() -> None:
    drawing = Drawing(next(one for one in cast(10, 14, 1) if one.scenario == "data_backfill"))
    old = drawing.rows["feedback"].filter(pl.col("known_at") - pl.col("occurred_at") > pl.duration(days=4))
    assert old.height > drawing.rows["feedback"].height / 3
    assert (old["known_at"] >= drawing.onset_at()).all()
    assert (old["occurred_at"] < drawing.onset_at()).all()


def test_the_rivals_see_a_strong_failure_and_blame_what_went_out_last() -> None:
    drawing = Drawing(world())
    for rival in RIVALS[:2]:
        raised = alarms(drawing, rival.score(drawing), 2.0)
        assert raised.first_after is not None and raised.first_after >= 0, rival.name
        known = {drawing.change_id(one) for _, one in drawing.releases}
        assert {blamed for blamed in raised.blamed if blamed} <= known
