"""Resource limits of reading: bytes, rows, columns, nesting and seconds, for all sources or for one.

The section ``limits`` of ``sources.yml`` sets them for all sources, and the same section of a source for that source
alone. What exceeds one is a problem of its file, line or answer; the rest of the run goes on. The message names the
limit, so that a person can raise it.
"""

from __future__ import annotations

import time

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from dagster_project.errors import SourceError

_MIB = 1024**2
INFLATION_FROM = 16 * _MIB
"""Decompressed bytes up to which any compression ratio is fine: small files of equal rows compress very well."""


class LimitError(SourceError):
    """A limit was reached; what had been read before it lands."""

    def __init__(self, what: str, limit: str, value: object) -> None:
        super().__init__(f"{what} (limit `limits.{limit}`: {value}); shorten it, or raise the limit if it is right")


class Limits(BaseModel):
    """Limits of one source; sizes are bytes or texts such as ``64 MiB``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # of files
    files: int = Field(default=10_000, gt=0)
    file_bytes: ByteSize = Field(default=ByteSize(512 * _MIB), gt=0)
    inflated_bytes: ByteSize = Field(default=ByteSize(512 * _MIB), gt=0)
    inflation: int = Field(default=200, gt=0)
    document_bytes: ByteSize = Field(default=ByteSize(64 * _MIB), gt=0)
    line_bytes: ByteSize = Field(default=ByteSize(16 * _MIB), gt=0)
    file_seconds: int = Field(default=600, gt=0)
    follow_links: bool = False
    # of records
    rows: int = Field(default=2_000_000, gt=0)
    rejects: int = Field(default=100_000, gt=0)
    columns: int = Field(default=2_000, gt=0)
    depth: int = Field(default=64, gt=0)
    versions: int = Field(default=1_000, gt=0)
    # of API answers
    answer_bytes: ByteSize = Field(default=ByteSize(64 * _MIB), gt=0)
    answer_seconds: int = Field(default=30, gt=0)
    pages: int = Field(default=1_000, gt=0)
    api_seconds: int = Field(default=120, gt=0)

    def inflated(self, packed: int) -> tuple[int, str]:
        """Largest size to which ``packed`` bytes may be decompressed, and the limit that decides it."""
        by_ratio = max(INFLATION_FROM, packed * self.inflation)
        return (by_ratio, "inflation") if by_ratio < self.inflated_bytes else (self.inflated_bytes, "inflated_bytes")

    def value(self, name: str) -> str:
        """A limit as a person reads it."""
        value = getattr(self, name)
        return value.human_readable() if isinstance(value, ByteSize) else f"{value:,}"


class Deadline:
    """Time budget that begins now."""

    def __init__(self, limits: Limits, name: str) -> None:
        self._limits, self._name = limits, name
        self._end = time.monotonic() + float(getattr(limits, name))

    @property
    def left(self) -> float:
        """Seconds left; negative once it has passed."""
        return self._end - time.monotonic()

    def check(self, what: str) -> None:
        """Raise once the time is over.

        Raises:
            OutOfTimeError: it is.
        """
        if self.left <= 0:
            raise OutOfTimeError(f"{what} took longer than allowed", self._name, f"{self._limits.value(self._name)} s")


class OutOfTimeError(LimitError):
    """A time budget was used up: the next run tries again, since another day may be faster."""


def depth_of(value: object, most: int) -> int:
    """Nesting depth of lists and dictionaries, counted without recursion; stops one level beyond ``most``."""
    depth, level = 0, [value] if isinstance(value, dict | list) else []
    while level and depth <= most:
        depth += 1
        inner: list[dict[object, object] | list[object]] = []
        for one in level:
            children = one.values() if isinstance(one, dict) else one
            inner += [child for child in children if isinstance(child, dict | list)]
        level = inner
    return depth
