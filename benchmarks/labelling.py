"""Measure how labelling's memory and speed depend on the number of rows: it works in chunks, so memory stays flat.

Each number of rows is labelled in a process of its own, from a lake of distinct texts (pairs of golden texts), so that
no cache helps. ``python -m benchmarks.labelling`` prints the table; ``make bench`` puts it into reports/benchmarks.md.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measuring import ROOT, cost_of, peak_mib, told_by

MODELS = ROOT / ".feedback-control" / "models"
ROWS = (1_000, 4_000, 16_000)
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One number of rows: how many were labelled a second, and the peak memory of the process."""

    rows: int
    rate: float
    peak_mib: float


def fill(folder: Path, rows: int) -> None:
    """Make a home whose lake holds this many pieces of feedback, a hundred a day, no two alike."""
    import polars as pl

    from dagster_project import lake
    from dagster_project.home import Home
    from dagster_project.lake_tables import INSTANT, schema_of
    from models_ml.golden.golden_set import load_golden

    home = Home(folder)
    home.models.symlink_to(MODELS)
    golden = [text.text for text in load_golden().texts if text.language == "en" and len(text.text) < 200]
    rng = random.Random(7)
    texts: dict[str, None] = {}
    while len(texts) < rows:
        texts[" ".join(rng.sample(golden, 2))] = None
    said = pl.DataFrame({"text": list(texts)}).with_row_index("number")
    at = pl.lit(_BEGAN).cast(INSTANT) + pl.duration(minutes=pl.col("number") * 14)
    values = {
        "feedback_id": pl.format("f{}", "number"),
        "source": pl.lit("benchmark"),
        "channel": pl.lit("app_review"),
        "product": pl.lit("app"),
        "occurred_at": at,
        "text": pl.col("text"),
        "known_at": at,
        "schema_version": pl.lit(1),
        "content_hash": pl.format("{}", "number"),
    }
    schema = schema_of("feedback")
    columns = [values.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()]
    lake.ensure_table(home, "feedback")
    lake.append(home, "feedback", said.select(columns))


def label(folder: Path) -> dict[str, float]:
    """Label what waits in a home; what that took, measured in this process."""
    from dagster_project.enrichment.labeling import label_new
    from dagster_project.home import Home

    report = label_new(Home(folder))
    return {"rows": report.labeled, "rate": report.labeled / report.seconds, "peak_mib": peak_mib()}


def measure(rows: Sequence[int] = ROWS, say: Callable[[str], None] = print) -> list[Row]:
    """Every number of rows, one after the other."""
    found = []
    for count in rows:
        with tempfile.TemporaryDirectory() as folder:
            cost_of([sys.executable, "-m", "benchmarks.labelling", "fill", folder, str(count)])
            measured = told_by("benchmarks.labelling", "label", folder)
        found.append(Row(int(measured["rows"]), measured["rate"], measured["peak_mib"]))
        say(f"{count:,} rows: {found[-1].rate:,.0f} a second, {found[-1].peak_mib:,.0f} MiB")
    return found


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as Markdown."""
    lines = ["| rows | labelled a second | peak memory |", "| ---: | ---: | ---: |"]
    return lines + [f"| {row.rows:,} | {row.rate:,.0f} | {row.peak_mib:,.0f} MiB |" for row in rows]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill", folder, count]:
            fill(Path(folder), int(count))
        case ["label", folder]:
            print(json.dumps(label(Path(folder))))
        case counts:
            print("\n".join(table(measure([int(count) for count in counts] or ROWS))))
