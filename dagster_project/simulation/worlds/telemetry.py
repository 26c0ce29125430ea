"""Rows of telemetry: service metrics, funnel metrics, orders."""

from __future__ import annotations

import numpy as np
import polars as pl

from dagster_project.simulation.shop.story import PLATFORMS
from dagster_project.simulation.shop.traffic import SERVICES, STEPS
from dagster_project.simulation.worlds.scenario import BREAKABLE, Trouble
from dagster_project.simulation.worlds.timeline import DAYS_BEFORE, HOURS, Floats, Ints, Timeline, instants

_VISITS_PER_FEEDBACK = 250
_NOISE, _NOISY_HOURS = 0.2, 8.0
"""Error rate that ``noisy_after_release`` adds, and how long."""
_FINE_FROM = (DAYS_BEFORE - 2) * 24
_BUCKETS = np.concatenate([np.arange(0, _FINE_FROM, 6), np.arange(_FINE_FROM, HOURS)])
"""First hour of each bucket: six-hour buckets, then hourly from two days before the day of the onset."""


def _bucket_rows(timeline: Timeline, names: dict[str, str], **hourly: Ints) -> pl.DataFrame:
    """Aggregate hourly counts to buckets; rows are known 4 minutes (``telemetry_late``: 12 hours) after their end."""
    first = _BUCKETS
    columns = {name: np.add.reduceat(values, first) for name, values in hourly.items()}
    last = np.append(first[1:], HOURS)
    delay = 12 * 3600 if timeline.world.plot.quirk == "telemetry_late" else 240
    frame = pl.DataFrame({"bucket_start": instants(first * 3_600_000_000), **columns})
    constants = {name: pl.lit(value) for name, value in {**names, "product": timeline.world.product}.items()}
    return frame.with_columns(known_at=instants((last * 3600 + delay) * 1_000_000), **constants)


def people_by_step(timeline: Timeline) -> dict[str, Floats]:
    """People entering each funnel step by hour, without troubles."""
    visits = timeline.world.per_day * _VISITS_PER_FEEDBACK / 24 * timeline.crowd
    people: dict[str, Floats] = {}
    for step, (fed_by, share, _) in STEPS.items():
        people[step] = people[fed_by] * STEPS[fed_by][2] * share if fed_by else visits
    return people


def service_metrics(timeline: Timeline) -> pl.DataFrame:
    """Rows of ``service_metrics`` by service, platform and version."""
    pieces, people = [], people_by_step(timeline)
    for service, (step, calls, error_rate, *_) in SERVICES.items():
        for platform, weight in PLATFORMS.items():
            versions, shares = timeline.adoption[platform]
            for number, version in enumerate(versions):
                expected = people[step] * weight * shares[:, number] * calls
                if not expected.any():
                    continue
                rate = np.full(HOURS, error_rate)
                for trouble in timeline.world.plot.troubles:
                    here = trouble.release is None or timeline.version_of(trouble.release) == version
                    if here and _breaks(trouble, trouble.counted_as or trouble.issue_type, step, platform):
                        rate = rate + (trouble.error_rate or 0.0) * timeline.strength(trouble)
                if service == timeline.world.plot.noisy_after_release:
                    since = timeline.hours - next(one.hour for own, one in timeline.releases if own == version)
                    rate = rate + _NOISE * ((since > 0) & (since < _NOISY_HOURS))
                requests = timeline.rng.poisson(expected)
                errors = timeline.rng.binomial(requests, np.minimum(rate, 1.0))
                names = {"service": service, "platform": platform, "app_version": version}
                pieces.append(_bucket_rows(timeline, names, requests=requests, errors=errors))
    return pl.concat(pieces).filter(pl.col("requests") > 0)


def _breaks(trouble: Trouble, issue_type: str, step: str, platform: str) -> bool:
    """True if a trouble, taken for this issue type, acts on this funnel step (and its service) on this platform."""
    service, release = BREAKABLE.get(issue_type), trouble.release
    return service is not None and SERVICES[service][0] == step and (release is None or release.platform == platform)


def funnel_metrics(timeline: Timeline) -> pl.DataFrame:
    """Rows of ``funnel_metrics`` by step and platform."""
    pieces, people = [], people_by_step(timeline)
    for step, (_, _, completes) in STEPS.items():
        for platform, weight in PLATFORMS.items():
            entered = timeline.rng.poisson(people[step] * weight)
            left = np.ones(HOURS)
            for trouble in timeline.world.plot.troubles:
                if _breaks(trouble, trouble.issue_type, step, platform):
                    left = left * (1 - (1 - trouble.left) * timeline.strength(trouble) * timeline.share(trouble))
            completed = timeline.rng.binomial(entered, completes * left)
            names = {"step": step, "platform": platform}
            pieces.append(_bucket_rows(timeline, names, entered=entered, completed=completed))
    return pl.concat(pieces).filter(pl.col("entered") > 0)


def orders(timeline: Timeline, funnel: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``orders``, one per completed order."""
    done = funnel.filter(pl.col("step") == "order").select("bucket_start", "known_at", "completed")
    rows = done.select(pl.exclude("completed").repeat_by("completed").list.explode())
    return rows.rename({"bucket_start": "ordered_at"}).with_columns(
        pl.concat_str(pl.lit(f"{timeline.world.product}-o"), pl.int_range(pl.len()).cast(pl.String)).alias("order_id"),
        pl.lit(timeline.world.product).alias("product"),
        pl.Series("amount", np.round(timeline.rng.lognormal(3.6, 0.6, rows.height), 2)),
    )
