"""The demo: a simulated shop in a home of its own, landed and decided by Dagster runs in this process, for the UI."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagster_project.automation.destinations import refused_destinations
from dagster_project.cli.options import Instant, command_line, progress_since, show_queue
from dagster_project.clock import refuse_future
from dagster_project.environment import environment
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import DEMO_HOME, REPOSITORY, Home

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult


@click.command()
@click.option("--until", type=Instant(), help="The demo's present  [default: today, 00:00 UTC].")
@click.option("--yes", is_flag=True, help="Start over without asking, also where people may have written something.")
@click.pass_context
def demo(context: click.Context, until: datetime | None, yes: bool) -> None:
    """A simulated shop with a bad release, a campaign and a shipping delay: eight inputs in, tickets out.

    Works in a home of its own  [default: .feedback-control-demo; --home or $FEEDBACK_HOME must name an empty folder or
    a demo's]. Writes the shop's exports into HOME/demo, runs the loop over them as Dagster runs (so that the UI shows
    it all), and prints the queue. Nothing leaves the home. A demo of another day starts over: the one before is moved
    to a backup beside the home. The shop's story is in dagster_project/simulation/shop.
    """
    from dagster_project.enrichment.takeover import take_over_model
    from dagster_project.simulation.shop.shop import write_shop
    from dagster_project.simulation.start_over import check_demo_home

    started, home = datetime.now(UTC), _own_home(context)
    show = progress_since(started)
    present = until or started.replace(hour=0, minute=0, second=0, microsecond=0)
    refuse_future(present, started)
    check_demo_home(home)
    _start_over(home, present, yes=yes)
    home.marked("demo")
    show("simulating 56 days of a shop")
    folder = home.root / "demo"
    write_shop(folder, until=present)
    take_over_model(home, show)
    for refused in refused_destinations(home):
        show(refused)
    show("running the loop in Dagster (the first time trains the classifier: some minutes)")
    _run_in_dagster(home, folder / "sources.yml", present)
    show_queue(home, include_resolved=True)
    command = command_line(home)
    click.echo(f"home      {home.root} (a demo: nothing in it is real)")
    click.echo(f"tickets   {home.tickets}")
    click.echo(f"report    {home.reports / 'closed_loop.html'}")
    click.echo(f"look      {command} issues")
    click.echo(f"          {command} explain ISSUE_ID")
    click.echo(f"          {command} tickets")
    click.echo("UI        make demo-ui, then open http://127.0.0.1:3000 (assets, runs, checks, sensors)")
    click.echo(f"done in {(datetime.now(UTC) - started).total_seconds():.0f} s")


def _own_home(context: click.Context) -> Home:
    """The home that was named, else the demo's own."""
    named = context.parent is not None and context.parent.params.get("home") is not None
    return context.obj if named or os.environ.get("FEEDBACK_HOME") else Home.locate(DEMO_HOME)


def _start_over(home: Home, present: datetime, *, yes: bool) -> None:
    """Move the demo of another day to a backup; ask first where people may have written something.

    Raises:
        ConfigurationError: somebody has to be asked, and there is nobody at a terminal.
    """
    from dagster_project.simulation.start_over import is_outdated, move_to_backup, words_of_people

    if not is_outdated(home, present):
        return
    words = words_of_people(home)
    if words and not yes:
        said = f"{home.root} holds what people may have written ({'; '.join(words)})"
        if not sys.stdin.isatty():
            raise ConfigurationError(f"{said}; `demo --yes` moves it to a backup and starts over")
        click.confirm(f"{said}. Move it to a backup and start over?", abort=True, err=True)
    click.echo(f"the demo of another day is kept in {move_to_backup(home)}; remove it by hand", err=True)


def _run_in_dagster(home: Home, sources: Path, as_of: datetime) -> None:
    home.dagster.mkdir(parents=True, exist_ok=True)
    if not (home.dagster / "dagster.yaml").exists():
        shutil.copy(REPOSITORY / "dagster.yaml", home.dagster / "dagster.yaml")
    with environment(FEEDBACK_HOME=str(home.root), DAGSTER_HOME=str(home.dagster)):
        results = run_in_dagster(home, sources=str(sources), as_of=as_of)
    if all(result.success for result in results):
        return
    failures = [event for result in results for event in result.all_events if event.is_step_failure]
    for event in failures:
        raise FeedbackControlError(
            f"the Dagster run failed in {event.step_key}: {event.step_failure_data.error_display_string}"
        )
    raise FeedbackControlError("the Dagster run failed; `make demo-ui` shows why")


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
