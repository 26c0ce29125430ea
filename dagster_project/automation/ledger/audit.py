"""Audit log as a hash chain: each row's hash covers the row and the hash before it, so changes and deletions show.

The chain alone cannot show that its end was cut off and written anew. To rule that out, keep the hash that
``feedback-control audit verify`` prints somewhere else, and pass it back with ``--expect``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FIRST = "0" * 64
"""Link of the first row: the hash before there is one."""


def chained(link: str, row: Mapping[str, Any]) -> str:
    """The hash of a row that follows a row with the hash ``link``: SHA-256, hexadecimal."""
    covered = [
        link,
        row["at"].isoformat(timespec="microseconds"),
        row["actor"],
        row["event"],
        row["intent_id"],
        row["detail"],
        row["basis"],
        row["confidence"],
    ]
    return hashlib.sha256(json.dumps(covered, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Verification:
    """Result of a walk along the chain; ``broken_at`` is the first row that does not fit, ``end`` the last hash."""

    rows: int
    end: str
    broken_at: int | None = None
    knows_expected: bool = True

    @property
    def holds(self) -> bool:
        """True if nothing was changed, as far as a chain can tell."""
        return self.broken_at is None and self.knows_expected


def verify(rows: Iterable[Mapping[str, Any]], end: tuple[int, str], expected: str | None = None) -> Verification:
    """Walk along all rows, oldest first.

    Args:
        rows: the audit log.
        end: number and hash of the last row, as the ledger keeps them beside the log.
        expected: a hash that an earlier verification printed; it must still be on the chain.
    """
    link, last, count = FIRST, 0, 0
    known = expected is None or expected == FIRST
    for row in rows:
        link = chained(link, row)
        if link != row["hash"]:
            return Verification(count, link, broken_at=row["audit_id"])
        last, count = row["audit_id"], count + 1
        known = known or link == expected
    return Verification(count, link, None if (last, link) == end else end[0], known)
