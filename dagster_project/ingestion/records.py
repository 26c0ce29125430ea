"""Raw records and the file access of all readers: gzip, byte-order marks, undecodable bytes, truncated archives.

A record is what the source wrote, with its line number, before mapping and validation. A damaged file yields the good
records before the damage and one reject for the rest.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from dagster_project.errors import SourceError
from dagster_project.outgoing import excerpt
from dagster_project.redaction import redact

RAW_LIMIT = 10_000
"""Maximum characters of a rejected record in quarantine."""

_FIRST_LINE = 64 * 1024
"""Bytes searched for the end of the first line."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def raw(text: str) -> str:
    """A rejected record as it is kept in quarantine: as it came, but without secrets of this system, and then cut."""
    return redact(text)[:RAW_LIMIT]


@dataclass(frozen=True)
class Record:
    """One record: values by column name, and line number."""

    values: dict[str, Any]
    line: int | None = None

    def raw(self) -> str:
        """The record as text, for quarantine."""
        return raw(json.dumps(self.values, ensure_ascii=False, default=str))


@dataclass(frozen=True)
class Reject:
    """A record that could not be read or failed validation."""

    reason: str
    line: int | None = None
    raw: str = ""


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


def read_lines(path: Path, encoding: str = "") -> Iterator[str | Reject]:
    r"""Decoded lines of a text file with their ``\n``, gzip or not; a line that does not decode becomes a reject.

    Raises:
        SourceError: the file is empty, or does not decode at all; the message says what to do.
    """
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name} is empty; nothing was read from it")
    chosen = _marked_encoding(path) or encoding or "utf-8-sig"
    number, broken = 0, 0
    for number, line in enumerate(_lines(path, chosen), start=1):
        if isinstance(line, str | Reject):
            yield line
            continue
        try:
            yield line.decode(chosen)
        except UnicodeDecodeError as error:
            broken += 1
            reason = (
                f"the line is not {chosen} (byte {line[error.start]:#04x}); set `encoding` if the whole file is another"
            )
            yield Reject(reason, number, raw(line.decode(chosen, errors="replace")))
    if number and number == broken:
        raise SourceError(
            f"{path.name} is not {chosen} at all; set `encoding` of this source, for example latin-1 or utf-16"
        )


def read_json(path: Path, encoding: str = "") -> Any:
    """A whole JSON document, gzip or not.

    Raises:
        SourceError: the file is empty, damaged, or not JSON; the message says where.
    """
    parts = []
    for line in read_lines(path, encoding):
        if isinstance(line, Reject):
            raise SourceError(f"{path.name}: line {line.line}: {line.reason}")
        parts.append(line)
    try:
        return json.loads("".join(parts))
    except json.JSONDecodeError as error:
        raise SourceError(f"{path.name} is not JSON: {error.msg} at line {error.lineno}; export it again") from None


def is_gzip(path: Path) -> bool:
    """True if the file is gzip, by its first bytes."""
    with path.open("rb") as start:
        return start.read(2) == b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """Open the file in binary, decompressed if it is gzip."""
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def _head(path: Path, size: int) -> bytes:
    """First bytes, decompressed; empty if the archive is damaged there."""
    try:
        with open_bytes(path) as start:
            return start.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def _marked_encoding(path: Path) -> str:
    """Encoding by byte-order mark, or ''; it overrides the setting, as no text starts with one by chance."""
    head = _head(path, 4)
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")


def _carriage_returns(path: Path, encoding: str) -> bool:
    """True if the first line ends in a lone carriage return (old Mac programs)."""
    text = _head(path, _FIRST_LINE).decode(encoding, errors="ignore")
    found = re.search(r"\r+\n|\r(?!\Z)|\n", text)
    return found is not None and found[0] == "\r"


def _lines(path: Path, encoding: str) -> Iterator[bytes | str | Reject]:
    """Lines as bytes; as text in UTF-16 and UTF-32, whose line feed is several bytes."""
    number = 0
    # newline=None translates all line ends; not for ordinary files, whose texts may contain other line ends.
    newline = None if _carriage_returns(path, encoding) else "\n"
    wide = "16" in encoding or "32" in encoding
    try:
        with open_bytes(path) as source:
            lines: Iterable[bytes | str] = source
            if wide:
                lines = io.TextIOWrapper(source, encoding=encoding, errors="replace", newline=newline)
            elif newline is None:
                one_to_one = io.TextIOWrapper(source, encoding="latin-1", newline=None)
                lines = (line.encode("latin-1") for line in one_to_one)
            for line in lines:
                number += 1
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Reject(f"the gzip file ends early or is damaged after line {number} ({error}); send it again", number + 1)
