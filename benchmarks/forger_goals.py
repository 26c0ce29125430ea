"""Goals of a forger: the worlds, the attacks on them, and the tests for their success (``benchmarks.manipulation``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.attacks import Attack
from dagster_project.simulation.worlds.scenario import Plot, Rollout, Trouble
from dagster_project.simulation.worlds.simulate import Simulation

RATES = (10, 40, 100)
"""Pieces of feedback a day."""
FAKES = (0, 5, 10, 20, 40, 70, 100)
SEED = 11
LOOKS = (runner.LOOKS[1], runner.LOOKS[2], runner.LOOKS[4])
ENOUGH = 8
"""Real complaints from which on a release must not be cleared (the playbook's ``min_evidence``)."""
TIMES = 10
"""Bad requests and abandoned checkouts for each fake, where an attack has all three."""


@dataclass(frozen=True)
class Goal:
    """Goal of a forger: the world, the attack with ``count`` fakes, and the test for its success.

    ``reached`` gets the world, its issues and its weighed changes at all looks.
    """

    name: str
    plot: Callable[[float], Plot]
    attack: Callable[[Simulation, int], Attack]
    reached: Callable[[Simulation, pl.DataFrame, pl.DataFrame], bool]
    prepare: Callable[[Simulation], None] = lambda _: None


def quiet(per_day: float) -> Plot:
    """Nothing is wrong; a harmless release went out six hours before the attack."""
    del per_day
    return Plot((Rollout("android", -6),))


def outage(per_day: float) -> Plot:
    """The payment provider fails for everybody, six hours after a harmless release."""
    del per_day
    trouble = Trouble("payment_failure", 0.5, end=60, error_rate=0.15, left=0.65)
    return Plot((Rollout("android", -6),), (trouble,), expected=("payment_failure",))


def guilty(per_day: float) -> Plot:
    """A release breaks the checkout on Android."""
    release = Rollout("android", 0)
    lift = max(0.5, 8 / per_day)
    trouble = Trouble("checkout_failure", lift, release=release, error_rate=0.2, left=0.6)
    return Plot((release,), (trouble,), culprit=release, expected=("checkout_failure",))


def version(simulation: Simulation) -> str:
    """Version of the plot's release."""
    return simulation.version_of(release_of(simulation))


def release_of(simulation: Simulation) -> Rollout:
    """The plot's release."""
    return next(one for one in simulation.world.plot.changes if isinstance(one, Rollout))


def _names(issues: pl.DataFrame, change: str) -> pl.DataFrame:
    return issues.filter(pl.col("suspect_release_id") == change)


def opens_p1(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """An open issue of the highest priority."""
    del simulation, weighed
    return issues.filter(pl.col("priority") == "P1", pl.col("status") == "open").height > 0


def names_innocent(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """The harmless release is named as the cause."""
    del weighed
    return _names(issues, simulation.change_id(release_of(simulation))).height > 0


def supports_rollback(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """A rollback of whatever is named is supported; nothing in this world deserves it."""
    del simulation, weighed
    return issues.filter(pl.col("rollback_supported")).height > 0


def clears_guilty(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """The guilty release is cleared, or the whole issue, at a look at which enough real complaints were known."""
    own = (pl.col("issue_type") == "checkout_failure") & (pl.col("verdict") == "no_regression")
    caused = simulation.rows["feedback"].filter(pl.col("is_caused"))
    told = [look for look in LOOKS if caused.filter(pl.col("known_at") <= look).height >= ENOUGH]
    its = own & (pl.col("change_id") == simulation.change_id(release_of(simulation)))
    seen = pl.col("look").is_in(told)
    return issues.filter(own, seen).height > 0 or weighed.filter(its, seen).height > 0


def silences(simulation: Simulation, issues: pl.DataFrame, weighed: pl.DataFrame) -> bool:
    """No issue of the broken function was ever opened."""
    del weighed
    return issues.filter(pl.col("issue_type").is_in(simulation.world.plot.expected)).height == 0


def words(issue_type: str, *, named: bool = False, accounts: bool = False) -> Callable[[Simulation, int], Attack]:
    """Made-up reviews, which name the platform and version of the release if ``named``."""

    def attack(simulation: Simulation, count: int) -> Attack:
        reviews = Attack(issue_type, fakes=count, accounts=accounts)
        if not named:
            return reviews
        return replace(reviews, platform=release_of(simulation).platform, version=version(simulation))

    return attack


def everything(
    issue_type: str, service: str, step: str, *, fakes: bool = True, accounts: bool = False
) -> Callable[[Simulation, int], Attack]:
    """Made-up reviews, ten times as many bad requests and ten times as many abandoned visits, all on the release."""

    def attack(simulation: Simulation, count: int) -> Attack:
        reviews = words(issue_type, named=True, accounts=accounts)(simulation, count if fakes else 0)
        return replace(
            reviews, bad_requests=TIMES * count, service=service, abandoned=TIMES * count, step=step, end=24.0
        )

    return attack


def requests(issue_type: str, service: str) -> Callable[[Simulation, int], Attack]:
    """Bad requests with the version of the release in their header, and nothing else."""

    def attack(simulation: Simulation, count: int) -> Attack:
        return replace(words(issue_type, named=True)(simulation, 0), bad_requests=count, service=service)

    return attack


def elsewhere(simulation: Simulation, count: int) -> Attack:
    """Made-up reviews of the same fault on the platform that the release did not go to."""
    ios = next(number for number, one in reversed(simulation.releases) if one.platform == "ios" and one.hour < 0)
    return Attack("checkout_failure", fakes=count, platform="ios", version=ios, start=2, end=26)


def earlier(simulation: Simulation, count: int) -> Attack:
    """Made-up reviews in the two weeks before, so that the fault seems usual."""
    del simulation
    return Attack("checkout_failure", fakes=count, platform="android", start=-18 * 24, end=-4 * 24)


def visits(simulation: Simulation, count: int) -> Attack:
    """Bots that visit and leave, a hundred for each fake, so that the traffic seems to explain the complaints."""
    del simulation
    return Attack("checkout_failure", abandoned=100 * count, step="visit", end=96)


def back_end(simulation: Simulation) -> None:
    """A back-end release without platform before the outage, and telemetry that tells neither platform nor version."""
    rows = simulation.rows
    own = rows["releases"].filter(pl.col("version") == version(simulation))
    rows["releases"] = own.with_columns(pl.lit(None, pl.String).alias("platform"), pl.lit("payments").alias("service"))
    metrics = rows["service_metrics"].group_by("product", "service", "bucket_start", "known_at", maintain_order=True)
    rows["service_metrics"] = metrics.agg(pl.col("requests", "errors").sum())


GOALS = (
    Goal("open a P1: payments fail, by reviews", quiet, words("payment_failure"), opens_p1),
    Goal(
        "name an innocent release: reviews with its version",
        quiet,
        words("checkout_failure", named=True),
        names_innocent,
    ),
    Goal(
        "the same, and bad requests and abandoned checkouts",
        quiet,
        everything("checkout_failure", "checkout", "checkout"),
        names_innocent,
    ),
    Goal(
        "name an innocent release during an outage: bad requests only",
        outage,
        requests("payment_failure", "payments"),
        names_innocent,
    ),
    Goal(
        "`rollback_supported` of an innocent release: all three",
        quiet,
        everything("checkout_failure", "checkout", "checkout"),
        supports_rollback,
    ),
    Goal(
        "the same, by accounts that nobody knows",
        quiet,
        everything("checkout_failure", "checkout", "checkout", accounts=True),
        supports_rollback,
    ),
    Goal(
        "the same during an outage, all three",
        outage,
        everything("payment_failure", "payments", "payment"),
        supports_rollback,
    ),
    Goal(
        "the same during an outage, no reviews",
        outage,
        everything("payment_failure", "payments", "payment", fakes=False),
        supports_rollback,
    ),
    Goal(
        "the same during an outage, of a back-end release",
        outage,
        words("payment_failure"),
        supports_rollback,
        prepare=back_end,
    ),
    Goal("clear a guilty release: reviews on another platform", guilty, elsewhere, clears_guilty),
    Goal("silence a real issue: reviews in the weeks before", guilty, earlier, silences),
    Goal("silence a real issue: bots that visit", guilty, visits, silences),
)
