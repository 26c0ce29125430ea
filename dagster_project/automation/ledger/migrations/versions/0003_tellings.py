"""Events about tickets, and which sink is still to be told of them."""

import sqlalchemy as sa
from alembic import op

from dagster_project.automation.ledger.tables import Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table; what happened before is not told."""
    op.create_table(
        "tellings",
        sa.Column("telling_id", sa.Integer, primary_key=True),
        sa.Column("destination", sa.String(100), nullable=False),
        sa.Column("event_id", sa.String(32), nullable=False),
        sa.Column("intent_id", sa.String(32), sa.ForeignKey("intents.intent_id"), nullable=False, index=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("not_before", Instant, nullable=False),
        sa.Column("hold_until", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("told_at", Instant),
        sa.UniqueConstraint("destination", "event_id", name="one_telling_each"),
    )
    op.create_index("tellings_due", "tellings", ["destination", "told_at", "not_before"])
    op.create_index("tellings_holding", "tellings", ["destination", "hold_until"])
