"""Worlds that tempt whoever weighs telemetry: each shows what its scenario says, and changes no other world."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from dagster_project.simulation.worlds import tempting
from dagster_project.simulation.worlds.catalogue import build_worlds
from dagster_project.simulation.worlds.must_fire import MUST_FIRE
from dagster_project.simulation.worlds.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.simulation.worlds.scenario import BREAKABLE, Dice, Plot, Rollout, World
from dagster_project.simulation.worlds.simulate import Simulation


def played(scenario: Callable[[Dice], Plot], seed: int = 4) -> Simulation:
    plot = scenario(Dice(np.random.default_rng(seed)))
    return Simulation(World("shop", scenario.__name__, bool(plot.expected), seed, plot.per_day or 40.0, plot))


def error_rate(simulation: Simulation, where: pl.Expr) -> float:
    rows = simulation.rows["service_metrics"].filter(where)
    return float(rows.select(pl.col("errors").sum() / pl.col("requests").sum()).item())


def test_they_come_last_and_change_no_other_world() -> None:
    without, beside = build_worlds(10, 14, 3), build_worlds(10, 14, 3, tempting=9)
    assert beside[:24] == without
    assert [one.scenario for one in beside[24:32]] == [one.__name__ for one in tempting.TEMPTING]
    assert not {*tempting.TEMPTING} & {*MUST_FIRE, *MUST_NOT_ROLL_BACK}


@pytest.mark.parametrize("scenario", tempting.TEMPTING, ids=lambda one: one.__name__)
def test_each_has_an_innocent_release_or_a_guilty_one(scenario: Callable[[Dice], Plot]) -> None:
    for seed in range(5):
        plot = scenario(Dice(np.random.default_rng(seed)))
        assert bool(plot.culprit) == bool(plot.expected)
        assert any(isinstance(change, Rollout) and -20 <= change.hour <= 0 for change in plot.changes)


def test_error_bursts_are_seen_by_machines_and_by_nobody_else() -> None:
    simulation = played(tempting.error_bursts_without_customers)
    assert not simulation.rows["feedback"]["is_caused"].any()
    service = BREAKABLE[simulation.world.plot.troubles[0].issue_type]
    worst = simulation.rows["service_metrics"].filter(pl.col("service") == service, pl.col("requests") > 100)
    assert worst.select((pl.col("errors") / pl.col("requests")).max()).item() > 0.05


def test_a_noisy_service_errs_on_every_new_version_and_on_no_old_one() -> None:
    simulation = played(tempting.noisy_service_after_every_release)
    service = pl.col("service") == simulation.world.plot.noisy_after_release
    noisy = 0
    for version, release in simulation.releases:
        first = simulation.instant(release.hour)
        age = (pl.col("bucket_start") - first).dt.total_hours()
        noisy += error_rate(simulation, service & (pl.col("app_version") == version) & age.is_between(0, 6)) > 0.1
    assert noisy >= 3
    assert error_rate(simulation, service) < 0.05


def test_bots_say_the_same_and_the_service_errs_beside_them() -> None:
    simulation = played(tempting.bot_storm_beside_an_error_spike)
    caused = simulation.rows["feedback"].filter("is_caused")
    assert caused["duplicate_of"].is_not_null().mean() > 0.6  # type: ignore[operator]
    assert caused["customer_id"].is_null().all()
    service = pl.col("service") == BREAKABLE[simulation.world.plot.troubles[0].issue_type]
    spike = simulation.world.plot.troubles[1]
    during = pl.col("bucket_start").is_between(simulation.instant(spike.start), simulation.instant(spike.end or 0.0))
    assert error_rate(simulation, service & during) > 3 * error_rate(simulation, service & ~during)


def test_a_price_keeps_buyers_away_without_an_error() -> None:
    simulation = played(tempting.price_rise_that_keeps_buyers_away)
    funnel = simulation.rows["funnel_metrics"].filter(pl.col("step") == "checkout")
    rates = (
        funnel.group_by(pl.col("bucket_start") > simulation.onset_at())
        .agg((pl.col("completed").sum() / pl.col("entered").sum()).alias("rate"))
        .sort("bucket_start")["rate"]
    )
    assert rates[1] < 0.9 * rates[0]
    checkout, after = pl.col("service") == "checkout", pl.col("bucket_start") > simulation.onset_at()
    assert error_rate(simulation, checkout & after) < 1.3 * error_rate(simulation, checkout & ~after)
    assert set(simulation.rows["feedback"].filter("is_caused")["issue_type"]) == {"pricing_expectation"}


@pytest.mark.parametrize(
    "scenario", [tempting.version_that_everybody_moves_to, tempting.outage_once_everybody_has_moved]
)
def test_everybody_is_on_a_forced_update_within_hours(scenario: Callable[[Dice], Plot]) -> None:
    simulation = played(scenario)
    release = simulation.world.plot.changes[0]
    assert isinstance(release, Rollout)
    versions, shares = simulation.adoption[release.platform]
    share = shares[:, versions.index(simulation.version_of(release))]
    assert share[simulation.hours < release.hour].max() == 0
    assert share[simulation.hours > 0].min() == 1


def test_errors_are_counted_under_another_service() -> None:
    simulation = played(tempting.telemetry_of_the_wrong_service)
    (trouble,) = simulation.world.plot.troubles
    assert trouble.release is not None
    on_it = pl.col("app_version") == simulation.version_of(trouble.release)
    own, other = (pl.col("service") == BREAKABLE[one] for one in (trouble.issue_type, trouble.counted_as))
    assert error_rate(simulation, other & on_it) > 3 * error_rate(simulation, other & ~on_it)
    assert error_rate(simulation, own & on_it) < 2 * error_rate(simulation, own & ~on_it)


def test_one_customer_is_heard_on_five_channels() -> None:
    caused = played(tempting.one_angry_customer_on_five_channels).rows["feedback"].filter("is_caused")
    assert caused.height >= 5
    assert caused["channel"].n_unique() == 5
    assert caused["customer_id"].drop_nulls().n_unique() == 1
    assert caused["app_version"].drop_nulls().n_unique() == 1
