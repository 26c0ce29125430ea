"""Resolutions of closed tickets, by the tools' words: fixed, or rejected ("not a bug", "won't fix")."""

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
"""Words of a rejection, whatever their case, spaces and marks. Not a duplicate: that is reported elsewhere."""


def rejects(word: str) -> bool:
    """True if this resolution means "not a bug" or "won't fix"."""
    return _plain(word) in _PLAIN


def resolution_of(*words: str) -> Resolution:
    """The resolution that these words of a closed ticket mean."""
    return "rejected" if any(rejects(word) for word in words) else "resolved"


def may_be_ours(kind: ChangeKind, resolution: Resolution | None) -> bool:
    """True if this system makes such a change itself; under its own account, any other change is a person's."""
    return kind != "comment" and resolution != "rejected"


def _plain(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.casefold())


_PLAIN = frozenset(map(_plain, REJECTIONS))
