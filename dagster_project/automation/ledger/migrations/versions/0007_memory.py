"""Ledger id, epochs, and a hash chain that covers payloads and attempts; attempts become append-only.

The hash of an audit row covers ``covers`` only where that is not empty, so older rows keep their hashes. What the log
did not cover until now is covered by rows that this migration appends.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from dagster_project.automation.ledger.audit import attempts_digest, chained, sha
from dagster_project.automation.ledger.tables import Instant

revision = "0007"
down_revision = "0006"

_A_ROW = 500  # payloads that one audit row covers


def upgrade() -> None:
    """Add what is new, and cover what is there."""
    op.add_column("audit", sa.Column("covers", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "meta", sa.Column("name", sa.String(200), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.create_table(
        "epochs",
        sa.Column("epoch_id", sa.Integer, primary_key=True),
        sa.Column("began_at", Instant, nullable=False),
        sa.Column("trusted_until", Instant),
        sa.Column("after_attempt", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    connection = op.get_bind()
    name_it = sa.text("insert into meta (name, value) values ('ledger_id', :id)")
    connection.execute(name_it, {"id": _ledger_id(connection)})
    _cover(connection, context.config.attributes["now"])
    _make_attempts_append_only(connection)


def _ledger_id(connection: sa.Connection) -> str:
    """A new id; for a ledger of an earlier version one that each copy of it, put back and upgraded, has again."""
    first = connection.execute(sa.text("select hash from audit order by audit_id limit 1")).scalar()
    return hashlib.sha256(f"ledger {first}".encode()).hexdigest()[:32] if first else secrets.token_hex(16)


def _cover(connection: sa.Connection, now: datetime) -> None:
    audit = sa.table(
        "audit",
        *(sa.column(name) for name in ("actor", "event", "intent_id", "detail", "basis", "confidence")),
        *(sa.column(name) for name in ("hash", "covers")),
        sa.column("at", Instant),
    )
    for covers in _uncovered(connection):
        link = str(connection.execute(sa.text("select hash from audit_end")).scalar_one())
        row = {"at": now, "actor": "upgrade", "event": "covered by the log", "intent_id": None, "detail": "{}"}
        row |= {"basis": "", "confidence": None, "covers": json.dumps(covers, sort_keys=True)}
        connection.execute(sa.insert(audit).values(**row, hash=(link := chained(link, row))))
        end = sa.text("update audit_end set audit_id = (select max(audit_id) from audit), hash = :link")
        connection.execute(end, {"link": link})


def _uncovered(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    found = connection.execute(sa.text("select intent_id, payload from intents order by intent_id")).all()
    for start in range(0, len(found), _A_ROW):
        yield {"payloads": {row[0]: sha(row[1]) for row in found[start : start + _A_ROW]}}
    columns = sa.table("attempts", *(sa.column(name) for name in _ATTEMPT), sa.column("at", Instant))
    attempts = [dict(row) for row in connection.execute(sa.select(columns).order_by("attempt_id")).mappings()]
    if attempts:
        yield {"attempts_until": attempts[-1]["attempt_id"], "sha": attempts_digest(attempts)}


_ATTEMPT = ("attempt_id", "intent_id", "destination", "action", "outcome", "reason")


def _make_attempts_append_only(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.exec_driver_sql(
                f"create trigger attempts_no_{verb} before {verb} on attempts"
                " begin select raise(abort, 'attempts are append-only'); end"
            )
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "create trigger attempts_append_only before update or delete on attempts"
            " for each statement execute function audit_is_append_only()"
        )
