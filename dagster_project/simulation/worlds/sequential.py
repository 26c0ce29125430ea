"""Sequential tests on the same worlds: Poisson CUSUM and GLR on complaints, an error-rate alarm, an ideal observer.

They are given more than they would have: the true relative traffic of every hour, no copies and no late arrivals among
the complaints, and the ideal observer the rates themselves. Each gives a score per hour, as in ``baselines``.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from dagster_project.simulation.worlds.baselines import (
    CONTENT,
    Detector,
    grid,
    hour_of,
    requests_and_errors,
    usual_rate,
)
from dagster_project.simulation.worlds.feedback import TYPES
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import HOURS, Floats

WATCHED = tuple(one for one in TYPES if one not in CONTENT)
_FIRST, _LAST = 28 * 24, 4 * 24
"""The usual rate is that of the days 28 to 4 back, from a week of them on; see ``int_baseline``."""
_LATE = timedelta(days=3)
_LAG = np.concatenate([[0.0], np.diff(-np.exp(-np.arange(37) / 2.0))])
"""Share of the complaints of an hour that are known at its beginning, at its end, an hour later ..."""
_RATIO = 2.0
"""Rise that the CUSUM is designed for."""
_LONGEST = 72
"""Hours of the longest window of the GLR."""
_WEEK = 168


def cusum(simulation: Simulation) -> Floats:
    """Poisson CUSUM of each issue type, the worst of them."""
    return cusum_of(*_watched(simulation))


def cusum_of(counts: Floats, expected: Floats) -> Floats:
    """Poisson CUSUM (Lucas 1985) designed for a doubling, the worst column, from arrays of shape (hours, types)."""
    steps = counts * np.log(_RATIO) - expected * (_RATIO - 1)
    total = np.zeros(counts.shape[1])
    worst = np.zeros(len(counts))
    for hour, step in enumerate(steps):
        total = np.maximum(total + step, 0.0)
        worst[hour] = total.max()
    return worst


def glr(simulation: Simulation) -> Floats:
    """Generalized likelihood ratio of each issue type, the worst of them."""
    return glr_of(*_watched(simulation))


def glr_of(counts: Floats, expected: Floats) -> Floats:
    """Window-limited generalized likelihood ratio (Lai 1995): any rise in the last 1 to 72 hours, the worst column."""
    worst = np.zeros(len(counts))
    seen, usual = np.cumsum(counts, axis=0), np.cumsum(expected, axis=0)
    for hours in range(1, min(_LONGEST, len(counts)) + 1):
        inside, explained = (total - _lagged(total, hours) for total in (seen, usual))
        ratio = np.log(np.maximum(inside, 1) / np.maximum(explained, 1e-9))
        rise = np.where(inside > explained, inside * ratio - (inside - explained), 0.0)
        worst = np.maximum(worst, rise.max(axis=1))
    return worst


def error_alarm(simulation: Simulation) -> Floats:
    """Signed root of the Poisson deviance of the last bucket's errors, the worst service, platform and version.

    Expected is the error rate of that service and platform in the week up to a day before.
    """
    worst = np.zeros(HOURS)
    if "service_metrics" not in simulation.rows:
        return worst
    metrics = simulation.rows["service_metrics"].with_columns(hour=hour_of("known_at")).filter(pl.col("hour") < HOURS)
    for _, rows in metrics.group_by("service", "platform"):
        usual = usual_rate(*requests_and_errors(rows))
        hour, errors = rows["hour"].to_numpy(), rows["errors"].to_numpy().astype(np.float64)
        expected = usual[hour] * rows["requests"].to_numpy()
        high = (errors > expected) & (expected > 0)
        safe = np.where(high, expected, 1.0)
        ratio = np.log(np.where(high, errors, 1.0) / safe)
        deviance = np.where(high, 2 * (errors * ratio - (errors - safe)), 0.0)
        np.maximum.at(worst, hour, np.sqrt(np.maximum(deviance, 0.0)))
    return worst


def ideal(simulation: Simulation) -> Floats | None:
    """Ideal observer of the complaint counts: it knows the rates, and how the failure acts from its onset on.

    Not the onset: the score is the largest log likelihood ratio over all onsets that there may have been. It watches
    the one type that will fail, and no world in which nothing must be found.
    """
    if not simulation.world.plot.expected:
        return None
    score = np.zeros(HOURS)
    counts, base = _counts(simulation, simulation.world.plot.expected).sum(axis=1), _true_rate(simulation)
    traffic = _traffic(simulation)
    rise = 1 + _failure(simulation) / base
    total = np.zeros(HOURS)
    for age, times in enumerate(rise):  # total[s]: log likelihood ratio of an onset at s, `age` hours later
        last = HOURS - age
        total[:last] += counts[age:] * np.log(times) - base * traffic[age:] * (times - 1)
        score[age:] = np.maximum(score[age:], total[:last])
    return score


def _true_rate(simulation: Simulation) -> float:
    """Complaints of the expected type an hour at mean traffic, without the failure."""
    usual = _counted(simulation).filter(
        ~pl.col("is_caused"), pl.col("issue_type").is_in(simulation.world.plot.expected)
    )
    return max(usual.height, 0.5) / float(_traffic(simulation).sum())


def _failure(simulation: Simulation) -> Floats:
    """Complaints an hour that the failure causes, by hours since the onset, at mean traffic, as they become known."""
    first = int(simulation.onset)
    caused = np.zeros(HOURS)
    for trouble in simulation.world.plot.troubles:
        if trouble.issue_type in simulation.world.plot.expected:
            caused += trouble.lift * simulation.strength(trouble) * simulation.share(trouble)
    known: Floats = simulation.world.per_day / 24 * np.convolve(caused, _LAG)[first:HOURS]
    return known


def _watched(simulation: Simulation) -> tuple[Floats, Floats]:
    """Complaints by hour and type, and how many are expected; both zero until there is a week of usual days."""
    counts, traffic = _counts(simulation, WATCHED), _traffic(simulation)
    seen, passed = np.cumsum(counts, axis=0), np.cumsum(traffic)
    usual = _lagged(seen, _LAST) - _lagged(seen, _FIRST)
    over = _lagged(passed, _LAST) - _lagged(passed, _FIRST)
    enough = np.arange(HOURS) >= _LAST + _WEEK
    rate = (usual + 0.5) / np.maximum(over, 1.0)[:, None]
    return counts * enough[:, None], rate * (traffic * enough)[:, None]


def _counts(simulation: Simulation, types: tuple[str, ...]) -> Floats:
    """Complaints by the hour at which they became known, shape (hours, types)."""
    counts = np.zeros((HOURS, len(types)))
    for column, issue_type in enumerate(types):
        hours = _counted(simulation).filter(pl.col("issue_type") == issue_type)["hour"].to_numpy()
        np.add.at(counts[:, column], hours, 1)
    return counts


def _counted(simulation: Simulation) -> pl.DataFrame:
    """Feedback that counts: no copies, and nothing that arrived days late."""
    late = pl.col("known_at") - pl.col("occurred_at") > _LATE
    rows = simulation.rows["feedback"].filter(pl.col("duplicate_of").is_null(), ~late)
    return rows.with_columns(hour=hour_of("known_at")).filter(pl.col("hour").is_between(0, HOURS - 1))


def _traffic(simulation: Simulation) -> Floats:
    """Relative traffic, as late as its complaints become known."""
    known: Floats = np.convolve(simulation.crowd, _LAG)[:HOURS]
    return known


def _lagged(totals: Floats, hours: int) -> Floats:
    """Running totals so many hours ago, zero before the start."""
    return np.concatenate([np.zeros((hours, *totals.shape[1:])), totals[:-hours]])


SEQUENTIAL = (
    Detector("Poisson CUSUM of complaints", cusum, grid(5.0, 40.0)),
    Detector("GLR of complaints", glr, grid(6.0, 40.0)),
    Detector("error-rate alarm", error_alarm, grid(3.0, 20.0)),
    Detector("ideal observer of complaints", ideal, grid(2.0, 20.0)),
)
