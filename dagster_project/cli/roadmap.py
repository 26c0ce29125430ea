"""The command ``roadmap``: evidence for planning, ranked."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from dagster_project.cli.options import chosen_view, console, json_option, view_option
from dagster_project.files import write_text
from dagster_project.home import Home


@click.command()
@click.option("--product", help="Rows of this product only  [default: all].")
@click.option(
    "--csv", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows to this file, too."
)
@view_option
@json_option
@click.pass_obj
def roadmap(home: Home, product: str | None, file: Path | None, as_of: datetime | None, as_json: bool) -> None:
    """Evidence for planning: patch now, next train or watch, by issue type and feature, with the reasons.

    A rolling window of four weeks: complaints, customers by segment, slope, support share, what issues cost, and how
    often they come back. docs/roi.md says what each recommendation rests on.
    """
    from dagster_project.measurement.roadmap import as_table, read_roadmap

    rows = read_roadmap(chosen_view(home, as_of), product)
    if file:
        write_text(file, as_table(rows).write_csv())
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
    elif rows:
        _show(rows)
    else:
        click.echo(f"nothing to plan{f' for {product}' if product else ''}: no complaint counts in the last four weeks")


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Roadmap evidence, last four weeks", title_justify="left", box=None)
    for name in ("product", "rank", "issue type", "feature", "when", "why"):
        table.add_column(name, overflow="fold")
    for name in ("complaints", "before", "a week", "customers", "support", "episodes", "lost"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row["product"],
            str(row["roadmap_rank"]),
            row["issue_type"],
            row["feature"],
            *(row[code].replace("_", " ") for code in ("recommendation", "reason")),
            str(row["complaints"]),
            str(row["complaints_before"]),
            f"{row['complaints_slope']:+.1f}",
            str(row["customers"]),
            "-" if row["support_share"] is None else f"{row['support_share']:.0%}",
            str(row["episodes"]),
            f"{row['lost_value']:,.0f}",
        )
    console().print(table)


COMMANDS = (roadmap,)
