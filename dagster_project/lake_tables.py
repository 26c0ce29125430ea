"""Every table of the lake, in one place: columns, key, writer, description, and for input tables the rules of a row.

The stages, Dagster's assets and dbt's sources take a table's facts from here, or are tested against it. Input tables
are filled by configured sources: a row that breaks its contract goes to quarantine, and a column that the contract does
not know goes to ``attributes``. The other tables are written by the stage that is named. Everything is UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import dataframely as dy
import polars as pl

from models_ml.taxonomy import CHANNELS

INSTANT = pl.Datetime("us", "UTC")
"""The one timestamp type of the lake."""

FUNNEL_STEPS = ("visit", "login", "search", "product_view", "cart", "checkout", "payment", "order")

PROVENANCES = ("server", "client")
"""Who counted telemetry: our servers (also where nothing is said), or a browser or an app about itself."""

Columns = dict[str, pl.DataType]


@dataclass(frozen=True)
class LakeTable:
    """A table of the lake.

    ``columns`` are all its columns with their types in the lake; ``key`` names those that tell one thing from another,
    of which the table may hold several versions. ``writer`` is the stage that writes it, whose owner answers for it.
    ``description`` ends in the grain: "One row per ...". ``in_dbt`` is False where no dbt model reads the table.
    """

    name: str
    description: str
    writer: Literal["ingestion", "enrichment", "decisioning", "automation"]
    key: tuple[str, ...]
    columns: Columns
    in_dbt: bool = True


@dataclass(frozen=True)
class InputTable(LakeTable):
    """A table that configured sources fill; ``contract`` has the columns of a source, and the rules of a row."""

    contract: type[dy.Schema] = dy.Schema


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


class _Landed(dy.Schema):
    """Columns of every landed row, beside its own."""

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
    rollback_floor = _text()
    schema_revision = _text()


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
    provenance = dy.Enum(PROVENANCES, nullable=True)

    @dy.rule()
    def errors_within_requests(cls) -> pl.Expr:
        """No more errors than requests."""
        return pl.col("errors") <= pl.col("requests")


class FunnelMetrics(dy.Schema):
    """Customers who entered and completed one step of the journey in one bucket."""

    product = _required()
    bucket_start = _instant(required=True)
    step = dy.Enum(FUNNEL_STEPS, nullable=False)
    entered = _count()
    completed = _count()
    revenue = _amount()
    platform = _text()
    country = _text()
    app_version = _text()
    provenance = dy.Enum(PROVENANCES, nullable=True)

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


def lake_types(contract: type[dy.Schema]) -> Columns:
    """The columns of a contract with their types in the lake; enumerations land as text."""
    columns = contract.columns()
    return {name: pl.String() if isinstance(column, dy.Enum) else column.dtype for name, column in columns.items()}


def _input(name: str, contract: type[dy.Schema], key: tuple[str, ...], description: str) -> InputTable:
    columns = {**lake_types(contract), **lake_types(_Landed)}
    return InputTable(name, description, "ingestion", key, columns, contract=contract)


_SCOPE = ("platform", "country", "app_version")

LABELS_OF_TEXT: Columns = {
    "text_hash": pl.String(),
    "label_version": pl.String(),
    "model_version": pl.String(),
    "runtime": pl.String(),
    "issue_type": pl.String(),
    "secondary_type": pl.String(),
    "confidence": pl.Float64(),
    "abstained": pl.Boolean(),
    "abstain_reason": pl.String(),
    "decided_by": pl.String(),
    "rule_id": pl.String(),
    "rule_type": pl.String(),
    "best_type": pl.String(),
    "model_confidence": pl.Float64(),
    "runner_up_type": pl.String(),
    "runner_up_confidence": pl.Float64(),
    "language": pl.String(),
    "language_confidence": pl.Float64(),
    "words_sentiment": pl.Float64(),
    "is_spam": pl.Boolean(),
    "spam_reason": pl.String(),
    "entities": pl.String(),
    "key_phrases": pl.String(),
    "explanation": pl.String(),
    "signature": pl.Binary(),
    "masked_text": pl.String(),
}
"""The columns of ``labels`` that follow from the text alone: equal texts share them."""

_LABELS: Columns = {
    "feedback_id": pl.String(),
    "content_hash": pl.String(),
    **LABELS_OF_TEXT,
    "sentiment": pl.String(),
    "sentiment_score": pl.Float64(),
    "duplicate_of": pl.String(),
    "known_at": INSTANT,
    "labeled_at": INSTANT,
}

_TABLES = (
    _input(
        "feedback",
        Feedback,
        ("feedback_id",),
        "Customer feedback on every channel. One row per version of a piece of feedback.",
    ),
    _input(
        "releases",
        Releases,
        ("release_id",),
        "Releases with time, version and rollout. One row per version of a release's record.",
    ),
    _input(
        "flag_changes",
        FlagChanges,
        ("flag_key", "product", "environment", "changed_at"),
        "Feature flag changes. One row per change.",
    ),
    _input(
        "service_metrics",
        ServiceMetrics,
        ("product", "service", "bucket_start", *_SCOPE),
        "Requests, errors and latency. One row per service, bucket, platform, country and version.",
    ),
    _input(
        "funnel_metrics",
        FunnelMetrics,
        ("product", "bucket_start", "step", *_SCOPE),
        "Entered and completed steps of the journey. One row per step, bucket, platform, country and version.",
    ),
    _input(
        "orders",
        Orders,
        ("order_id", "sku"),
        "Orders and refunds. One row per version of an order line.",
    ),
    _input(
        "customers",
        Customers,
        ("customer_id",),
        "Segments and lifetime values. One row per version of a customer's record.",
    ),
    _input(
        "campaigns",
        Campaigns,
        ("campaign_id",),
        "Marketing campaigns. One row per version of a campaign's record.",
    ),
    LakeTable(
        "quarantine",
        "Unreadable records with reason, file, line and raw text. One row per record.",
        "ingestion",
        ("quarantine_id",),
        {
            "quarantine_id": pl.String(),
            "table": pl.String(),
            "source": pl.String(),
            "file": pl.String(),
            "line": pl.Int64(),
            "reason": pl.String(),
            "raw": pl.String(),
            "known_at": INSTANT,
        },
        in_dbt=False,
    ),
    LakeTable(
        "labels",
        "Issue type, sentiment, language, entities, masked text. One row per version of feedback and of the labels.",
        "enrichment",
        ("feedback_id",),
        _LABELS,
    ),
    LakeTable(
        "ticket_events",
        "Confirmed writes, and what people did to tickets. One row per event and issue.",
        "automation",
        ("event_id",),
        {
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
            "occurred_at": INSTANT,
            "known_at": INSTANT,
        },
    ),
    LakeTable(
        "baseline_exclusions",
        "Days left out of baselines because people rejected their issue. One row per decision.",
        "automation",
        ("issue_id",),
        {
            "issue_id": pl.String(),
            "product": pl.String(),
            "issue_type": pl.String(),
            "platform": pl.String(),
            "country": pl.String(),
            "excluded_from": INSTANT,
            "excluded_until": INSTANT,
            "excluded": pl.Boolean(),
            "known_at": INSTANT,
        },
    ),
    LakeTable(
        "sync_runs",
        "Pushes that had something to do. One row per push and destination.",
        "automation",
        ("run_id",),
        {
            "run_id": pl.String(),
            "destination": pl.String(),
            "started_at": INSTANT,
            "finished_at": INSTANT,
            **dict.fromkeys(
                ("created", "updated", "resolved", "unchanged", "rejected", "unknown", "deferred", "twins", "problems"),
                pl.Int64(),
            ),
            "known_at": INSTANT,
        },
    ),
    LakeTable(
        "sync_attempts",
        "Tries at outbound writes, and look-ups of their outcome. One row per try.",
        "automation",
        ("attempt_id",),
        {
            "attempt_id": pl.String(),
            "intent_id": pl.String(),
            "issue_id": pl.String(),
            "destination": pl.String(),
            "kind": pl.String(),
            "outcome": pl.String(),
            "reason": pl.String(),
            "occurred_at": INSTANT,
            "known_at": INSTANT,
        },
    ),
    LakeTable(
        "sync_snapshot",
        "Every ticket as the ledger has it now. One row per issue and destination.",
        "automation",
        ("intent_id",),
        {
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
            "created_at": INSTANT,
            "confirmed_at": INSTANT,
            "known_at": INSTANT,
        },
    ),
    LakeTable(
        "plan_events",
        "What became of each plan of a mitigation: proposed, approved, in force, undone. One row per plan and event.",
        "automation",
        ("event_id",),
        {
            "event_id": pl.String(),
            "plan_id": pl.String(),
            "issue_id": pl.String(),
            "mitigation": pl.String(),
            "tier": pl.Int64(),
            "target": pl.String(),
            "item": pl.String(),
            "mode": pl.String(),
            "event": pl.String(),
            "state": pl.String(),
            "actor": pl.String(),
            "channel": pl.String(),
            "reason": pl.String(),
            "occurred_at": INSTANT,
            "known_at": INSTANT,
        },
    ),
    LakeTable(
        "playbook_targets",
        "Targets of playbook.yml: control systems where a state can be set. One row per target.",
        "decisioning",
        ("target",),
        {
            "target": pl.String(),
            "kind": pl.String(),
            "environment": pl.String(),
            "product": pl.String(),
            "service": pl.String(),
            "critical": pl.Boolean(),
        },
    ),
    LakeTable(
        "playbook_mitigations",
        "Mitigations of playbook.yml. One row per mitigation and issue type that it is for.",
        "decisioning",
        ("mitigation", "issue_type"),
        {
            **dict.fromkeys(("mitigation", "issue_type", "target", "item", "desired", "product"), pl.String()),
            **dict.fromkeys(("feature", "platform", "country", "suspect_kind", "service"), pl.String()),
            "tier": pl.Int64(),
            "least_priority": pl.String(),
            "least_signals": pl.Int64(),
            "least_confidence": pl.Float64(),
            "mode": pl.String(),
            "verify_metric": pl.String(),
            "verify_minutes": pl.Int64(),
            "cooldown_hours": pl.Float64(),
            "max_per_day": pl.Int64(),
            "undo": pl.String(),
        },
    ),
    LakeTable(
        "playbook_adoptions",
        "Days on which products adopted the loop, by playbook.yml. One row per product that it names.",
        "decisioning",
        ("product",),
        {"product": pl.String(), "adopted_at": INSTANT},
    ),
    LakeTable(
        "playbook_settings",
        "Thresholds and unit costs of playbook.yml. One row.",
        "decisioning",
        (),
        {"cost_currency": pl.String()}
        | dict.fromkeys(
            (
                *("open_score", "open_score_scoped", "close_score", "urgent_score", "min_excess", "min_ratio"),
                "urgent_score_confirmed",
                *("quiet_hours", "min_baseline_days", "regression_confidence", "no_regression_confidence"),
                *("min_evidence", "false_alarm_budget"),
                *("alone_alpha", "weight_verified_purchase", "weight_known_account", "weight_open_web"),
                *("weight_unknown", "weight_server", "weight_client"),
                *("rollback_alpha", "canned_people", "canned_days", "urgent_known_people", "urgent_people"),
                *("p1_from", "p2_from", "p3_from", "max_automatic_per_day", "breaker_after"),
                *("cost_support_contact", "cost_engineer_hour", "cost_hours_per_ticket", "cost_running_month"),
                "cost_wrong_act",
            ),
            pl.Float64(),
        ),
    ),
    LakeTable(
        "playbook_rules",
        "Rules of playbook.yml, defaults filled in. One row per issue type.",
        "decisioning",
        ("issue_type",),
        dict.fromkeys(
            ("issue_type", "priority_floor", "ticket_from", "action_regression", "action_otherwise", "links"),
            pl.String(),
        ),
    ),
)

LAKE_TABLES: Mapping[str, LakeTable] = {table.name: table for table in _TABLES}
"""Every table of the lake by its name."""

PLAYBOOK_TABLES = tuple(name for name, table in LAKE_TABLES.items() if table.writer == "decisioning")
"""Tables that a build writes, from the playbook."""


def schema_of(table: str) -> Columns:
    """The columns of a lake table, with their types."""
    return dict(LAKE_TABLES[table].columns)
