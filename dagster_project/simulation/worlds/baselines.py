"""Baseline detectors: three rules of thumb that a team would write first, run on the same worlds.

Each gives a score per hour. A score at or above the threshold is an alarm; alarms within two days are one. An alarm
blames the latest release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import HOURS, START, Floats

_CONTENT = ("praise", "other", "feature_request")
_QUIET_HOURS = 48
_BLAMED_HOURS = 72


@dataclass(frozen=True)
class RuleOfThumb:
    """A baseline detector: name, score by hour (shape (hours,)), and its customary threshold."""

    name: str
    score: Callable[[Simulation], Floats]
    threshold: float
    thresholds: tuple[float, ...]
    """Thresholds of the trade-off curve."""


def negative_count(simulation: Simulation) -> Floats:
    """Z-score: negative feedback of the last 24 hours against the same weekday of up to four weeks before."""
    daily = _trailing(_negative(simulation), 24)
    weeks = np.stack([_before(daily, 168 * week) for week in range(1, 5)])
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
    metrics = simulation.rows["service_metrics"].with_columns(hour=_hour("known_at"))
    for _, rows in metrics.filter(pl.col("hour") < HOURS).group_by("service"):
        sums = rows.group_by("hour").agg(pl.col("requests", "errors").sum())
        requests, errors = np.zeros(HOURS), np.zeros(HOURS)
        requests[sums["hour"].to_numpy()], errors[sums["hour"].to_numpy()] = sums["requests"], sums["errors"]
        before = np.nan_to_num(
            _before(_trailing(errors, 168), 24) / np.maximum(_before(_trailing(requests, 168), 24), 1)
        )
        rate = errors / np.maximum(requests, 1)
        worst = np.maximum(worst, np.where((errors >= 20) & (before > 0), rate / np.maximum(before, 1e-9), 0.0))
    return worst


def before_and_after(simulation: Simulation) -> Floats:
    """Before and after: negative feedback of the day after each release against the day before, from ten pieces on."""
    negative, score = _negative(simulation), np.zeros(HOURS)
    for _, release in simulation.releases:
        hour = int(np.ceil(simulation.onset + release.hour))
        if 24 <= hour < HOURS - 24:
            after, before = negative[hour : hour + 24].sum(), negative[hour - 24 : hour].sum()
            score[hour + 24] = after / max(before, 1.0) if after >= 10 else 0.0
    return score


RULES_OF_THUMB = (
    RuleOfThumb("z-score of negative feedback", negative_count, 3.0, (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)),
    RuleOfThumb("error-rate threshold", error_rate, 3.0, (1.5, 2.0, 3.0, 5.0, 8.0, 15.0)),
    RuleOfThumb("before and after each release", before_and_after, 1.5, (1.2, 1.5, 2.0, 3.0, 5.0)),
)


@dataclass(frozen=True)
class Alarms:
    """Alarms of one detector: hours from the onset, and the change blamed by each (or None).

    ``first_after`` is the first hour after the onset with a score above the threshold, even if the alarm began before.
    """

    first_after: float | None
    hours: tuple[float, ...]
    blamed: tuple[str | None, ...]


def alarms(simulation: Simulation, scores: Floats, threshold: float) -> Alarms:
    """Turn scores by hour into alarms; each blames the latest release of the three days before."""
    raised: list[float] = []
    last = -np.inf
    for hour in np.flatnonzero(scores >= threshold).tolist():
        if hour - last > _QUIET_HOURS:
            raised.append(float(hour) - simulation.onset)
        last = hour
    high = np.flatnonzero(scores >= threshold) - simulation.onset
    first = float(high[high >= 0][0]) if (high >= 0).any() else None
    return Alarms(first, tuple(raised), tuple(_latest(simulation, hour) for hour in raised))


def _latest(simulation: Simulation, hour: float) -> str | None:
    out = [
        (one.hour, simulation.change_id(one)) for _, one in simulation.releases if 0 <= hour - one.hour <= _BLAMED_HOURS
    ]
    return max(out)[1] if out else None


def _negative(simulation: Simulation) -> Floats:
    """Negative feedback by the hour at which it became known: by rating if there is one, else by topic."""
    feedback = simulation.rows["feedback"].with_columns(hour=_hour("known_at"))
    rated, complains = pl.col("rating").is_not_null(), ~pl.col("issue_type").is_in(_CONTENT)
    is_negative = pl.when(rated).then(pl.col("rating") <= 2).otherwise(complains)
    counted = feedback.filter(is_negative, pl.col("hour").is_between(0, HOURS - 1)).group_by("hour").len()
    counts = np.zeros(HOURS)
    counts[counted["hour"].to_numpy()] = counted["len"]
    return counts


def _hour(column: str) -> pl.Expr:
    """First full hour of the timeline at or after an instant."""
    return ((pl.col(column) - START).dt.total_seconds() / 3600).ceil().cast(pl.Int64)


def _trailing(values: Floats, hours: int) -> Floats:
    total = np.cumsum(values)
    trailing: Floats = total - np.concatenate([np.zeros(hours), total[:-hours]])
    return trailing


def _before(values: Floats, hours: int) -> Floats:
    """Lag by ``hours``; NaN before the start."""
    return np.concatenate([np.full(hours, np.nan), values[:-hours]])
