"""The contracts of the eight input tables: columns, types, keys and what a value may be.

A row that breaks its contract goes to quarantine with a reason written here; a column that the contract does not know
goes to ``attributes``. Everything is UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

import dataframely as dy
import polars as pl

CHANNELS = ("app_review", "product_review", "support_ticket", "chat", "social", "nps", "return")
FUNNEL_STEPS = ("visit", "login", "search", "product_view", "cart", "checkout", "payment", "order")


def _required() -> dy.String:
    return dy.String(nullable=False, min_length=1)


def _text() -> dy.String:
    return dy.String(nullable=True)


def _instant(*, required: bool = False) -> dy.Datetime:
    return dy.Datetime(nullable=not required, time_unit="us", time_zone="UTC")


def _amount(*, required: bool = False, low: float | None = None, high: float | None = None) -> dy.Float64:
    return dy.Float64(nullable=not required, min=low, max=high, allow_inf=False, allow_nan=False)


def _count() -> dy.Int64:
    return dy.Int64(nullable=False, min=0)


class Landed(dy.Schema):
    """What every landed row carries beside its own columns."""

    known_at = _instant(required=True)
    attributes = dy.String(nullable=False)
    loaded_from = _required()
    content_hash = _required()


class Feedback(dy.Schema):
    """One thing one customer said on one channel."""

    feedback_id = _required()
    source = _required()
    channel = dy.Enum(CHANNELS, nullable=False)
    product = _required()
    occurred_at = _instant(required=True)
    text = _required()
    title = _text()
    rating = _amount(low=1, high=5)
    nps_score = _amount(low=0, high=10)
    language = _text()
    country = _text()
    customer_id = _text()
    customer_segment = _text()
    sku = _text()
    feature = _text()
    platform = _text()
    app_version = _text()
    os_version = _text()
    device = _text()
    browser = _text()
    release_id = _text()
    order_id = _text()
    url = _text()
    schema_version = dy.Int64(nullable=False, min=1, max=1)


class Releases(dy.Schema):
    """One release of one product."""

    release_id = _required()
    product = _required()
    version = _required()
    environment = _required()
    deployed_at = _instant(required=True)
    service = _text()
    platform = _text()
    previous_version = _text()
    rollout_percent = _amount(low=0, high=100)
    owner = _text()
    commit_sha = _text()
    url = _text()


class FlagChanges(dy.Schema):
    """One change of one feature flag."""

    flag_key = _required()
    product = _required()
    environment = _required()
    changed_at = _instant(required=True)
    enabled = dy.Bool(nullable=False)
    variant = _text()
    actor = _text()
    feature = _text()


class ServiceMetrics(dy.Schema):
    """Requests, errors and latency of one service in one bucket."""

    product = _required()
    service = _required()
    bucket_start = _instant(required=True)
    requests = _count()
    errors = _count()
    latency_p50_ms = _amount(low=0)
    latency_p95_ms = _amount(low=0)
    platform = _text()
    country = _text()
    app_version = _text()

    @dy.rule()
    def errors_within_requests(cls) -> pl.Expr:
        """No more errors than requests."""
        return pl.col("errors") <= pl.col("requests")


class FunnelMetrics(dy.Schema):
    """How many entered and completed one step of the journey in one bucket."""

    product = _required()
    bucket_start = _instant(required=True)
    step = dy.Enum(FUNNEL_STEPS, nullable=False)
    entered = _count()
    completed = _count()
    revenue = _amount()
    platform = _text()
    country = _text()
    app_version = _text()

    @dy.rule()
    def completed_within_entered(cls) -> pl.Expr:
        """No more completed than entered."""
        return pl.col("completed") <= pl.col("entered")


class Orders(dy.Schema):
    """One line of one order; a row without a SKU is the whole order."""

    order_id = _required()
    customer_id = _required()
    product = _required()
    ordered_at = _instant(required=True)
    amount = _amount(required=True)
    currency = _required()
    status = _required()
    sku = _text()
    refunded_at = _instant()
    refund_amount = _amount(low=0)
    platform = _text()
    country = _text()
    app_version = _text()


class Customers(dy.Schema):
    """One customer."""

    customer_id = _required()
    segment = _text()
    lifetime_value = _amount()


class Campaigns(dy.Schema):
    """One marketing campaign."""

    campaign_id = _required()
    product = _required()
    started_at = _instant(required=True)
    ended_at = _instant()
    kind = _text()
    name = _text()

    @dy.rule()
    def ended_after_started(cls) -> pl.Expr:
        """It ends after it starts, or has not ended."""
        return pl.col("ended_at").is_null() | (pl.col("ended_at") >= pl.col("started_at"))


@dataclass(frozen=True)
class TableContract:
    """A table's schema and the columns that tell one row from another."""

    schema: type[dy.Schema]
    key: tuple[str, ...]


_SCOPE = ("platform", "country", "app_version")

TABLES: dict[str, TableContract] = {
    "feedback": TableContract(Feedback, ("feedback_id",)),
    "releases": TableContract(Releases, ("release_id",)),
    "flag_changes": TableContract(FlagChanges, ("flag_key", "product", "environment", "changed_at")),
    "service_metrics": TableContract(ServiceMetrics, ("product", "service", "bucket_start", *_SCOPE)),
    "funnel_metrics": TableContract(FunnelMetrics, ("product", "bucket_start", "step", *_SCOPE)),
    "orders": TableContract(Orders, ("order_id", "sku")),
    "customers": TableContract(Customers, ("customer_id",)),
    "campaigns": TableContract(Campaigns, ("campaign_id",)),
}

_INSTANT = pl.Datetime("us", "UTC")

_OTHER_TABLES: dict[str, dict[str, pl.DataType]] = {
    "quarantine": {
        "quarantine_id": pl.String(),
        "table": pl.String(),
        "source": pl.String(),
        "file": pl.String(),
        "line": pl.Int64(),
        "reason": pl.String(),
        "raw": pl.String(),
        "known_at": _INSTANT,
    },
    "ticket_events": {
        "event_id": pl.String(),
        "issue_id": pl.String(),
        "destination": pl.String(),
        "external_id": pl.String(),
        "url": pl.String(),
        "event": pl.String(),
        "priority": pl.String(),
        "value": pl.String(),
        "previous": pl.String(),
        "resolution": pl.String(),
        "actor": pl.String(),
        "by_person": pl.Boolean(),
        "occurred_at": _INSTANT,
        "known_at": _INSTANT,
    },
    "baseline_exclusions": {
        "issue_id": pl.String(),
        "product": pl.String(),
        "issue_type": pl.String(),
        "platform": pl.String(),
        "country": pl.String(),
        "excluded_from": _INSTANT,
        "excluded_until": _INSTANT,
        "excluded": pl.Boolean(),
        "known_at": _INSTANT,
    },
    "sync_runs": {
        "run_id": pl.String(),
        "destination": pl.String(),
        "started_at": _INSTANT,
        "finished_at": _INSTANT,
        **dict.fromkeys(
            ("created", "updated", "resolved", "unchanged", "rejected", "unknown", "deferred", "twins", "problems"),
            pl.Int64(),
        ),
        "known_at": _INSTANT,
    },
    "sync_attempts": {
        "attempt_id": pl.String(),
        "intent_id": pl.String(),
        "issue_id": pl.String(),
        "destination": pl.String(),
        "kind": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "occurred_at": _INSTANT,
        "known_at": _INSTANT,
    },
    "sync_snapshot": {
        "intent_id": pl.String(),
        "issue_id": pl.String(),
        "destination": pl.String(),
        "sequence": pl.Int64(),
        "action": pl.String(),
        "state": pl.String(),
        "owner": pl.String(),
        "external_id": pl.String(),
        "url": pl.String(),
        "reason": pl.String(),
        "attempts": pl.Int64(),
        "created_at": _INSTANT,
        "confirmed_at": _INSTANT,
        "known_at": _INSTANT,
    },
}

FURTHER_TABLES = tuple(_OTHER_TABLES)
"""The lake's tables that no source fills: what could not be read, and what automation did."""


def own_columns(table: str) -> dict[str, pl.DataType]:
    """The columns of an input table that a source fills, with their types in the lake (enumerations land as text)."""
    columns = TABLES[table].schema.columns()
    return {name: pl.String() if isinstance(column, dy.Enum) else column.dtype for name, column in columns.items()}


def schema_of(table: str) -> dict[str, pl.DataType]:
    """The columns of a lake table, with their types."""
    if table in _OTHER_TABLES:
        return dict(_OTHER_TABLES[table])
    landed = {name: column.dtype for name, column in Landed.columns().items()}
    return {**own_columns(table), **landed}


def required_columns(table: str) -> list[str]:
    """The columns without which a row cannot land, but for those that landing fills itself."""
    columns = TABLES[table].schema.columns()
    return [name for name, column in columns.items() if not column.nullable and name != "schema_version"]


def allowed(table: str, column: str) -> str:
    """What a column may hold, in words."""
    kind = TABLES[table].schema.columns()[column]
    if isinstance(kind, dy.Enum):
        return "one of " + ", ".join(CHANNELS if column == "channel" else FUNNEL_STEPS)
    if isinstance(kind, dy.Float64 | dy.Int64):
        low, high = kind.min, kind.max
        limits = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
        return " and ".join(filter(None, limits)) or "a number"
    return {dy.Datetime: "a date or an instant", dy.Bool: "true or false"}.get(type(kind), "some text")
