"""File access of all readers: regular files only, decompressed and decoded within limits.

Covers gzip, byte-order marks, undecodable bytes and truncated archives. A damaged file yields the good lines before the
damage and one reject for the rest. Everything streams: memory holds one line, or one document of ``document_bytes``.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, AnyStr, Protocol, cast

from dagster_project.errors import SourceError
from dagster_project.ingestion.limits import LimitError, Limits, depth_of
from dagster_project.ingestion.records import RAW_LIMIT, Reject

_FIRST_LINE = 64 * 1024
"""Bytes searched for the end of the first line."""

_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file; never waits, as opening a FIFO or a device could.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "it is no regular file")
    return os.fdopen(handle, "rb")


def is_gzip(path: Path) -> bool:
    """True if the file is gzip, by its first bytes."""
    with open_regular(path) as start:
        return start.read(2) == _GZIP


@contextmanager
def open_bytes(path: Path, limits: Limits) -> Iterator[IO[bytes]]:
    """The file in binary, decompressed if it is gzip; reading beyond the limits raises ``LimitError``."""
    with open_regular(path) as packed:
        size = os.fstat(packed.fileno()).st_size
        too_large = LimitError(f"{path.name} is too large", "file_bytes", limits.value("file_bytes"))
        if size > limits.file_bytes:
            raise too_large
        if packed.peek(2).startswith(_GZIP):
            most, name = limits.inflated(size)
            problem = LimitError(f"{path.name} decompresses to too much", name, limits.value(name))
            bounded = _Bounded(gzip.GzipFile(fileobj=packed), most, problem)
        else:
            # A file may grow while it is read, and one of a virtual file system may have no end.
            bounded = _Bounded(packed, limits.file_bytes, too_large)
        yield cast(IO[bytes], io.BufferedReader(bounded, _CHUNK))


class _ReadsPieces(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _Bounded(io.RawIOBase):
    """Byte stream that raises an error in place of its byte number ``most`` + 1."""

    def __init__(self, source: _ReadsPieces, most: int, error: LimitError) -> None:
        self._source, self._left, self._error = source, most, error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._source.read1(len(buffer))  # one read: what stands before damage is not lost
        self._left -= len(content)
        if self._left < 0:
            raise self._error
        buffer[: len(content)] = content
        return len(content)


def read_lines(path: Path, encoding: str, limits: Limits) -> Iterator[str | Reject]:
    r"""Decoded lines of a text file with their ``\n``, gzip or not.

    A line that does not decode, or is longer than ``line_bytes``, becomes a reject.

    Raises:
        SourceError: the file is empty, too large, or does not decode at all; the message says what to do.
    """
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name} is empty; nothing was read from it")
    chosen = _marked_encoding(path, limits) or encoding or "utf-8-sig"
    number, broken = 0, 0
    for number, line in enumerate(_lines(path, chosen, limits), start=1):
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
            yield Reject(reason, number, line[: 4 * RAW_LIMIT].decode(chosen, errors="replace")[:RAW_LIMIT])
        except UnicodeError as error:  # of encodings that are no charset in the narrow sense, such as idna
            broken += 1
            yield Reject(f"the line is not {chosen} ({str(error)[:80]})", number, repr(line[:RAW_LIMIT])[:RAW_LIMIT])
    if number and number == broken:
        raise SourceError(
            f"{path.name} is not {chosen} at all; set `encoding` of this source, for example latin-1 or utf-16"
        )


def read_json(path: Path, encoding: str, limits: Limits) -> Any:
    """A whole JSON document, gzip or not.

    Raises:
        SourceError: the file is empty, too large, damaged, or not JSON; the message says where.
    """
    parts, size = [], 0
    wide = limits.model_copy(update={"line_bytes": limits.document_bytes})  # a document is often one line
    for number, line in enumerate(read_lines(path, encoding, wide), start=1):
        if isinstance(line, Reject):
            if line.reason == _too_long(wide):
                raise _too_long_a_document(path, limits)
            raise SourceError(f"{path.name}: line {number}: {line.reason}")
        parts.append(line)
        size += len(line)
        if size > limits.document_bytes:
            raise _too_long_a_document(path, limits)
    return parse_json("".join(parts), path.name, limits)


def parse_json(text: str | bytes, name: str, limits: Limits) -> Any:
    """Parse a JSON document of bounded nesting.

    Raises:
        SourceError: it is not JSON, or nested too deeply; the message names it.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceError(f"{name} is not JSON: {error.msg} at line {error.lineno}; export it again") from None
    except RecursionError:
        raise LimitError(f"{name} is nested too deeply", "depth", limits.depth) from None
    except ValueError as error:  # a number of thousands of digits
        raise SourceError(f"{name} is JSON that cannot be read: {str(error)[:200]}") from None
    # A list of records inside a page envelope is two levels above a record.
    if depth_of(document, limits.depth + 2) > limits.depth + 2:
        raise LimitError(f"{name} is nested too deeply", "depth", limits.depth)
    return document


def _too_long_a_document(path: Path, limits: Limits) -> LimitError:
    return LimitError(
        f"{path.name} is one JSON document and too large to be read as a whole; export it as JSON Lines",
        "document_bytes",
        limits.value("document_bytes"),
    )


def _head(path: Path, size: int, limits: Limits) -> bytes:
    """First bytes, decompressed; empty if the archive is damaged there."""
    try:
        with open_bytes(path, limits) as start:
            return start.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def _marked_encoding(path: Path, limits: Limits) -> str:
    """Encoding by byte-order mark, or ''; it overrides the setting, as no text starts with one by chance."""
    head = _head(path, 4, limits)
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")


def _carriage_returns(path: Path, encoding: str, limits: Limits) -> bool:
    """True if the first line ends in a lone carriage return (old Mac programs)."""
    text = _head(path, _FIRST_LINE, limits).decode(encoding, errors="ignore")
    found = re.search(r"\r+\n|\r(?!\Z)|\n", text)
    return found is not None and found[0] == "\r"


def _lines(path: Path, encoding: str, limits: Limits) -> Iterator[bytes | str | Reject]:
    """Lines as bytes; as text in UTF-16 and UTF-32, whose line feed is several bytes."""
    number = 0
    # newline=None translates all line ends; not for ordinary files, whose texts may contain other line ends.
    newline = None if _carriage_returns(path, encoding, limits) else "\n"
    wide = "16" in encoding or "32" in encoding
    try:
        with open_bytes(path, limits) as source:
            if wide:
                text = io.TextIOWrapper(source, encoding=encoding, errors="replace", newline=newline)
                lines: Iterator[bytes | str | None] = _bounded_lines(text, limits.line_bytes)
            elif newline is None:
                one_to_one = io.TextIOWrapper(source, encoding="latin-1", newline=None)
                of_text = _bounded_lines(one_to_one, limits.line_bytes)
                lines = (line if line is None else line.encode("latin-1") for line in of_text)
            else:
                lines = _bounded_lines(source, limits.line_bytes)
            for line in lines:
                number += 1
                yield Reject(_too_long(limits), number) if line is None else line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Reject(f"the gzip file ends early or is damaged after line {number} ({error}); send it again", number + 1)


def _bounded_lines(source: IO[AnyStr], most: int) -> Iterator[AnyStr | None]:
    """Lines of at most ``most`` bytes or characters; None for each longer one, which is skipped piece by piece."""
    while line := source.readline(most + 1):
        if len(line) <= most:
            yield line
            continue
        while line and line[-1] not in ("\n", 10):  # the last character of text, the last byte of bytes
            line = source.readline(_CHUNK)
        yield None


def _too_long(limits: Limits) -> str:
    return f"the line is longer than `limits.line_bytes` ({limits.value('line_bytes')}); look for a missing line end"
