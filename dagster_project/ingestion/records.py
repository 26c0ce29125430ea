"""What readers yield: records as their source wrote them, with the place they came from, before any contract.

Opening a file is shared by all readers: gzip or not, byte-order marks, undecodable bytes and truncated archives are met
here, so that a damaged file gives the good records before the damage and one reject for the rest.
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

RAW_LIMIT = 10_000
"""Characters of a rejected record that quarantine keeps."""

_FIRST_LINE = 64 * 1024
"""Bytes in which the first line's end is looked for."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Record:
    """One record of a source: its values by column name, and where it stood."""

    values: dict[str, Any]
    line: int | None = None

    def raw(self) -> str:
        """The record as text, for quarantine."""
        return json.dumps(self.values, ensure_ascii=False, default=str)[:RAW_LIMIT]


@dataclass(frozen=True)
class Reject:
    """One record that could not even be read."""

    reason: str
    line: int | None = None
    raw: str = ""


@dataclass
class Replaced:
    """Values of a source that a setting displaced: the first, where it stood, and how many."""

    value: str
    line: int | None
    rows: int = 0


@dataclass
class Tally:
    """What a reader leaves out on purpose, and what it mended on the way, by reason; counted, never silent."""

    skipped: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, Replaced] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Count one record left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def note(self, what: str) -> None:
        """Count one record mended."""
        self.mended[what] = self.mended.get(what, 0) + 1

    def replace(self, what: str, value: object, line: int | None) -> None:
        """Count one value of the source that a setting displaced."""
        self.replaced.setdefault(what, Replaced(str(value), line)).rows += 1

    def notes(self) -> list[str]:
        """What a person should know of, one line each, without what was left out."""
        found = [f"{count:,} × {what}" for what, count in self.mended.items()]
        for what, seen in self.replaced.items():
            setting = "constant" if what.startswith("constants.") else "rename"
            where = f", line {seen.line}" if seen.line else ""
            value = repr(seen.value if len(seen.value) <= 40 else seen.value[:37] + "...")
            found.append(
                f"{what} in {seen.rows:,} row{'s' if seen.rows > 1 else ''} (first {value}{where}); "
                f"it is kept in attributes; take the {setting} out of the source if the file is right"
            )
        return found


def read_lines(path: Path, encoding: str = "") -> Iterator[str | Reject]:
    r"""The lines of a text file with their ``\n``, gzip or not, decoded; rejects stand where a line could not be read.

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
            yield Reject(reason, number, line.decode(chosen, errors="replace")[:RAW_LIMIT])
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
    """Whether the file is gzip, by its first bytes, whatever its name."""
    with path.open("rb") as start:
        return start.read(2) == b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked if it is gzip."""
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def _head(path: Path, size: int) -> bytes:
    """The first bytes, unpacked; none if the archive is damaged there."""
    try:
        with open_bytes(path) as start:
            return start.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def _marked_encoding(path: Path) -> str:
    """What a byte-order mark says the file is: no text starts with one by chance, so it wins over the setting."""
    head = _head(path, 4)
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")


def _carriage_returns(path: Path, encoding: str) -> bool:
    """Whether the first line ends in a lone carriage return, as old Mac programs write them."""
    text = _head(path, _FIRST_LINE).decode(encoding, errors="ignore")
    found = re.search(r"\r+\n|\r(?!\Z)|\n", text)
    return found is not None and found[0] == "\r"


def _lines(path: Path, encoding: str) -> Iterator[bytes | str | Reject]:
    """Lines as bytes; as text in UTF-16 and UTF-32, where a line feed is not one byte to look for."""
    number = 0
    # None makes every usual line end a line feed; it is not for ordinary files, whose texts may hold the others.
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
