"""Commands for ML owners: the drift report, the label queue, and the golden set."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dagster_project.cli.options import Instant, json_option, progress_since
from dagster_project.clock import refuse_future
from dagster_project.home import Home


@click.command()
@click.option("--as-of", type=Instant(), help="The end of the window  [default: now].")
@click.option("--days", type=click.IntRange(min=1), default=7, show_default=True, help="Length of a window.")
@json_option
@click.pass_obj
def drift(home: Home, as_of: datetime | None, days: int, as_json: bool) -> None:
    """Has what customers write changed? The last window against the one before it and against the golden set.

    Writes HOME/reports/drift/<date>: a page, Evidently's own pages beside it, and drift.json. Says what changed, what
    that does to the expected accuracy, and how accurate the answers are now, without a single new label.
    """
    from dagster_project.measurement.drift import write_report

    started = datetime.now(UTC)
    refuse_future(as_of or started, started)
    report = write_report(home, as_of=as_of or started, window=timedelta(days=days), progress=progress_since(started))
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
        return
    for line in report.lines():
        click.echo(line)
    click.echo(f"page: {report.page}")


@click.command("label-queue")
@click.option("--as-of", type=Instant(), help="Only feedback known by then  [default: now].")
@click.option("--size", type=click.IntRange(min=1), default=50, show_default=True, help="The most texts to ask for.")
@click.pass_obj
def label_queue(home: Home, as_of: datetime | None, size: int) -> None:
    """The feedback that people had best label next, as a CSV file; fill it in and hand it to add-labelled."""
    from dagster_project.measurement.drift import label_queue as write

    started = datetime.now(UTC)
    refuse_future(as_of or started, started)
    click.echo(write(home, as_of=as_of or started, size=size, progress=progress_since(started)))


@click.command("add-labelled")
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_obj
def add_labelled(home: Home, path: Path) -> None:
    """Make a filled-in label queue part of the golden set.

    The golden set is HOME/golden (made as a copy of the packaged one the first time), or $FEEDBACK_GOLDEN. The next
    turn of the loop trains a candidate on it; it labels once it is found fit to.
    """
    from models_ml.golden.active_learning import add_labelled as add

    golden = home.own_golden()
    click.echo(f"{add(path, golden)} texts added to {golden}")


COMMANDS = (drift, label_queue, add_labelled)
