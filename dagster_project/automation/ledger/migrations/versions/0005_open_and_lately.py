"""Indexes by which open tickets, and those of the last hour, are found however many are over."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the two; the second takes the place of one that also named the owner, which nobody asked for."""
    op.create_index("intents_open", "intents", ["destination", "is_head", "action"])
    op.create_index("intents_lately", "intents", ["destination", "created_at"])
    op.drop_index("intents_owner", "intents")
