"""Tables of the ledger: intents, attempts, audit log, proposals, umbrellas, event outbox, pull cursors, meta, epochs.

``intents`` holds one row per outbound write. The intents of one subject at one destination are numbered: 0 opens, each
later one changes it or is final, and a number is only given once the one before it is confirmed. So the plain unique
constraint on (destination, subject_id, sequence) allows one opening write ever and one open intent at a time, on any
database. What a payload is, and which actions there are, is the caller's business. ``attempts`` and ``audit`` are
append-only; the audit rows are chained by hashes, which cover payloads and attempts as well (``audit.py``). An epoch
begins where the ledger was found to be behind what others know (``continuity.py``). Alembic makes and upgrades the
tables (``migrations/``). No module outside this package names a table.
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
    Column("kind", String(20), nullable=False),  # of the payload: ticket, ...
    Column("subject_id", String(200), nullable=False),  # what the write is about: an issue, ...
    Column("destination", String(100), nullable=False),
    Column("sequence", Integer, nullable=False),  # 0 opens
    Column("action", String(40), nullable=False),  # the caller's word
    Column("is_final", Boolean, nullable=False),  # once confirmed, nothing more is due
    Column("state", String(10), nullable=False, index=True),
    Column("marker", String(64), nullable=False),  # idempotency key
    Column("title", Text, nullable=False),  # one line for people, text already masked
    Column("payload_hash", String(64), nullable=False),
    Column("payload", Text, nullable=False),  # JSON as the caller wrote it, text already masked
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
    Column("is_head", Boolean, nullable=False, default=True),  # the newest of its subject and destination
    Column("duplicates_checked_at", Instant),  # of an opening write: the last check for duplicates
    Column("duplicate_checks", Integer, nullable=False, default=0),
    Index("intents_duplicate_checks", "destination", "sequence", "duplicate_checks"),
    Index("intents_heads", "destination", "is_head", "state"),
    Index("intents_open", "destination", "is_head", "is_final"),
    Index("intents_lately", "destination", "created_at"),
    Index("intents_to_export", "exported_at", "confirmed_at"),
    Index("intents_markers", "destination", "marker"),
    UniqueConstraint("destination", "subject_id", "sequence", name="one_intent_at_a_time"),
    CheckConstraint("sequence >= 0", name="sequence_starts_at_0"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", Integer, primary_key=True),
    Column("intent_id", String(32), ForeignKey("intents.intent_id"), nullable=False, index=True),
    Column("destination", String(100), nullable=False),
    Column("action", String(40), nullable=False),  # the intent's, or look_up
    Column("outcome", String(12), nullable=False),
    Column("reason", Text, nullable=False),
    Column("limited_until", Instant),  # a rate limit: nothing goes to this destination before
    Column("at", Instant, nullable=False),
    Index("attempts_limited", "destination", "limited_until"),
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
    Column("covers", Text, nullable=False, default=""),  # JSON: hashes of the payload and attempts of this step
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
    Column("subject_id", String(200), primary_key=True),
    Column("umbrella_id", String(200), nullable=False, index=True),
    Column("joined_at", Instant, nullable=False),
)

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("entry_id", Integer, primary_key=True),
    Column("sink", String(100), nullable=False),  # the destination that is to get the event
    Column("event_id", String(32), nullable=False),
    Column("intent_id", String(32), ForeignKey("intents.intent_id"), index=True),  # the write; null for a proposal's
    Column("event", Text, nullable=False),  # JSON: a CloudEvent
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),  # of the last failure
    Column("not_before", Instant, nullable=False),
    Column("limited_until", Instant),  # a rate limit, as in attempts
    Column("created_at", Instant, nullable=False),
    Column("delivered_at", Instant),
    Index("event_outbox_due", "sink", "delivered_at", "not_before"),
    Index("event_outbox_limited", "sink", "limited_until"),
    UniqueConstraint("sink", "event_id", name="one_entry_per_event"),
)

pull_cursors = Table(
    "pull_cursors",
    metadata,
    Column("destination", String(100), primary_key=True),
    Column("pulled_until", Instant),  # what people did there until then is in the lake
    Column("limited_until", Instant),  # a rate limit that a pull met, as in attempts
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(200), primary_key=True),  # ledger_id, place:DESTINATION, pushed:DESTINATION, ...
    Column("value", Text, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("proposal_id", String(64), primary_key=True),  # SHA-256 of the content
    Column("kind", String(20), nullable=False),
    Column("subject_id", String(200), nullable=False, index=True),  # what it is about: an issue
    Column("place", String(300), nullable=False, index=True),  # what it changes; one proposal at a time holds it
    Column("state", String(10), nullable=False, index=True),
    Column("content", Text, nullable=False),  # JSON as the caller wrote it
    Column("proposer", String(100), nullable=False),
    Column("applied", Text),  # JSON: the place as the act left it
    Column("reason", Text, nullable=False, default=""),  # of the last move, for people
    Column("moves", Integer, nullable=False, default=0),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

proposal_events = Table(
    "proposal_events",
    metadata,
    Column("event_id", Integer, primary_key=True),
    Column("proposal_id", String(64), ForeignKey("proposals.proposal_id"), nullable=False, index=True),
    Column("event", String(40), nullable=False),
    Column("state", String(10), nullable=False),  # after the event
    Column("actor", String(100), nullable=False),
    Column("channel", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("key", String(64)),  # idempotency key of what came from outside: a comment
    Column("at", Instant, nullable=False),
    UniqueConstraint("key", name="one_event_per_key"),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("token_hash", String(64), nullable=False),  # SHA-256; the token itself is kept nowhere
    Column("issued_at", Instant, nullable=False),
)

epochs = Table(
    "epochs",
    metadata,
    Column("epoch_id", Integer, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("trusted_until", Instant),  # the last audit row of the ledger that was found to be behind
    Column("after_attempt", Integer, nullable=False),  # its last attempt: later numbers may have been given before
    Column("reason", Text, nullable=False),
)

birth = Table(
    "schema_version",  # its name from before there were migrations
    metadata,
    Column("version", Integer, primary_key=True),
    Column("born_at", Instant, nullable=False),  # issues detected before may have a ticket that this ledger never saw
)
