"""Owners, umbrellas, sweeps; and an audit log that is chained by hashes and cannot be changed.

``is_head`` makes finding what is open independent of how much was ever sent.
"""

import json

import sqlalchemy as sa
from alembic import op

from dagster_project.automation.ledger.audit import FIRST, chained
from dagster_project.automation.ledger.tables import Instant

revision = "0002"
down_revision = "0001"

_FORBID = ("update", "delete")


def upgrade() -> None:
    """Add what is new, and fill it for what was there."""
    op.add_column("intents", sa.Column("owner", sa.String(100), nullable=False, server_default=""))
    op.add_column("intents", sa.Column("is_head", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("intents", sa.Column("swept_at", Instant))
    op.add_column("intents", sa.Column("sweeps", sa.Integer, nullable=False, server_default="0"))
    op.create_index("intents_to_sweep", "intents", ["destination", "action", "sweeps"])
    op.create_index("intents_heads", "intents", ["destination", "is_head", "state"])
    op.create_index("intents_owner", "intents", ["destination", "owner", "created_at"])
    op.create_index("intents_to_export", "intents", ["exported_at", "confirmed_at"])
    op.add_column("audit", sa.Column("basis", sa.Text, nullable=False, server_default=""))
    op.add_column("audit", sa.Column("confidence", sa.Float))
    op.add_column("audit", sa.Column("hash", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "audit_end",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("audit_id", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "umbrella_members",
        sa.Column("destination", sa.String(100), primary_key=True),
        sa.Column("issue_id", sa.String(200), primary_key=True),
        sa.Column("umbrella_id", sa.String(200), nullable=False, index=True),
        sa.Column("joined_at", Instant, nullable=False),
    )
    _fill_intents(op.get_bind())
    _chain_what_was_there(op.get_bind())
    _make_audit_append_only(op.get_bind())


def _fill_intents(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "update intents set is_head = (not exists (select 1 from intents as later where"
            " later.destination = intents.destination and later.issue_id = intents.issue_id"
            " and later.sequence = intents.sequence + 1)), swept_at = updated_at, sweeps = 2"
        )
    )
    for row in connection.execute(sa.text("select intent_id, payload from intents")).mappings().all():
        owner = {"owner": json.loads(row["payload"])["owner"], "intent_id": row["intent_id"]}
        connection.execute(sa.text("update intents set owner = :owner where intent_id = :intent_id"), owner)


def _chain_what_was_there(connection: sa.Connection) -> None:
    audit = sa.table(
        "audit",
        *(sa.column(name) for name in ("audit_id", "actor", "event", "intent_id", "detail", "hash")),
        sa.column("at", Instant),
    )
    last, link = 0, FIRST
    rows = connection.execute(
        sa.select(
            audit.c.audit_id, audit.c.at, audit.c.actor, audit.c.event, audit.c.intent_id, audit.c.detail
        ).order_by(audit.c.audit_id)
    ).mappings()
    for row in rows.all():
        link = chained(link, {**row, "basis": "", "confidence": None})
        last = row["audit_id"]
        connection.execute(sa.update(audit).where(audit.c.audit_id == last).values(hash=link))
    connection.execute(sa.text("insert into audit_end values (1, :last, :link)"), {"last": last, "link": link})


def _make_audit_append_only(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        for verb in _FORBID:
            connection.exec_driver_sql(
                f"create trigger audit_no_{verb} before {verb} on audit"
                " begin select raise(abort, 'the audit log is append-only'); end"
            )
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "create function audit_is_append_only() returns trigger language plpgsql as"
            " $$ begin raise exception 'the audit log is append-only'; end $$"
        )
        connection.exec_driver_sql(
            f"create trigger audit_append_only before {' or '.join(_FORBID)} on audit"
            " for each statement execute function audit_is_append_only()"
        )
