"""Pull cursor of each destination, and tickets by their markers."""

import sqlalchemy as sa
from alembic import op

from dagster_project.automation.ledger.tables import Instant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what is new; everything is read from the beginning."""
    op.create_table(
        "pulls",
        sa.Column("destination", sa.String(100), primary_key=True),
        sa.Column("pulled_until", Instant),
        sa.Column("hold_until", Instant),
    )
    op.create_index("intents_markers", "intents", ["destination", "marker"])
