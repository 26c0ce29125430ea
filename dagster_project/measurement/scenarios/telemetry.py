"""What machines record of a world: services, the funnel, orders."""

from __future__ import annotations

import numpy as np
import polars as pl

from dagster_project.measurement.scenarios.course import DAYS_BEFORE, HOURS, Course, Floats, Ints, instants
from dagster_project.measurement.scenarios.worlds import BREAKABLE, PLATFORMS, Trouble

_BASE_ERRORS = {"checkout": 0.004, "payments": 0.008, "search": 0.002, "identity": 0.006, "app-client": 0.003}
_CALLS = {"checkout": 0.4, "payments": 0.25, "search": 1.6, "identity": 0.5, "app-client": 1.0}
# step: share of visits that enters, share of those that completes
_FUNNEL = {
    "visit": (1.0, 0.97),
    "login": (0.34, 0.95),
    "search": (0.55, 0.86),
    "checkout": (0.07, 0.78),
    "payment": (0.055, 0.93),
    "order": (0.05, 0.995),
}
_VISITS_PER_FEEDBACK = 120
_FINE_FROM = (DAYS_BEFORE - 2) * 24
_BUCKETS = np.concatenate([np.arange(0, _FINE_FROM, 6), np.arange(_FINE_FROM, HOURS)])
"""The first hour of each bucket: six hours long at first, hourly from two days before the onset's day on."""


def _bucket_rows(course: Course, names: dict[str, str], **hourly: Ints) -> pl.DataFrame:
    """Hourly counts, one row per bucket of telemetry, known minutes or half a day after the bucket's end."""
    first = _BUCKETS
    columns = {name: np.add.reduceat(values, first) for name, values in hourly.items()}
    last = np.append(first[1:], HOURS)
    delay = 12 * 3600 if course.world.plot.quirk == "telemetry_late" else 240
    frame = pl.DataFrame({"bucket_start": instants(first * 3_600_000_000), **columns})
    constants = {name: pl.lit(value) for name, value in {**names, "product": course.world.product}.items()}
    return frame.with_columns(known_at=instants((last * 3600 + delay) * 1_000_000), **constants)


def _visits(course: Course) -> Floats:
    return course.world.per_day * _VISITS_PER_FEEDBACK / 24 * course.crowd


def service_metrics(course: Course) -> pl.DataFrame:
    """Requests and errors by service, platform and version."""
    pieces = []
    for service, calls in _CALLS.items():
        for platform, weight in PLATFORMS.items():
            versions, shares = course.adoption[platform]
            for number, version in enumerate(versions):
                people = _visits(course) * weight * shares[:, number] * calls
                if not people.any():
                    continue
                rate = np.full(HOURS, _BASE_ERRORS[service])
                for trouble in course.world.plot.troubles:
                    if _harms(course, trouble, service, platform, version):
                        rate = rate + (trouble.error_rate or 0.0) * course.strength(trouble)
                requests = course.rng.poisson(people)
                errors = course.rng.binomial(requests, np.minimum(rate, 1.0))
                names = {"service": service, "platform": platform, "app_version": version}
                pieces.append(_bucket_rows(course, names, requests=requests, errors=errors))
    return pl.concat(pieces).filter(pl.col("requests") > 0)


def _harms(course: Course, trouble: Trouble, service: str, platform: str, version: str) -> bool:
    if trouble.error_rate is None or BREAKABLE[trouble.issue_type].service != service:
        return False
    if trouble.release is not None:
        return trouble.release.platform == platform and course.version_of(trouble.release) == version
    return trouble.platform in (None, platform)


def funnel_metrics(course: Course) -> pl.DataFrame:
    """People who entered and completed each step, by platform."""
    pieces = []
    for step, (share, completes) in _FUNNEL.items():
        for platform, weight in PLATFORMS.items():
            entered = course.rng.poisson(_visits(course) * weight * share)
            left = np.ones(HOURS)
            for trouble in course.world.plot.troubles:
                if trouble.left < 1 and BREAKABLE[trouble.issue_type].step == step:
                    where = trouble.release.platform if trouble.release else trouble.platform
                    if where in (None, platform):
                        left = left * (1 - (1 - trouble.left) * course.strength(trouble) * course.share(trouble))
            completed = course.rng.binomial(entered, completes * left)
            names = {"step": step, "platform": platform}
            pieces.append(_bucket_rows(course, names, entered=entered, completed=completed))
    return pl.concat(pieces).filter(pl.col("entered") > 0)


def orders(course: Course, funnel: pl.DataFrame) -> pl.DataFrame:
    """One row for each completed order."""
    done = funnel.filter(pl.col("step") == "order").select("bucket_start", "known_at", "completed")
    rows = done.select(pl.exclude("completed").repeat_by("completed").list.explode())
    return rows.rename({"bucket_start": "ordered_at"}).with_columns(
        pl.concat_str(pl.lit(f"{course.world.product}-o"), pl.int_range(pl.len()).cast(pl.String)).alias("order_id"),
        pl.lit(course.world.product).alias("product"),
        pl.Series("amount", np.round(course.rng.lognormal(3.6, 0.6, rows.height), 2)),
    )
