"""Orders, customers, campaigns, releases and flag changes, as other systems export them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np

from dagster_project.simulation.products.scenario import Change
from dagster_project.simulation.products.shape import A_DAY, Shape, chance
from dagster_project.simulation.products.voices import CUSTOMERS, VALUABLE, customer_id
from dagster_project.simulation.shop.encoding import iso

Row = dict[str, Any]

_ORDERS_A_DAY = 30
"""The export is a sample: orders of the customers in the CRM."""
_MONEY_TOPICS = ("pay_double", "delivery_late", "goods_broken", "refund_missing")


def customer_rows(shape: Shape) -> Iterator[Row]:
    """The customers in the CRM; the first are the valuable ones."""
    rng = chance(shape.key, "customers")
    worth = rng.lognormal(np.log(shape.world.product.order_value * 4), 0.8, CUSTOMERS)
    for number in range(CUSTOMERS):
        valuable = number < VALUABLE
        yield {
            "customer": customer_id(shape.world.product.name, number),
            "segment": "enterprise" if valuable else "consumer" if number % 7 else "new",
            "ltv": round(float(worth[number]) * (25 if valuable else 1), 2),
        }


def order_rows(shape: Shape) -> Iterator[Row]:
    """A sample of orders, fewer while orders or payments fail, with refunds days later as a second version."""
    rng = chance(shape.key, "orders")
    failure = shape.world.failure
    lost = shape.fails_overall if failure and failure.step and failure.effect == "errors" else np.zeros(shape.count)
    counts = rng.poisson(shape.visits / shape.visits.mean() * _ORDERS_A_DAY / A_DAY * shape.conversion * (1 - lost))
    for number, bucket in enumerate(np.repeat(np.arange(shape.count), counts)):
        at = shape.instants[int(bucket)] + timedelta(seconds=int(rng.integers(0, 900)))
        amount = round(float(rng.lognormal(np.log(shape.world.product.order_value), 0.5)), 2)
        painful = failure is not None and failure.topic in _MONEY_TOPICS and shape.failing[int(bucket)] > 0
        order = {
            "order": f"{shape.world.product.name}-o{number:06d}",
            "customer": customer_id(shape.world.product.name, int(rng.integers(0, CUSTOMERS))),
            "placed": iso(at),
            "total": amount,
            "currency": "EUR",
            "status": "paid",
            "refunded": "",
            "refund": "",
            "seen": iso(at + timedelta(minutes=20)),
        }
        yield order
        refunded = at + timedelta(days=float(rng.uniform(1, 9)))
        if rng.random() < (0.12 if painful else 0.05) and refunded < shape.world.until:
            back = iso(refunded)
            yield order | {"status": "refunded", "refunded": back, "refund": amount, "seen": back}


def campaign_rows(shape: Shape) -> Iterator[Row]:
    """Campaigns: those of crowds that have a kind."""
    for number, crowd in enumerate(one for one in shape.world.crowds if one.kind):
        yield {
            "campaign": f"{shape.world.product.name}-k{number}",
            "begin": iso(crowd.start),
            "end": iso(crowd.start + timedelta(hours=crowd.hours)),
            "kind": crowd.kind,
            "title": f"{crowd.kind} {number + 1}",
        }


def release_rows(shape: Shape) -> Iterator[Row]:
    """Releases of the app, of services, indexes and configuration; some lack a version or a platform."""
    before: dict[tuple[str, str], str] = {}
    for change in sorted(shape.world.changes, key=lambda one: one.at):
        if change.kind == "flag":
            continue
        line = (change.service, change.platform)
        yield {
            "id": change.change_id,
            "version": change.version or _nameless(change),
            "env": "production",
            "at": iso(change.at),
            "service": change.service,
            "platform": change.platform,
            "previous": before.get(line, ""),
            "rollout": "" if change.rollout_percent is None else change.rollout_percent,
        }
        before[line] = change.version


def _nameless(change: Change) -> str:
    """Version that a pipeline prints where there is none: the time of an index build, else a digest."""
    if change.kind == "index":
        return change.at.strftime("build-%Y%m%d%H%M")
    return hashlib.sha256(change.change_id.encode()).hexdigest()[:10]


def flag_rows(shape: Shape) -> Iterator[Row]:
    """Flag changes, as the flag service logs them."""
    for change in shape.world.changes:
        if change.kind == "flag":
            yield {
                "flag": change.change_id,
                "env": "production",
                "at": iso(change.at),
                "enabled": "true",
                "actor": "release-bot",
                "feature": change.feature,
            }
