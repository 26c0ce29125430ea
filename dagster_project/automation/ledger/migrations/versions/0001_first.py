"""The first ledger: intents, attempts, audit, and when it was born.

Ledgers from before there were migrations have these tables already, and keep them.
"""

import sqlalchemy as sa
from alembic import context, op

from dagster_project.automation.ledger.tables import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, unless they are there."""
    if sa.inspect(op.get_bind()).has_table("intents"):
        return
    op.create_table(
        "intents",
        sa.Column("intent_id", sa.String(32), primary_key=True),
        sa.Column("issue_id", sa.String(200), nullable=False),
        sa.Column("destination", sa.String(100), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False, index=True),
        sa.Column("marker", sa.String(32), nullable=False),
        sa.Column("payload_hash", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("external_id", sa.String(200)),
        sa.Column("url", sa.String(2000)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", Instant, nullable=False),
        sa.Column("lease_until", Instant),
        sa.Column("confirmed_at", Instant),
        sa.Column("exported_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.UniqueConstraint("destination", "issue_id", "sequence", name="one_intent_at_a_time"),
        sa.CheckConstraint(
            "(sequence = 0 and action = 'create') or (sequence > 0 and action <> 'create')", name="create_is_first"
        ),
    )
    op.create_table(
        "attempts",
        sa.Column("attempt_id", sa.Integer, primary_key=True),
        sa.Column("intent_id", sa.String(32), sa.ForeignKey("intents.intent_id"), nullable=False, index=True),
        sa.Column("destination", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("hold_until", Instant),
        sa.Column("at", Instant, nullable=False),
    )
    op.create_index("attempts_holding", "attempts", ["destination", "hold_until"])
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.Integer, primary_key=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("intent_id", sa.String(32), index=True),
        sa.Column("detail", sa.Text, nullable=False),
    )
    birth = op.create_table(
        "schema_version",
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("born_at", Instant, nullable=False),
    )
    op.bulk_insert(birth, [{"version": 1, "born_at": context.config.attributes["now"]}])
