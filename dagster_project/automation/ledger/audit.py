"""Audit log as a hash chain: each row's hash covers the row, its step's payload and attempts, and the hash before.

So changed, added and deleted rows show, in the log itself, in the intents' payloads and in the attempts. The chain
alone cannot show that its end was cut off and written anew: the head file does (``head.py``), and so does the hash that
``feedback-control audit verify`` prints, if it is kept elsewhere and passed back with ``--expect``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
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
    if row.get("covers"):  # rows of versions before 0007 have none, and keep their hashes
        covered.append(row["covers"])
    return sha(json.dumps(covered, ensure_ascii=False))


def sha(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def attempt_digest(row: Mapping[str, Any]) -> str:
    """Hash of one attempt."""
    content = [row[name] for name in ("intent_id", "destination", "action", "outcome", "reason")]
    return sha(json.dumps([*content, row["at"].astimezone(UTC).isoformat(timespec="microseconds")], ensure_ascii=False))


def attempts_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Hash of several attempts with their numbers, in order."""
    return sha(json.dumps([[row["attempt_id"], attempt_digest(row)] for row in rows]))


@dataclass
class Covered:
    """Hashes that the log holds: of each intent's newest payload, of each attempt, of all up to a number."""

    payloads: dict[str, str] = field(default_factory=dict)
    attempts: dict[int, str] = field(default_factory=dict)
    until: int = 0
    until_sha: str = ""

    def add(self, intent_id: str | None, covers: str) -> None:
        """Take in the hashes of one row, which replace those of the rows before it."""
        content = json.loads(covers) if covers else {}
        self.payloads |= content.get("payloads", {})
        if intent_id and "payload" in content:
            self.payloads[intent_id] = content["payload"]
        self.attempts |= {int(number): digest for number, digest in content.get("attempts", {}).items()}
        if "attempts_until" in content:
            self.until, self.until_sha = content["attempts_until"], content["sha"]

    def differences(self, payloads: Iterable[tuple[str, str]], attempts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """The payloads and attempts that are not as the log has them."""
        expected = dict(self.payloads)
        for intent_id, payload in payloads:
            if expected.pop(intent_id, None) != sha(payload):
                yield f"the payload of intent {intent_id} is not the one that was recorded"
        yield from (f"intent {intent_id} was taken out" for intent_id in expected)
        early, known = [], dict(self.attempts)
        for row in attempts:
            if row["attempt_id"] <= self.until:
                early.append(row)
            elif known.pop(row["attempt_id"], None) != attempt_digest(row):
                yield f"attempt {row['attempt_id']} is not the one that was recorded"
        yield from (f"attempt {number} was taken out" for number in known)
        if self.until and attempts_digest(early) != self.until_sha:
            yield f"an attempt up to number {self.until} was changed or taken out"


@dataclass(frozen=True)
class Verification:
    """Result of a walk along the chain; ``broken_at`` is the first row that does not fit, ``end`` the last hash.

    ``problems`` are payloads and attempts that differ from the log, and a head file that the log does not have.
    """

    rows: int
    end: str
    broken_at: int | None = None
    knows_expected: bool = True
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True if nothing was changed, as far as a chain can tell."""
        return self.broken_at is None and self.knows_expected and not self.problems


def verify(
    rows: Iterable[Mapping[str, Any]], end: tuple[int, str], expected: str | None, covered: Covered
) -> Verification:
    """Walk along all rows, oldest first.

    Args:
        rows: the audit log.
        end: number and hash of the last row, as the ledger keeps them beside the log.
        expected: a hash that an earlier verification printed; it must still be on the chain.
        covered: filled with the hashes of payloads and attempts that the log holds.
    """
    link, last, count = FIRST, 0, 0
    known = expected is None or expected == FIRST
    for row in rows:
        link = chained(link, row)
        if link != row["hash"]:
            return Verification(count, link, broken_at=row["audit_id"])
        last, count = row["audit_id"], count + 1
        covered.add(row["intent_id"], row["covers"])
        known = known or link == expected
    return Verification(count, link, None if (last, link) == end else end[0], known)
