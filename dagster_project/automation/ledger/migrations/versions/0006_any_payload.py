"""Intents of any payload: subject instead of issue, actions of any name; plain names for outbox and cursors.

SQLite rebuilds ``intents`` and ``attempts`` (it changes neither a CHECK nor a type in place), which is why
``engine.upgrade`` suspends foreign keys. The audit log is not touched, so its chain of hashes stays.
"""

import sqlalchemy as sa
from alembic import op

from dagster_project.automation.ledger.tables import Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Rename, widen, and fill what is new from the tickets that were all there was."""
    _convert_intents(op.get_bind().dialect.name)
    op.drop_index("attempts_holding", "attempts", if_exists=True)
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("kind", new_column_name="action", type_=sa.String(40), existing_nullable=False)
        attempts.alter_column("hold_until", new_column_name="limited_until")
    op.create_index("attempts_limited", "attempts", ["destination", "limited_until"])
    op.alter_column("umbrella_members", "issue_id", new_column_name="subject_id")
    _replace_tellings()
    op.rename_table("pulls", "pull_cursors")
    op.alter_column("pull_cursors", "hold_until", new_column_name="limited_until")


def _convert_intents(dialect: str) -> None:
    op.add_column("intents", sa.Column("kind", sa.String(20), nullable=False, server_default="ticket"))
    op.add_column("intents", sa.Column("is_final", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("intents", sa.Column("title", sa.Text, nullable=False, server_default=""))
    read = "json_extract(payload, '$.title')" if dialect == "sqlite" else "(payload::json ->> 'title')"
    op.execute(sa.text(f"update intents set is_final = (action = 'resolve'), title = coalesce({read}, '')"))
    for index in ("intents_to_sweep", "intents_open"):
        op.drop_index(index, "intents")
    if dialect != "sqlite":
        op.execute(sa.text("alter table intents drop constraint if exists create_is_first"))
    # The rebuilt table has the constraints that SQLAlchemy reflects: since its version 2.1 that includes a CHECK.
    reflected = sa.Table("intents", sa.MetaData(), autoload_with=op.get_bind())
    with op.batch_alter_table("intents") as intents:
        if "create_is_first" in {constraint.name for constraint in reflected.constraints}:
            intents.drop_constraint("create_is_first", type_="check")
        intents.alter_column("issue_id", new_column_name="subject_id")
        intents.alter_column("swept_at", new_column_name="duplicates_checked_at")
        intents.alter_column("sweeps", new_column_name="duplicate_checks")
        intents.alter_column("action", type_=sa.String(40), existing_nullable=False)
        intents.alter_column("marker", type_=sa.String(64), existing_nullable=False)
        for filled in ("kind", "is_final", "title"):  # from here on every writer says what it writes
            intents.alter_column(filled, server_default=None)
        intents.create_check_constraint("sequence_starts_at_0", "sequence >= 0")
    op.create_index("intents_duplicate_checks", "intents", ["destination", "sequence", "duplicate_checks"])
    op.create_index("intents_open", "intents", ["destination", "is_head", "is_final"])


def _replace_tellings() -> None:
    op.create_table(
        "event_outbox",
        sa.Column("entry_id", sa.Integer, primary_key=True),
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("event_id", sa.String(32), nullable=False),
        sa.Column("intent_id", sa.String(32), sa.ForeignKey("intents.intent_id"), nullable=False, index=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("not_before", Instant, nullable=False),
        sa.Column("limited_until", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("delivered_at", Instant),
        sa.UniqueConstraint("sink", "event_id", name="one_entry_per_event"),
    )
    kept = "event_id, intent_id, event, attempts, reason, not_before"
    op.execute(
        sa.text(
            f"insert into event_outbox (sink, {kept}, limited_until, created_at, delivered_at)"
            f" select destination, {kept}, hold_until, created_at, told_at from tellings order by telling_id"
        )
    )
    op.drop_table("tellings")
    op.create_index("event_outbox_due", "event_outbox", ["sink", "delivered_at", "not_before"])
    op.create_index("event_outbox_limited", "event_outbox", ["sink", "limited_until"])
