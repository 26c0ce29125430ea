"""The tables of the ledger, and the engine that reaches them.

``intents`` holds one row per outbound write. The intents of one issue at one destination are numbered: 0 opens the
ticket, each later one updates or resolves it, and a new number is only given once the one before it is confirmed. So
the plain unique constraint on (destination, issue_id, sequence) allows one create ever and one open intent at a time,
on any database. ``attempts`` holds each try at an intent, ``audit`` what happened, in order and chained by hashes
(``audit.py``); both only grow. ``tellings`` holds events about confirmed writes, for sinks of events. The tables are
made and brought up to date by Alembic (``migrations/``).
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class Instant(TypeDecorator[datetime]):
    """An instant, always UTC: databases without time zones keep it as UTC, and it comes back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse an instant whose zone is not known, rather than guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the ledger needs instants with a time zone, got {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every instant back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

intents = Table(
    "intents",
    metadata,
    Column("intent_id", String(32), primary_key=True),
    Column("issue_id", String(200), nullable=False),
    Column("destination", String(100), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("action", String(10), nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("marker", String(32), nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("payload", Text, nullable=False),  # JSON: the ticket as rendered, text already masked
    Column("external_id", String(200)),
    Column("url", String(2000)),
    Column("reason", Text, nullable=False, default=""),  # of the last outcome, for people
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Instant, nullable=False),  # neither sent nor looked up before this
    Column("lease_until", Instant),  # while sending: when another run may conclude that this one died
    Column("confirmed_at", Instant),
    Column("exported_at", Instant),  # when the confirmation reached the lake
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("owner", String(100), nullable=False, default=""),
    Column("is_head", Boolean, nullable=False, default=True),  # the newest of its issue and destination
    Column("swept_at", Instant),  # of a create: when its twins, if it had any, were looked for
    Column("sweeps", Integer, nullable=False, default=0),
    Index("intents_to_sweep", "destination", "action", "sweeps"),
    Index("intents_heads", "destination", "is_head", "state"),
    Index("intents_open", "destination", "is_head", "action"),
    Index("intents_lately", "destination", "created_at"),
    Index("intents_to_export", "exported_at", "confirmed_at"),
    Index("intents_markers", "destination", "marker"),
    UniqueConstraint("destination", "issue_id", "sequence", name="one_intent_at_a_time"),
    CheckConstraint(
        "(sequence = 0 and action = 'create') or (sequence > 0 and action <> 'create')", name="create_is_first"
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", Integer, primary_key=True),
    Column("intent_id", String(32), ForeignKey("intents.intent_id"), nullable=False, index=True),
    Column("destination", String(100), nullable=False),
    Column("kind", String(10), nullable=False),  # create, update, resolve, or look_up
    Column("outcome", String(12), nullable=False),
    Column("reason", Text, nullable=False),
    Column("hold_until", Instant),  # a rate limit: nothing goes to this destination before
    Column("at", Instant, nullable=False),
    Index("attempts_holding", "destination", "hold_until"),
)

audit = Table(
    "audit",
    metadata,
    Column("audit_id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("event", String(100), nullable=False),
    Column("intent_id", String(32), index=True),
    Column("detail", Text, nullable=False),  # JSON
    Column("basis", Text, nullable=False, default=""),  # on what grounds: priority, verdict, signals
    Column("confidence", Float),  # 0-1, of the verdict behind it
    Column("hash", String(64), nullable=False, default=""),
)

audit_end = Table(
    "audit_end",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1; whoever adds to the log holds this row
    Column("audit_id", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

umbrella_members = Table(
    "umbrella_members",
    metadata,
    Column("destination", String(100), primary_key=True),
    Column("issue_id", String(200), primary_key=True),
    Column("umbrella_id", String(200), nullable=False, index=True),
    Column("joined_at", Instant, nullable=False),
)

tellings = Table(
    "tellings",
    metadata,
    Column("telling_id", Integer, primary_key=True),
    Column("destination", String(100), nullable=False),  # the sink
    Column("event_id", String(32), nullable=False),
    Column("intent_id", String(32), ForeignKey("intents.intent_id"), nullable=False, index=True),  # what it tells of
    Column("event", Text, nullable=False),  # JSON: a CloudEvent
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),  # why it was not told the last time
    Column("not_before", Instant, nullable=False),
    Column("hold_until", Instant),  # a rate limit, as in attempts
    Column("created_at", Instant, nullable=False),
    Column("told_at", Instant),
    Index("tellings_due", "destination", "told_at", "not_before"),
    Index("tellings_holding", "destination", "hold_until"),
    UniqueConstraint("destination", "event_id", name="one_telling_each"),
)

pulls = Table(
    "pulls",
    metadata,
    Column("destination", String(100), primary_key=True),
    Column("pulled_until", Instant),  # what people did there until then is in the lake
    Column("hold_until", Instant),  # a rate limit that a pull met: nothing goes to this destination before
)

birth = Table(
    "schema_version",  # its name from before there were migrations
    metadata,
    Column("version", Integer, primary_key=True),
    Column("born_at", Instant, nullable=False),  # issues detected before may have a ticket that this ledger never saw
)
