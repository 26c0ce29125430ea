"""Proposals with their events, and the tokens of those who approve them; events about proposals have no intent.

SQLite rebuilds ``event_outbox``, as it drops no constraint in place.
"""

import sqlalchemy as sa
from alembic import op

from dagster_project.automation.ledger.tables import Instant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the three tables, whose events are append-only, and let the outbox hold events about them."""
    op.create_table(
        "proposals",
        sa.Column("proposal_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.String(200), nullable=False, index=True),
        sa.Column("place", sa.String(300), nullable=False, index=True),
        sa.Column("state", sa.String(10), nullable=False, index=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("proposer", sa.String(100), nullable=False),
        sa.Column("applied", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("moves", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
    )
    op.create_table(
        "proposal_events",
        sa.Column("event_id", sa.Integer, primary_key=True),
        sa.Column("proposal_id", sa.String(64), sa.ForeignKey("proposals.proposal_id"), nullable=False, index=True),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("channel", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("key", sa.String(64)),
        sa.Column("at", Instant, nullable=False),
        sa.UniqueConstraint("key", name="one_event_per_key"),
    )
    op.create_table(
        "access_tokens",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("issued_at", Instant, nullable=False),
    )
    _make_events_append_only(op.get_bind())
    with op.batch_alter_table("event_outbox") as outbox:
        outbox.alter_column("intent_id", existing_type=sa.String(32), nullable=True)


def _make_events_append_only(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.exec_driver_sql(
                f"create trigger proposal_events_no_{verb} before {verb} on proposal_events"
                " begin select raise(abort, 'proposal events are append-only'); end"
            )
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "create trigger proposal_events_append_only before update or delete on proposal_events"
            " for each statement execute function audit_is_append_only()"
        )
