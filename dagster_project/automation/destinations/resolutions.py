"""What people mean by the word with which they close a ticket: that it is done, or that there was nothing to do."""

from __future__ import annotations

import re

from dagster_project.automation.ticket import ChangeKind, Resolution

REJECTIONS = (
    "rejected",
    "declined",
    "invalid",
    "not a bug",
    "not an issue",
    "no issue",
    "not a problem",
    "won't fix",
    "won't do",
    "not planned",
    "by design",
    "as designed",
    "works as designed",
    "working as intended",
    "false alarm",
    "false positive",
    "cannot reproduce",
    "not reproducible",
    "not solved (not reproducible)",
    "user error",
    "canceled",
    "cancelled",
)
"""Words that say so, whatever their case, spaces and marks. A duplicate is none: it was something, told elsewhere."""


def rejects(word: str) -> bool:
    """Whether closing a ticket with this word says that there was nothing to mend, or that nobody will."""
    return _plain(word) in _PLAIN


def resolution_of(*words: str) -> Resolution:
    """What closing a ticket with these words comes to."""
    return "rejected" if any(rejects(word) for word in words) else "resolved"


def may_be_ours(kind: ChangeKind, resolution: Resolution | None) -> bool:
    """Whether this system ever does such a thing to a ticket: under its own account, the rest was a person."""
    return kind != "comment" and resolution != "rejected"


def _plain(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.casefold())


_PLAIN = frozenset(map(_plain, REJECTIONS))
