"""Telemetry of the simulated shop: funnel, services, orders and customers, as polars frames in lake columns.

Orders are exactly the completed orders of the funnel, so revenue agrees in both. Each frame carries ``known_at``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.shop.story import COUNTRIES, PLATFORMS, PRODUCT, Floats, Story

Counts = npt.NDArray[np.int64]

VISITS_PER_DAY = 18_000
CUSTOMERS = 9_000
SEGMENTS = {"new": (0.28, 45.0), "standard": (0.50, 170.0), "plus": (0.16, 560.0), "vip": (0.06, 2100.0)}
"""Share of customers and median lifetime value."""

# step: (previous step, share that enters, share that completes)
STEPS: dict[str, tuple[str, float, float]] = {
    "visit": ("", 1.0, 0.97),
    "login": ("visit", 0.34, 0.95),
    "search": ("visit", 0.55, 0.86),
    "product_view": ("visit", 0.72, 0.31),
    "cart": ("product_view", 0.32, 0.45),
    "checkout": ("cart", 1.0, 0.78),
    "payment": ("checkout", 1.0, 0.93),
    "order": ("payment", 1.0, 0.995),
}
# service: (funnel step that calls it, calls per person, error rate, median and 95th percentile of latency in ms)
SERVICES: dict[str, tuple[str, float, float, float, float]] = {
    "checkout": ("checkout", 4.0, 0.004, 120.0, 480.0),
    "payments": ("payment", 2.5, 0.008, 310.0, 1150.0),
    "search": ("search", 3.0, 0.002, 70.0, 260.0),
    "identity": ("login", 1.5, 0.006, 55.0, 210.0),
    "app-client": ("visit", 1.0, 0.003, 640.0, 1900.0),
}
# planted event at full effect: funnel step and factor on its completion; service, error rate and factor on latency
_FUNNEL_HARM = {
    "android_checkout": ("checkout", 0.52),
    "ios_crash": ("visit", 0.90),
    "payment_hiccup": ("payment", 0.62),
}
_SERVICE_HARM = {
    "android_checkout": ("checkout", 0.31, 2.6),
    "ios_crash": ("app-client", 0.085, 1.15),
    "payment_hiccup": ("payments", 0.34, 3.2),
}
_CATALOGUE: tuple[tuple[str, str, float], ...] = (
    ("SKU-1001", "camping chair", 89.9), ("SKU-1002", "rain jacket", 119.0), ("SKU-1003", "wool sweater", 69.5),
    ("SKU-1004", "winter scarf", 29.9), ("SKU-1005", "backpack", 64.0), ("SKU-1006", "travel mug", 24.9),
    ("SKU-1007", "desk lamp", 44.9), ("SKU-1008", "bluetooth speaker", 59.0), ("SKU-1009", "headset", 99.0),
    ("SKU-1010", "phone case", 19.9), ("SKU-1011", "yoga mat", 34.9), ("SKU-1012", "water bottle", 17.5),
    ("SKU-1013", "coffee grinder", 54.0), ("SKU-1014", "alarm clock", 49.9), ("SKU-1015", "bath towel", 22.9),
    ("SKU-1016", "sun hat", 27.9), ("SKU-1017", "suitcase", 139.0), ("SKU-1018", "picture frame", 25.9),
    ("SKU-1019", "frying pan", 39.9), ("SKU-1020", "smart plug", 29.0), ("SKU-1021", "board game", 36.5),
    ("SKU-1022", "leather wallet", 42.0), ("SKU-1023", "sofa cushion", 18.9), ("SKU-1024", "electric kettle", 37.9),
)  # fmt: skip
ITEMS = {sku: name for sku, name, _ in _CATALOGUE}
_SALE_DISCOUNT = 0.85


@dataclass(frozen=True)
class Traffic:
    """Telemetry tables."""

    funnel: pl.DataFrame
    services: pl.DataFrame
    orders: pl.DataFrame
    refunds: pl.DataFrame
    customers: pl.DataFrame

    def known_by(self, instant: datetime) -> Traffic:
        """The rows that were known by an instant."""
        return Traffic(*(frame.filter(pl.col("known_at") <= instant) for frame in self._frames()))

    def then(self, later: Sequence[Traffic]) -> Traffic:
        """These rows, followed by those of later stretches; customers stay as they are."""
        funnel, services, orders, refunds = (
            pl.concat(frames) for frames in zip(*(part._frames()[:4] for part in (self, *later)), strict=True)
        )
        return Traffic(funnel, services, orders, refunds, self.customers)

    def _frames(self) -> tuple[pl.DataFrame, ...]:
        return self.funnel, self.services, self.orders, self.refunds, self.customers


def simulate(story: Story, seed: int) -> Traffic:
    """Draw the whole traffic of a story; the same story and seed give the same frames."""
    return _drawn(story, _customers(story, np.random.default_rng([seed, 1])), 0, seed)


def simulate_on(recorded: Traffic, hours: Sequence[Story], seed: int) -> Traffic:
    """Traffic with that of the hours after a story, each drawn from streams of its own."""
    later, orders = [], recorded.orders["order_id"].n_unique()
    for hour in hours:
        later.append(_drawn(hour, recorded.customers, orders, seed))
        orders += later[-1].orders["order_id"].n_unique()
    return recorded.then(later)


def _drawn(story: Story, customers: pl.DataFrame, first_order: int, seed: int) -> Traffic:
    """Draw the traffic of a grid; its orders are numbered from ``first_order``."""
    of_funnel, of_orders, of_services, of_refunds = (
        np.random.default_rng([seed, stream, story.first_hour]) for stream in (2, 3, 4, 5)
    )
    entered, completed = _funnel(story, of_funnel)
    orders = _orders(story, completed["order"], customers, first_order, of_orders)
    funnel = _funnel_frame(story, entered, completed, orders)
    services = _services(story, entered, of_services)
    return Traffic(funnel, services, orders, _refunds(orders, of_refunds), customers)


def _funnel(story: Story, rng: np.random.Generator) -> tuple[dict[str, Counts], dict[str, Counts]]:
    """People who entered and completed each step, by hour, platform and country."""
    demand = np.stack([story.demand[country] * share for country, share in COUNTRIES.items()], axis=-1)
    visits = VISITS_PER_DAY / 24 * demand[:, None, :] * np.array(list(PLATFORMS.values()))[None, :, None]
    entered: dict[str, Counts] = {}
    completed: dict[str, Counts] = {}
    for step, (fed_by, share, completes) in STEPS.items():
        people = rng.poisson(visits) if not fed_by else rng.binomial(completed[fed_by], share)
        entered[step] = people
        completed[step] = rng.binomial(people, (completes * _left(story, step))[:, :, None])
    return entered, completed


def _left(story: Story, step: str) -> Floats:
    """Factor of the planted events on a step's completion, shape (hours, platforms); 1.0 without effect."""
    left = np.ones((story.hours, len(PLATFORMS)))
    for event in story.planted:
        harmed, factor = _FUNNEL_HARM.get(event.name, ("", 1.0))
        if harmed == step:
            for column, platform in enumerate(PLATFORMS):
                if event.platform in (None, platform):
                    left[:, column] *= 1 - (1 - factor) * story.strength(event)
    return left


def _funnel_frame(
    story: Story, entered: dict[str, Counts], completed: dict[str, Counts], orders: pl.DataFrame
) -> pl.DataFrame:
    shape = entered["visit"].shape
    hour, platform, country = (axis.ravel() for axis in np.indices(shape))
    base = pl.DataFrame(
        {
            "bucket_start": _instants(story.hour_starts[hour]),
            "platform": np.array(list(PLATFORMS))[platform],
            "country": np.array(list(COUNTRIES))[country],
        }
    )
    revenue = orders.group_by(pl.col("ordered_at").dt.truncate("1h").alias("bucket_start"), "platform", "country").agg(
        pl.col("amount").sum().round(2).alias("revenue")
    )
    steps = []
    for step in STEPS:
        frame = base.with_columns(
            pl.lit(step).alias("step"),
            pl.Series("entered", entered[step].ravel()),
            pl.Series("completed", completed[step].ravel()),
        )
        if step == "order":
            frame = frame.join(revenue, on=["bucket_start", "platform", "country"], how="left", maintain_order="left")
        else:
            frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("revenue"))
        steps.append(frame.filter(pl.col("entered") > 0))
    frame = pl.concat(steps).with_columns(pl.lit(PRODUCT).alias("product")).sort("bucket_start", maintain_order=True)
    frame = frame.with_columns((pl.col("bucket_start") + pl.duration(minutes=66)).alias("known_at"))
    columns = "product bucket_start step entered completed revenue platform country known_at".split()
    return frame.select(columns)


def _services(story: Story, entered: dict[str, Counts], rng: np.random.Generator) -> pl.DataFrame:
    """Requests, errors and latency per service, platform and version."""
    pieces = []
    for service, (step, calls, error_rate, p50, p95) in SERVICES.items():
        people = entered[step].sum(axis=2)
        for column, platform in enumerate(PLATFORMS):
            versions, shares = story.adoption[platform]
            for index, version in enumerate(versions):
                errors_at, slower = _harm(story, service, platform, version, error_rate)
                requests = rng.poisson(people[:, column] * shares[:, index] * calls)
                wobble = rng.normal(1.0, 0.04, (2, story.hours))
                used = requests > 0
                pieces.append(
                    pl.DataFrame(
                        {
                            "bucket_start": _instants(story.hour_starts),
                            "requests": requests,
                            "errors": rng.binomial(requests, errors_at),
                            "latency_p50_ms": np.round(p50 * (1 + (slower - 1) * 0.4) * wobble[0], 1),
                            "latency_p95_ms": np.round(p95 * slower * wobble[1], 1),
                        }
                    )
                    .with_columns(
                        pl.lit(PRODUCT).alias("product"),
                        pl.lit(service).alias("service"),
                        pl.lit(platform).alias("platform"),
                        pl.lit(version).alias("app_version"),
                        (pl.col("bucket_start") + pl.duration(minutes=63)).alias("known_at"),
                    )
                    .filter(pl.Series(used))
                )
    columns = (
        "product service bucket_start requests errors latency_p50_ms latency_p95_ms platform app_version known_at"
    ).split()
    return pl.concat(pieces).select(columns).sort("bucket_start", maintain_order=True)


def _harm(story: Story, service: str, platform: str, version: str, error_rate: float) -> tuple[Floats, Floats]:
    """Error rate and slow-down of one service on one version, by hour."""
    errors, slower = np.full(story.hours, error_rate), np.ones(story.hours)
    for event in story.planted:
        harmed, bad_rate, factor = _SERVICE_HARM.get(event.name, ("", 0.0, 1.0))
        if harmed == service and event.platform in (None, platform) and event.app_version in (None, version):
            # A bad version fails whenever it runs; other events only during their time.
            during = np.ones(story.hours) if event.app_version else story.strength(event)
            errors = errors + (bad_rate - error_rate) * during
            slower = slower * (1 + (factor - 1) * during)
    return errors, slower


def _customers(story: Story, rng: np.random.Generator) -> pl.DataFrame:
    """Customers by number; the last twelfth signs up during the story, in order."""
    names, (shares, values) = list(SEGMENTS), zip(*SEGMENTS.values(), strict=True)
    segment = rng.choice(len(names), CUSTOMERS, p=shares)
    joins = np.sort(rng.uniform(0, story.hours * 3600, CUSTOMERS // 12)).astype(np.int64)
    joined = np.concatenate([np.zeros(CUSTOMERS - len(joins), np.int64), joins])
    segment[joined > 0] = names.index("new")
    value = np.round(np.array(values)[segment] * rng.lognormal(0.0, 0.55, CUSTOMERS), 2)
    return pl.DataFrame(
        {
            "customer_id": [f"C{number:05d}" for number in range(CUSTOMERS)],
            "segment": np.array(names)[segment],
            "lifetime_value": value,
            "home_country": rng.choice(list(COUNTRIES), CUSTOMERS, p=list(COUNTRIES.values())),
            "home_platform": rng.choice(list(PLATFORMS), CUSTOMERS, p=list(PLATFORMS.values())),
            "known_at": _instants(story.hour_starts[0] + joined.astype("timedelta64[s]")),
        }
    )


def _orders(
    story: Story, completed: Counts, customers: pl.DataFrame, first_order: int, rng: np.random.Generator
) -> pl.DataFrame:
    """One row per order line, oldest first; the customer lives where the order came from."""
    hour, platform, country = (np.repeat(axis.ravel(), completed.ravel()) for axis in np.indices(completed.shape))
    second = rng.integers(0, 3600, len(hour))
    by_time = np.lexsort((country, platform, second, hour))
    hour, platform, country, second = hour[by_time], platform[by_time], country[by_time], second[by_time]
    ordered_at = story.hour_starts[hour] + second.astype("timedelta64[s]")
    number = np.arange(len(hour))
    lines = rng.choice([1, 2, 3], len(hour), p=[0.72, 0.21, 0.07])
    first_item, stride = rng.integers(0, len(_CATALOGUE), len(hour)), rng.integers(1, 8, len(hour))
    row = np.repeat(number, lines)
    line_of_order = np.arange(len(row)) - np.repeat(np.cumsum(lines) - lines, lines)
    item = (first_item[row] + line_of_order * stride[row]) % len(_CATALOGUE)
    on_sale = np.zeros(story.hours, dtype=bool)
    for campaign in story.campaigns:
        on_sale |= (campaign.kind == "sale") & (story.between(campaign.started_at, campaign.ended_at) > 0)
    price = np.array([price for _, _, price in _CATALOGUE])[item] * rng.choice([1, 1, 1, 1, 2], len(row))
    amount = np.round(price * np.where(on_sale[hour[row]], _SALE_DISCOUNT, 1.0), 2)
    frame = pl.DataFrame(
        {
            "order_id": [f"SO-{100_000 + first_order + n}" for n in number[row]],
            "customer_id": _buyers(story, hour, platform, country, customers, rng)[row],
            "product": np.full(len(row), PRODUCT),
            "ordered_at": _instants(ordered_at[row]),
            "amount": amount,
            "currency": np.full(len(row), "EUR"),
            "status": np.full(len(row), "paid"),
            "sku": np.array([sku for sku, _, _ in _CATALOGUE])[item],
            "platform": np.array(list(PLATFORMS))[platform[row]],
            "country": np.array(list(COUNTRIES))[country[row]],
            "app_version": _versions(story, hour, platform, rng)[row],
        },
        schema_overrides=dict.fromkeys(("order_id", "customer_id", "app_version"), pl.String),
    )
    lag = rng.integers(30, 240, len(number))[row]
    return frame.with_columns(_later("ordered_at", lag).alias("known_at"))


def _buyers(
    story: Story, hour: Counts, platform: Counts, country: Counts, customers: pl.DataFrame, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """Customer of each order: from that platform and country, weighted by segment."""
    appetite = customers["segment"].replace_strict({"new": 0.6, "standard": 1.0, "plus": 2.2, "vip": 4.0}).to_numpy()
    at_home = customers.select("home_platform", "home_country")
    joined = (customers["known_at"] > story.since).to_numpy()
    names = customers["customer_id"].to_numpy()
    buyers = np.empty(len(hour), dtype=object)
    for p, platform_name in enumerate(PLATFORMS):
        for c, country_name in enumerate(COUNTRIES):
            lives_here = (at_home["home_platform"] == platform_name) & (at_home["home_country"] == country_name)
            pool = np.flatnonzero(lives_here.to_numpy() & ~joined)
            here = np.flatnonzero((platform == p) & (country == c))
            buyers[here] = names[rng.choice(pool, len(here), p=appetite[pool] / appetite[pool].sum())]
    return buyers


def _versions(story: Story, hour: Counts, platform: Counts, rng: np.random.Generator) -> npt.NDArray[Any]:
    """App version of each order: by share of traffic, reduced for the version with the failing checkout."""
    drawn = rng.random(len(hour))
    chosen = np.empty(len(hour), dtype=object)
    harm = {(e.platform, e.app_version): _FUNNEL_HARM[e.name][1] for e in story.planted if e.app_version}
    for p, name in enumerate(PLATFORMS):
        versions, shares = story.adoption[name]
        weights = shares * np.array([harm.get((name, version), 1.0) for version in versions])
        ladder = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
        ladder[:, -1] = 1.0
        here = np.flatnonzero(platform == p)
        steps = (drawn[here, None] >= ladder[hour[here]]).sum(axis=1)
        chosen[here] = np.array(versions, dtype=object)[steps]
    return chosen


def _refunds(orders: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Refunded order lines, as later versions of their rows."""
    refunded = orders.filter(pl.Series(rng.random(orders.height) < 0.035))
    wait = rng.integers(4 * 86_400, 14 * 86_400, refunded.height)
    return refunded.with_columns(
        pl.lit("refunded").alias("status"),
        _later("ordered_at", wait).alias("refunded_at"),
        pl.col("amount").alias("refund_amount"),
    ).with_columns((pl.col("refunded_at") + pl.duration(minutes=5)).alias("known_at"))


def _later(column: str, seconds: Counts) -> pl.Expr:
    return pl.col(column) + pl.lit(pl.Series(seconds * 1_000_000).cast(pl.Duration("us")))


def _instants(values: npt.NDArray[np.datetime64]) -> pl.Series:
    return pl.Series(values.astype("datetime64[us]")).dt.replace_time_zone("UTC").cast(INSTANT)
