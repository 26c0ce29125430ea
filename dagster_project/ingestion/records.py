"""What readers yield: records as their source wrote them, with the place they came from, before any contract.

Opening a file is shared by all readers: gzip or not, byte-order marks, undecodable bytes and truncated archives are met
here, so that a damaged file gives the good records before the damage and one reject for the rest.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from dagster_project.errors import SourceError

RAW_LIMIT = 10_000
"""Characters of a rejected record that quarantine keeps."""


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
class Tally:
    """What a reader leaves out on purpose, and what it mended on the way, by reason; counted, never silent."""

    skipped: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Count one record left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def note(self, what: str) -> None:
        """Count one record mended."""
        self.mended[what] = self.mended.get(what, 0) + 1


def read_lines(path: Path, encoding: str = "") -> Iterator[str | Reject]:
    r"""The lines of a text file with their ``\n``, gzip or not, decoded; rejects stand where a line could not be read.

    Raises:
        SourceError: the file is empty, or does not decode at all; the message says what to do.
    """
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name} is empty; nothing was read from it")
    chosen = encoding or _sniff(path)
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


def _sniff(path: Path) -> str:
    """UTF-8, unless a byte-order mark says UTF-16."""
    try:
        with open_bytes(path) as start:
            head = start.read(2)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        head = b""
    return "utf-16" if head in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"


def _lines(path: Path, encoding: str) -> Iterator[bytes | str | Reject]:
    """Lines as bytes; as text in UTF-16 and UTF-32, where a line feed is not one byte to look for."""
    number = 0
    try:
        with open_bytes(path) as source:
            wide = "16" in encoding or "32" in encoding
            lines: Iterable[bytes | str] = (
                io.TextIOWrapper(source, encoding=encoding, errors="replace", newline="\n") if wide else source
            )
            for line in lines:
                number += 1
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Reject(f"the gzip file ends early or is damaged after line {number} ({error}); send it again", number + 1)
