"""Personal access tokens: identity of a person on the command line. Shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, insert, select

from dagster_project.automation.ledger.store import Store, take_turns
from dagster_project.automation.ledger.tables import access_tokens

PREFIX = "fct_"
"""Beginning of every token, so that scanners for leaked secrets find it."""


class AccessTokens:
    """Tokens of one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def issue(self, name: str, now: datetime) -> str:
        """A new token for a person; the one before no longer works."""
        token = PREFIX + secrets.token_urlsafe(24)
        row = {"name": name, "token_hash": _hash(token), "issued_at": now}
        with self._store.transaction() as connection:
            take_turns(connection)
            connection.execute(delete(access_tokens).where(access_tokens.c.name == name))
            connection.execute(insert(access_tokens), row)
            self._store.note(connection, now, "access token issued", None, {"name": name})
        return token

    def revoke(self, name: str, now: datetime) -> bool:
        """Let a person's token no longer work; False if there is none."""
        with self._store.transaction() as connection:
            take_turns(connection)
            revoked = connection.execute(delete(access_tokens).where(access_tokens.c.name == name)).rowcount == 1
            if revoked:
                self._store.note(connection, now, "access token revoked", None, {"name": name})
        return revoked

    def holder(self, token: str) -> str | None:
        """The person whose token this is."""
        # The token is random and long: its hash needs no salt, and looking it up leaks nothing.
        with self._store.reading() as connection:
            query = select(access_tokens.c.name).where(access_tokens.c.token_hash == _hash(token))
            name: str | None = connection.execute(query).scalar()
        return name

    def names(self) -> dict[str, datetime]:
        """The people who have a token, and since when."""
        with self._store.reading() as connection:
            rows = connection.execute(select(access_tokens.c.name, access_tokens.c.issued_at)).all()
        return {str(row[0]): row[1] for row in rows}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
