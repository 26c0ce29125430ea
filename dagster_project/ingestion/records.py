"""Raw records, rejects and counts that readers produce.

A record is what the source wrote, with its line number, before mapping and validation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dagster_project.outgoing import excerpt
from dagster_project.redaction import redact

RAW_LIMIT = 10_000
"""Maximum characters of a rejected record in quarantine."""

_READ = 4 * RAW_LIMIT
"""Characters of it that are searched for secrets, so that none is cut in two."""


def as_raw(value: object) -> str:
    """Any JSON value as text, for quarantine."""
    try:
        return raw(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, TypeError, RecursionError):  # a number of thousands of digits, or nesting without end
        return "a value that cannot be written as JSON"


def raw(text: str) -> str:
    """A rejected record as it is kept in quarantine: as it came, but without secrets of this system, and then cut."""
    return redact(text[:_READ])[:RAW_LIMIT]


@dataclass(frozen=True)
class Record:
    """One record: values by column name, and line number."""

    values: dict[str, Any]
    line: int | None = None

    def raw(self) -> str:
        """The record as text, for quarantine."""
        # Long values are cut first: a record may hold megabytes, or share one long value with a million others.
        values = list(self.values.items())[:RAW_LIMIT]
        return as_raw({str(name)[:_READ]: one[:_READ] if isinstance(one, str) else one for name, one in values})


@dataclass(frozen=True)
class Reject:
    """A record that could not be read or failed validation."""

    reason: str
    line: int | None = None
    raw: str = ""


def as_record(convert: Callable[[Any], dict[str, Any]], entry: Any, number: int | None) -> Record | Reject:
    """An entry converted to a record; one that the reader did not foresee is rejected alone."""
    try:
        return Record(convert(entry), number)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is not as the reader expects it: {error}"
        return Reject(f"the entry {excerpt(what)}", number, as_raw(entry))


@dataclass
class Replaced:
    """Overridden values: the first one, its line, and the number of rows."""

    value: str
    line: int | None
    rows: int = 0


@dataclass
class Tally:
    """Counts of records skipped on purpose, repaired, or overridden by a setting, by reason."""

    skipped: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, Replaced] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Count one skipped record."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def note(self, what: str) -> None:
        """Count one repaired record."""
        self.mended[what] = self.mended.get(what, 0) + 1

    def replace(self, what: str, value: object, line: int | None) -> None:
        """Count one overridden value."""
        self.replaced.setdefault(what, Replaced(str(value), line)).rows += 1

    def notes(self) -> list[str]:
        """Warnings about repairs and overrides, one line each."""
        found = [f"{count:,} × {what}" for what, count in self.mended.items()]
        for what, seen in self.replaced.items():
            setting = "constant" if what.startswith("constants.") else "rename"
            where = f", line {seen.line}" if seen.line else ""
            value = repr(excerpt(seen.value, 40))
            found.append(
                f"{what} in {seen.rows:,} row{'s' if seen.rows > 1 else ''} (first {value}{where}); "
                f"it is kept in attributes; take the {setting} out of the source if the file is right"
            )
        return found
