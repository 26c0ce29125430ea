"""Baseline detectors: three rules of thumb that a team would write first, run on the same worlds.

Each gives a score per hour. A score at or above a threshold is an alarm; alarms within two days are one. An alarm
blames the latest release. ``sequential`` has more detectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import HOURS, START, Floats

CONTENT = ("praise", "other", "feature_request")
_QUIET_HOURS = 48
_BLAMED_HOURS = 72
_WEEK, _DAY = 168, 24


@dataclass(frozen=True)
class Detector:
    """A rival: name, score by hour (shape (hours,)), thresholds of its curve, and the customary one, if there is.

    Without a score for a world, it does not watch it.
    """

    name: str
    score: Callable[[Simulation], Floats | None]
    thresholds: tuple[float, ...]
    customary: float | None = None


def negative_count(simulation: Simulation) -> Floats:
    """Z-score: negative feedback of the last 24 hours against the same weekday of up to four weeks before."""
    daily = trailing(_negative(simulation), 24)
    weeks = np.stack([before(daily, 168 * week) for week in range(1, 5)])
    seen = np.isfinite(weeks)
    known = seen.sum(axis=0)
    mean = np.where(seen, weeks, 0).sum(axis=0) / np.maximum(known, 1)
    # So few weeks hardly determine the deviation: at least that of a Poisson count.
    spread = np.sqrt(np.where(seen, (weeks - mean) ** 2, 0).sum(axis=0) / np.maximum(known - 1, 1))
    score = (daily - mean) / np.maximum(spread, np.sqrt(np.maximum(mean, 1)))
    return np.where((known >= 2) & (daily >= 5), score, 0.0)


def error_rate(simulation: Simulation) -> Floats:
    """Error-rate ratio: last hour against the mean of the week before, worst service, from 20 errors on."""
    worst = np.zeros(HOURS)
    if "service_metrics" not in simulation.rows:
        return worst
    metrics = simulation.rows["service_metrics"].with_columns(hour=hour_of("known_at"))
    for _, rows in metrics.filter(pl.col("hour") < HOURS).group_by("service"):
        requests, errors = requests_and_errors(rows)
        usual = usual_rate(requests, errors)
        rate = errors / np.maximum(requests, 1)
        worst = np.maximum(worst, np.where((errors >= 20) & (usual > 0), rate / np.maximum(usual, 1e-9), 0.0))
    return worst


def requests_and_errors(rows: pl.DataFrame) -> tuple[Floats, Floats]:
    """Requests and errors by hour."""
    sums = rows.group_by("hour").agg(pl.col("requests", "errors").sum())
    requests, errors = np.zeros(HOURS), np.zeros(HOURS)
    requests[sums["hour"].to_numpy()], errors[sums["hour"].to_numpy()] = sums["requests"], sums["errors"]
    return requests, errors


def usual_rate(requests: Floats, errors: Floats) -> Floats:
    """Error rate of the week up to a day before each hour; zero where nothing is known."""
    seen, failed = (before(trailing(counts, _WEEK), _DAY) for counts in (requests, errors))
    usual: Floats = np.nan_to_num(failed / np.maximum(seen, 1))
    return usual


def before_and_after(simulation: Simulation) -> Floats:
    """Before and after: negative feedback of the day after each release against the day before, from ten pieces on."""
    negative, score = _negative(simulation), np.zeros(HOURS)
    for _, release in simulation.releases:
        hour = int(np.ceil(simulation.onset + release.hour))
        if 24 <= hour < HOURS - 24:
            after, before = negative[hour : hour + 24].sum(), negative[hour - 24 : hour].sum()
            score[hour + 24] = after / max(before, 1.0) if after >= 10 else 0.0
    return score


def grid(low: float, high: float) -> tuple[float, ...]:
    """Thresholds from one to another, equal factors apart; many, so that one of them has about a wanted rate."""
    return tuple(round(float(one), 2) for one in np.geomspace(low, high, 40))


RULES_OF_THUMB = (
    Detector("z-score of negative feedback", negative_count, grid(1.5, 20.0), 3.0),
    Detector("error-rate threshold", error_rate, grid(1.5, 15.0), 3.0),
    Detector("before and after each release", before_and_after, grid(1.2, 12.0), 1.5),
)


@dataclass(frozen=True)
class Alarms:
    """Alarms of one detector, in hours from the onset.

    ``first_after`` is the first hour after the onset with a score above the threshold, even if the alarm began before.
    """

    first_after: float | None
    hours: tuple[float, ...]


def alarms(simulation: Simulation, scores: Floats, threshold: float) -> Alarms:
    """Turn scores by hour into alarms."""
    high = np.flatnonzero(scores >= threshold)
    begins = np.diff(high, prepend=-HOURS) > _QUIET_HOURS
    since = high - simulation.onset
    after = since[since >= 0]
    return Alarms(float(after[0]) if len(after) else None, tuple(since[begins].tolist()))


def blamed(simulation: Simulation, hour: float) -> str | None:
    """Change that an alarm at this hour blames: the latest release of the three days before."""
    out = [
        (one.hour, simulation.change_id(one)) for _, one in simulation.releases if 0 <= hour - one.hour <= _BLAMED_HOURS
    ]
    return max(out)[1] if out else None


def _negative(simulation: Simulation) -> Floats:
    """Negative feedback by the hour at which it became known: by rating if there is one, else by topic."""
    feedback = simulation.rows["feedback"].with_columns(hour=hour_of("known_at"))
    rated, complains = pl.col("rating").is_not_null(), ~pl.col("issue_type").is_in(CONTENT)
    is_negative = pl.when(rated).then(pl.col("rating") <= 2).otherwise(complains)
    counted = feedback.filter(is_negative, pl.col("hour").is_between(0, HOURS - 1)).group_by("hour").len()
    counts = np.zeros(HOURS)
    counts[counted["hour"].to_numpy()] = counted["len"]
    return counts


def hour_of(column: str) -> pl.Expr:
    """First full hour of the timeline at or after an instant."""
    return ((pl.col(column) - START).dt.total_seconds() / 3600).ceil().cast(pl.Int64)


def trailing(values: Floats, hours: int) -> Floats:
    """Sum of the last ``hours`` hours."""
    total = np.cumsum(values)
    summed: Floats = total - np.concatenate([np.zeros(hours), total[:-hours]])
    return summed


def before(values: Floats, hours: int) -> Floats:
    """Lag by ``hours``; NaN before the start."""
    return np.concatenate([np.full(hours, np.nan), values[:-hours]])
