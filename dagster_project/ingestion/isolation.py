"""Error isolation: any exception of one file or source as one line, so that the others are still read."""

from __future__ import annotations

from dagster_project.errors import SourceError
from dagster_project.ingestion.limits import OutOfTimeError
from dagster_project.outgoing import excerpt

_QUOTED = 200


def one_line(text: str, most: int = 2_000) -> str:
    """Text for a report: one line without control characters or lone surrogates, fit to leave, cut at a length."""
    return excerpt("".join(one if one.isprintable() else " " for one in text[: 4 * most]), most)


def explain(error: Exception, reader: str) -> str:
    """Problem and remedy in one line, for whatever a reader, a file or the machine raised."""
    if isinstance(error, SourceError):
        return one_line(str(error))
    said = f"{type(error).__name__}: {one_line(str(error), _QUOTED)}"
    if isinstance(error, MemoryError):
        return (
            "it needs more memory than there is; split it, or lower `limits.document_bytes` or `limits.inflated_bytes`"
        )
    if isinstance(error, OSError):
        return f"it could not be read or landed ({said}); look at the disk and at the rights"
    return (
        f"reading it failed ({said}); export it again or take it out, and if it is right, report this line as a fault"
        f" of the reader `{reader}`"
    )


def is_lasting(error: Exception) -> bool:
    """True if the same content will fail again; else the next run reads it again, although it has not changed."""
    return isinstance(error, SourceError) and not isinstance(error, OutOfTimeError)
