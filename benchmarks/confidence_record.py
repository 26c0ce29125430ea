"""Record of the probabilities that changes are given: how often the benchmark was right with such a probability.

    python -m benchmarks.confidence_record             # writes dbt_project/seeds/confidence_record.csv: half an hour

The bands are those of the seed; the worlds are those of ``benchmarks.decisions``, so the report has the same numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import click

from benchmarks.decisions import Condition, measure
from benchmarks.decisions_page import Asked
from dagster_project.home import DBT_PROJECT
from models_ml.files import write_text

RECORD = DBT_PROJECT / "seeds" / "confidence_record.csv"
SOURCE = "reports/decisions.md"


Row = tuple[float, float, int, int]


def record(points: Iterable[tuple[float, bool]], bands: Iterable[tuple[float, float]]) -> list[Row]:
    """Changes weighed with a probability in each band, and those among them that were to blame."""
    points = list(points)
    rows = []
    for lowest, highest in bands:
        within = [guilty for given, guilty in points if lowest <= given < highest or given == highest == 1.0]
        rows.append((lowest, highest, len(within), sum(within)))
    return rows


def bands_of(seed: Path) -> list[tuple[float, float]]:
    """The bands of a seed."""
    with seed.open(encoding="utf-8", newline="") as lines:
        return [(float(row["band_from"]), float(row["band_to"])) for row in csv.DictReader(lines)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--must-fire", default=Asked.must_fire, show_default=True)
@click.option("--must-not", default=Asked.must_not, show_default=True)
@click.option("--seed", default=Asked.seed, show_default=True, help="The worlds; other than those of the fit.")
def main(must_fire: int, must_not: int, seed: int) -> None:
    """Measure, and write the seed."""
    points = measure(must_fire, must_not, seed, Condition("as it is")).candidates
    lines = [
        f"{low},{high},{weighed},{blamed},{SOURCE}" for low, high, weighed, blamed in record(points, bands_of(RECORD))
    ]
    write_text(RECORD, "\n".join(["band_from,band_to,weighed,to_blame,source", *lines, ""]))
    click.echo(f"wrote {RECORD}")


if __name__ == "__main__":
    main()
