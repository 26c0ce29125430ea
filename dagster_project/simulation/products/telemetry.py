"""Telemetry as a monitoring system exports it: metrics of services and of the funnel, by bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dagster_project.simulation.products.scenario import ErrorBurst, Failure, Service
from dagster_project.simulation.products.shape import A_DAY, Cell, Series, Shape, chance
from dagster_project.simulation.shop.encoding import iso

Row = dict[str, Any]

_KEPT_DAYS = 35
"""Monitoring keeps quarter hours for this long."""
_FUNNEL_BUCKETS = 8
"""Buckets of a funnel row: analytics counts by two hours."""
_LAST_STEPS = ("checkout", "payment", "order")


def service_rows(shape: Shape) -> Iterator[Row]:
    """Requests, errors and latency of each service."""
    first = max(0, shape.count - _KEPT_DAYS * A_DAY)
    for service in shape.world.product.services:
        for cell in _groups(shape, service):
            yield from _of_service(shape, service, cell, first)


def _groups(shape: Shape, service: Service) -> list[Cell]:
    """Groups that the service's metrics are split by."""
    if "app_version" in service.by:
        return [cell for cell in shape.cells if cell.version]
    if "platform" not in service.by:
        return [Cell("", "", np.ones(shape.count))]
    names = dict.fromkeys(cell.platform for cell in shape.cells)
    return [Cell(name, "", np.sum([c.share for c in shape.cells if c.platform == name], axis=0)) for name in names]


def _of_service(shape: Shape, service: Service, cell: Cell, first: int) -> Iterator[Row]:
    rng = chance(shape.key, "service", service.name, cell.platform, cell.version)
    expected = shape.visits * cell.share * service.requests_per_visit
    requests = rng.poisson(expected * rng.lognormal(0, 0.05, shape.count))
    wrong, slower = _trouble(shape, service, cell)
    rate = (
        service.error_rate
        * rng.lognormal(0, 0.3, shape.count)
        * np.repeat(rng.lognormal(0, 0.2, shape.count // A_DAY + 1), A_DAY)[: shape.count]
    )
    errors = rng.binomial(requests, np.clip(rate + wrong, 0, 0.98))
    p50 = service.latency_ms * rng.lognormal(0, 0.06, shape.count) * (1 + (slower - 1) * 0.35)
    p95 = service.latency_ms * 2.8 * rng.lognormal(0, 0.11, shape.count) * slower
    for bucket in range(first, shape.count):
        if cell.version and expected[bucket] < 1:
            continue
        yield {
            "service": service.name,
            "ts": iso(shape.instants[bucket]),
            "requests": int(requests[bucket]),
            "errors": int(errors[bucket]),
            "p50": round(float(p50[bucket]), 1),
            "p95": round(float(p95[bucket]), 1),
            "platform": cell.platform,
            "app_version": cell.version,
        }


def _trouble(shape: Shape, service: Service, cell: Cell) -> tuple[Series, Series]:
    """Additional error share, and the factor on latency, from the failure and from harmless bursts."""
    wrong, slower = np.zeros(shape.count), np.ones(shape.count)
    for burst in shape.world.bursts:
        if burst.service == service.name:
            _burst(shape, burst, wrong, slower)
    failure = shape.world.failure
    if failure is None or failure.service != service.name or failure.effect == "none":
        return wrong, slower
    share = _failing_share(shape, failure, cell)
    if failure.effect == "errors":
        return wrong + share, slower
    return wrong + share * 0.05, slower * (1 + 7 * share)


def _burst(shape: Shape, burst: ErrorBurst, wrong: Series, slower: Series) -> None:
    span = shape.span(burst.start, burst.hours)
    wrong[span] += burst.error_share
    slower[span] *= burst.slower


def _failing_share(shape: Shape, failure: Failure, group: Cell) -> Series:
    """Share of a group's requests that fail; a group without platform mixes all customers."""
    if group.version:
        return shape.fails_in(group)
    cells = [cell for cell in shape.cells if group.platform in ("", cell.platform)]
    total = np.sum([cell.share for cell in cells], axis=0)
    failing = np.sum([shape.fails_in(cell) * cell.share for cell in cells], axis=0)
    return np.asarray(failing / np.maximum(total, 1e-9), dtype=np.float64)


def funnel_rows(shape: Shape) -> Iterator[Row]:
    """Entered and completed per step, platform, version and two hours, without the gaps."""
    lost = shape.lost("funnel_metrics")
    starts = np.arange(0, shape.count - _FUNNEL_BUCKETS + 1, _FUNNEL_BUCKETS)
    for cell in shape.cells:
        rng = chance(shape.key, "funnel", cell.platform, cell.version)
        entered = rng.poisson(np.add.reduceat(shape.visits * cell.share, starts))
        for step, rate in shape.world.product.steps.items():
            completed = rng.binomial(entered, np.clip(_rate(shape, cell, step, rate, starts, rng), 0, 0.99))
            for place, bucket in enumerate(starts):
                if bucket not in lost and entered[place] > 0:
                    yield _funnel_row(shape, cell, step, int(bucket), int(entered[place]), int(completed[place]))
            entered = completed


def _rate(shape: Shape, cell: Cell, step: str, rate: float, starts: np.ndarray, rng: np.random.Generator) -> Series:
    """Share of customers who complete a step."""
    failure = shape.world.failure
    course = rate * rng.lognormal(0, 0.02, len(starts))
    if step in _LAST_STEPS:
        course = course * shape.conversion[starts]
    if failure and failure.step == step and failure.effect != "none":
        harm = 1.0 if failure.effect == "errors" else 0.4
        course = course * (1 - harm * shape.fails_in(cell)[starts])
    return np.asarray(course, dtype=np.float64)


def _funnel_row(shape: Shape, cell: Cell, step: str, bucket: int, entered: int, completed: int) -> Row:
    worth = shape.world.product.order_value if step == "payment" else 0.0
    return {
        "bucket": iso(shape.instants[bucket]),
        "step": step,
        "entered": entered,
        "completed": completed,
        "revenue": round(worth * completed, 2) if worth else "",
        "platform": cell.platform,
        "app_version": cell.version,
    }
