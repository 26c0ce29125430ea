"""The demo: a simulated shop, landed and decided by Dagster runs in this process, so that the UI shows them."""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagster_project.cli.options import Instant, command_line, progress_since, show_queue
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import REPOSITORY, Home, parse_instant

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult


@click.command()
@click.option("--until", type=Instant(), help="The demo's present  [default: today, 00:00 UTC].")
@click.pass_obj
def demo(home: Home, until: datetime | None) -> None:
    """A simulated shop with a bad release, a campaign and a shipping delay: eight inputs in, tickets out.

    Writes the shop's exports into HOME/demo, runs the loop over them as Dagster runs (so that the UI shows it all), and
    prints the queue. The shop's story is in dagster_project/simulation/shop.
    """
    from dagster_project.simulation.shop.shop import write_shop

    started, command = datetime.now(UTC), command_line(home)  # before the run sets $FEEDBACK_HOME
    show = progress_since(started)
    present = until or started.replace(hour=0, minute=0, second=0, microsecond=0)
    show("simulating 56 days of a shop")
    folder = home.root / "demo"
    _make_room(home, present)
    write_shop(folder, until=present)
    show("running the loop in Dagster (the first time trains the classifier: some minutes)")
    _run_in_dagster(home, folder / "sources.yml", present)
    show_queue(home, include_resolved=True)
    click.echo(f"tickets   {home.tickets}")
    click.echo(f"report    {home.reports / 'closed_loop.html'}")
    click.echo(f"look      {command} issues")
    click.echo(f"          {command} explain ISSUE_ID")
    click.echo(f"          {command} tickets")
    click.echo("UI        make dev, then open http://127.0.0.1:3000 (assets, runs, checks, sensors)")
    click.echo(f"done in {(datetime.now(UTC) - started).total_seconds():.0f} s")


def _make_room(home: Home, present: datetime) -> None:
    """A demo of another day starts over; a home that holds anything but a demo is left alone."""
    truth = home.root / "demo" / "truth.json"
    if not truth.exists():
        if home.lake.exists():
            raise ConfigurationError(f"{home.root} holds data that is no demo's; choose another folder with --home")
        return
    if parse_instant(json.loads(truth.read_text(encoding="utf-8"))["until"]) == present:
        return
    for path in (home.lake, home.tickets, home.outbound, home.published.parent, home.reports):
        shutil.rmtree(path, ignore_errors=True)
    for path in home.root.glob("ledger.sqlite*"):
        path.unlink()


def _run_in_dagster(home: Home, sources: Path, as_of: datetime) -> None:
    home.dagster.mkdir(parents=True, exist_ok=True)
    if not (home.dagster / "dagster.yaml").exists():
        shutil.copy(REPOSITORY / "dagster.yaml", home.dagster / "dagster.yaml")
    os.environ["FEEDBACK_HOME"] = str(home.root)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    results = run_in_dagster(home, sources=str(sources), as_of=as_of)
    if all(result.success for result in results):
        return
    failures = [event for result in results for event in result.all_events if event.is_step_failure]
    for event in failures:
        raise FeedbackControlError(
            f"the Dagster run failed in {event.step_key}: {event.step_failure_data.error_display_string}"
        )
    raise FeedbackControlError("the Dagster run failed; `make dev` shows why")


def run_in_dagster(home: Home, *, sources: str, as_of: datetime) -> list[ExecuteInProcessResult]:
    """One turn of the loop as Dagster runs, recorded in the home's own instance, in this process.

    The partition is today: the day of ingestion, whatever the as-of instant.
    """
    from dagster import DagsterInstance

    from dagster_project.definitions import defs, loop, push
    from dagster_project.resources import HomeResource, dbt_resource, now

    resources = {"home": HomeResource(root=str(home.root), sources=sources), "dbt": dbt_resource()}
    plain: dict[str, Any] = {"loggers": {"plain": {}}}
    pinned = {"ops": {"warehouse": {"config": {"as_of": as_of.isoformat()}}}, **plain}
    results: list[ExecuteInProcessResult] = []
    dbt_log = home.root / "logs" / "dbt_console.log"
    dbt_log.parent.mkdir(parents=True, exist_ok=True)
    # Dagster's logger for libraries: dagster-dbt tells there what it calls, which dbt's own log file has as well.
    logging.getLogger("dagster.builtin").setLevel(logging.WARNING)
    with DagsterInstance.from_config(str(home.dagster)) as instance:
        for job, config, day in ((loop, pinned, f"{now():%Y-%m-%d}"), (push, plain, None)):
            definition = defs.resolve_job_def(job.name)
            with dbt_log.open("a", encoding="utf-8") as quiet, redirect_stdout(quiet):  # dbt talks to standard output
                results.append(
                    definition.execute_in_process(
                        run_config=config,
                        instance=instance,
                        partition_key=day,
                        resources=resources,
                        raise_on_error=False,
                    )
                )
            if not results[-1].success:
                break
    return results


COMMANDS = (demo,)
