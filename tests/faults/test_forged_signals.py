"""Forged signals, from rows to decisions: fakes, bad requests, abandoned checkouts, innocent and guilty releases.

The worlds and attacks are those of ``benchmarks/forger_goals.py``; ``benchmarks/manipulation.py`` counts the fakes that
each goal takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from benchmarks.forger_goals import GOALS, LOOKS, version
from benchmarks.manipulation import Try, decided
from dagster_project.simulation.worlds.attacks import Attack, forge
from dagster_project.simulation.worlds.simulate import Simulation

# dbt leaves its log file open until the next run in the same process opens another.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)

BY_NAME = {goal.name: place for place, goal in enumerate(GOALS)}
NAMED = BY_NAME["name an innocent release: reviews with its version"]
QUIET = BY_NAME["`rollback_supported` of an innocent release: all three"]
OUTAGE = BY_NAME["the same during an outage, all three"]
BACK_END = BY_NAME["the same during an outage, of a back-end release"]
ELSEWHERE = BY_NAME["clear a guilty release: reviews on another platform"]
RATE, MANY = 40, 100
TRIES = (
    *(Try(goal, RATE, fakes) for goal in (NAMED, QUIET, OUTAGE, ELSEWHERE) for fakes in (0, 10, MANY)),
    Try(BACK_END, RATE, 0),
)
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Decided:
    """All worlds with their issues and weighed changes at the last look."""

    worlds: dict[str, Simulation]
    issues: pl.DataFrame
    weighed: pl.DataFrame

    def reached(self, goal: int, fakes: int) -> bool:
        """True if the forger has what he wants."""
        product = Try(goal, RATE, fakes).product
        own = pl.col("product") == product
        return GOALS[goal].reached(self.worlds[product], self.issues.filter(own), self.weighed.filter(own))

    def supported(self, product: str) -> bool:
        """True if undoing a release is supported in a world."""
        return self.issues.filter(pl.col("product") == product, pl.col("rollback_supported")).height > 0


def drawn(seed: int, *, forged: bool) -> Simulation:
    """An outage after an innocent release, with or without a random attack by strangers, drawn by the seed."""
    rng = np.random.default_rng(seed)
    one = Try(OUTAGE, RATE, 0).simulation().world
    simulation = Simulation(replace(one, product=f"drawn-{seed}-{forged}", seed=seed))
    fakes, errors, bots = (int(rng.integers(0, most)) for most in (100, 1000, 1000))
    release = simulation.releases[-1]
    named = bool(rng.integers(0, 2))
    if forged:
        place = (release[1].platform, release[0]) if named else (None, None)
        words = Attack("payment_failure", fakes=fakes, platform=place[0], version=place[1], accounts=named)
        forge(simulation, replace(words, bad_requests=errors, service="payments", abandoned=bots, step="payment"))
    return simulation


def elsewhere() -> Simulation:
    """Customers on record name an innocent release of a small shop; visitors complete the step elsewhere."""
    one = Try(QUIET, 10, 0).simulation().world
    simulation = Simulation(replace(one, product="elsewhere"))
    words = Attack("checkout_failure", fakes=MANY, platform="android", channel="support_ticket", accounts=True, end=24)
    named = replace(words, version=version(simulation), bad_requests=MANY, service="checkout")
    forge(simulation, replace(named, completed=2 * MANY, abandoned=MANY, step="checkout"))
    feedback = simulation.rows["feedback"]
    on_record = pl.col("customer_id").str.replace("-stranger", "-c", literal=True)
    simulation.rows["feedback"] = feedback.with_columns(on_record)
    return simulation


@pytest.fixture(scope="module")
def outcome() -> Iterator[Decided]:
    worlds = {one.product: one.simulation() for one in TRIES}
    for seed in SEEDS:
        for forged in (False, True):
            simulation = drawn(seed, forged=forged)
            worlds[simulation.world.product] = simulation
    worlds["elsewhere"] = elsewhere()
    issues, weighed = decided(list(worlds.values()), LOOKS[-1:])
    yield Decided(worlds, issues, weighed)


def test_ten_fakes_with_its_version_do_not_name_an_innocent_release(outcome: Decided) -> None:
    assert not outcome.reached(NAMED, 10)


@pytest.mark.parametrize("fakes", [0, 10, MANY])
@pytest.mark.parametrize("goal", [QUIET, OUTAGE])
def test_fakes_bad_requests_and_abandoned_checkouts_do_not_support_undoing_an_innocent_release(
    outcome: Decided, goal: int, fakes: int
) -> None:
    assert not outcome.reached(goal, fakes)


def test_completions_on_other_platforms_do_not_support_undoing_an_innocent_release(outcome: Decided) -> None:
    weighed = outcome.weighed.filter(pl.col("product") == "elsewhere", pl.col("verdict") == "regression")
    assert weighed.height == 1  # customers on record may name a release ...
    assert not outcome.supported("elsewhere")  # ... but nothing is missing against the days before


def test_a_back_end_release_before_an_outage_of_a_provider_is_not_undone(outcome: Decided) -> None:
    assert not outcome.reached(BACK_END, 0)


@pytest.mark.parametrize("fakes", [10, MANY])
def test_fakes_on_another_platform_as_many_as_there_are_real_complaints_do_not_clear_a_guilty_release(
    outcome: Decided, fakes: int
) -> None:
    product = Try(ELSEWHERE, RATE, 0).product
    assert outcome.worlds[product].rows["feedback"]["is_caused"].sum() <= MANY
    assert not outcome.reached(ELSEWHERE, 0)
    assert not outcome.reached(ELSEWHERE, fakes)


def test_undoing_a_guilty_release_is_supported(outcome: Decided) -> None:
    assert outcome.supported(Try(ELSEWHERE, RATE, 0).product)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_strangers_add_undoing_an_innocent_release_stays_unsupported(outcome: Decided, seed: int) -> None:
    assert not outcome.supported(f"drawn-{seed}-False")
    assert not outcome.supported(f"drawn-{seed}-True")
