"""The demo: a simulated shop in a home of its own, landed and decided by Dagster runs in this process, for the UI."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagster_project.automation.destinations import refused_destinations
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import ProposalState
from dagster_project.automation.mitigation.plans import KIND, Plan
from dagster_project.cli.mitigation import TOKEN
from dagster_project.cli.options import Instant, command_line, progress_since, show_queue
from dagster_project.clock import refuse_future
from dagster_project.environment import environment
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import DEMO_HOME, REPOSITORY, Home
from dagster_project.home_kind import SHOP

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult

Progress = Callable[[str], None]

_DAYS = 56


@click.command()
@click.option("--until", type=Instant(), help="The demo's present  [default: yesterday, 00:00 UTC].")
@click.option("--yes", is_flag=True, help="Start over without asking, also where people may have written something.")
@click.option("--continue", "goes_on", is_flag=True, help="Go on with the demo that is there, from its present.")
@click.option(
    "--hours", type=click.IntRange(1, 240), default=24, show_default=True, help="With --continue: for so many hours."
)
@click.pass_context
def demo(context: click.Context, until: datetime | None, yes: bool, goes_on: bool, hours: int) -> None:
    """A simulated shop with a bad release, a campaign and a shipping delay: eight inputs in, tickets out.

    Works in a home of its own  [default: .feedback-control-demo; --home or $FEEDBACK_HOME must name an empty folder or
    a demo's]. Writes the shop's exports into HOME/demo, and runs the loop over them on four days of the story, the last
    as Dagster runs (for the UI); in between, simulated people touch and close tickets. Prints the queue.
    Nothing leaves the home. A demo of another day starts over: the one before is moved to a backup beside the home. The
    shop's story is in dagster_project/simulation/shop, its people's in dagster_project/simulation/people.py.

    The shop obeys HOME/control.json, which a plan changes once it is approved. --continue plays the hours after the
    demo's present with the flags and releases that are found there, and runs the loop again.
    """
    from dagster_project.simulation.people import play

    started, home = datetime.now(UTC), _own_home(context)
    show = progress_since(started)
    if goes_on and until:
        raise click.UsageError("--until begins a demo, --continue goes on with the one that is there")
    present = _go_on(home, hours, started, show) if goes_on else _begin(home, until, started, show, yes=yes)
    for refused in refused_destinations(home):
        show(refused)
    show("running the loop in Dagster (the first time trains the classifier: some minutes)")
    sources = _shop(home) / "sources.yml"
    if not goes_on:
        play(home, present, partial(_earlier_turn, home, sources, show), show)
    show(f"a turn as of {present:%Y-%m-%d %H:%M} UTC")
    _run_in_dagster(home, sources, present)
    show_queue(home, include_resolved=True)
    _say_what_next(home, present)
    click.echo(f"done in {(datetime.now(UTC) - started).total_seconds():.0f} s")


def _begin(home: Home, until: datetime | None, started: datetime, show: Progress, *, yes: bool) -> datetime:
    """Write the shop until its present, and its control system; returns the present."""
    from dagster_project.enrichment.takeover import take_over_model
    from dagster_project.simulation import controls
    from dagster_project.simulation.shop.shop import write_shop
    from dagster_project.simulation.shop.story import Story
    from dagster_project.simulation.start_over import check_demo_home

    # A day before today is left to go on with.
    present = until or started.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    refuse_future(present, started)
    check_demo_home(home)
    _start_over(home, present, yes=yes)
    home.marked("demo")
    show(f"simulating {_DAYS} days of a shop")
    write_shop(_shop(home), until=present, days=_DAYS)
    controls.set_up(home, Story.ending(present, _DAYS))
    take_over_model(home, show)
    return present


def _go_on(home: Home, hours: int, started: datetime, show: Progress) -> datetime:
    """Play the shop on under its control system; returns the new present.

    Raises:
        ConfigurationError: there is no demo, or so many hours would lead into the future.
    """
    from dagster_project.simulation import controls
    from dagster_project.simulation.shop.shop import play_on, read_shop
    from dagster_project.simulation.start_over import check_demo_home

    check_demo_home(home)
    played, _ = read_shop(_shop(home))
    left = int((started - played.present) / timedelta(hours=1))
    if hours > left:
        remedy = f"give --hours {left} or fewer" if left > 0 else "begin anew with an earlier --until"
        raise ConfigurationError(
            f"{hours} hours after {played.present:%Y-%m-%d %H:%M} UTC, the demo's present, lie in the future; {remedy}"
        )
    control = controls.state_of(home, played.story)
    for line in controls.changes(played.story, control):
        show(line)
    show(f"playing {hours} hours of the shop")
    return play_on(_shop(home), hours, control).until


def _shop(home: Home) -> Path:
    return home.root / SHOP.parent


def _say_what_next(home: Home, present: datetime) -> None:
    """Where to look, and the commands that approve what waits and that go on."""
    from dagster_project.simulation.controls import APPROVER

    command = command_line(home)
    click.echo(f"home      {home.root} (a demo: nothing in it is real)")
    click.echo(f"present   {present:%Y-%m-%d %H:%M} UTC")
    click.echo(f"tickets   {home.tickets}")
    click.echo(f"control   {home.control} (the shop obeys it)")
    click.echo(f"pages     {home.reports / 'index.html'}")
    click.echo(f"          {command} serve")
    click.echo(f"look      {command} issues")
    click.echo(f"          {command} explain ISSUE_ID")
    click.echo(f"          {command} tickets")
    for plan in _waiting(home):
        click.echo(f"waits     plan {plan.short_id}: {plan.title}")
        click.echo(f"approve   {TOKEN}=$({command} approvers add {APPROVER}) {command} approve {plan.short_id}")
    click.echo(f"go on     {command} demo --continue")
    click.echo("UI        make demo-ui, then open http://127.0.0.1:3000 (assets, runs, checks, sensors)")


def _waiting(home: Home) -> list[Plan]:
    """The plans that wait for an approval."""
    live = Ledger.of(home).proposals.live()
    return [Plan.of(one) for one in live if (one.kind, one.state) == (KIND, ProposalState.PROPOSED)]


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


def _earlier_turn(home: Home, sources: Path, show: Progress, as_of: datetime) -> None:
    """One turn in plain Python, without the pages and without what Dagster adds; the last turn stops at what fails."""
    from dagster_project.loop import turn

    for failure in turn(home, sources=sources, as_of=as_of, report=False).failures:
        show(f"failed: {failure}")


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
    # Dagster's logger for libraries: dagster-dbt tells there what it calls, which dbt's own log file has as well.
    logging.getLogger("dagster.builtin").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "sqlglotrs is deprecated")  # dagster-dbt's own dependency
        from dagster_project.definitions import defs, loop, mitigate, push

    from dagster import DagsterInstance

    from dagster_project.resources import HomeResource, now

    resources = {"home": HomeResource(root=str(home.root), sources=sources)}
    plain: dict[str, Any] = {"loggers": {"plain": {}}}
    instant = {"config": {"as_of": as_of.isoformat()}}
    pinned = {"ops": {"warehouse": instant, "ticket_changes": instant}, **plain}
    results: list[ExecuteInProcessResult] = []
    dbt_log = home.root / "logs" / "dbt_console.log"
    dbt_log.parent.mkdir(parents=True, exist_ok=True)
    with DagsterInstance.from_config(str(home.dagster)) as instance:
        for job, config, day in ((loop, pinned, f"{now():%Y-%m-%d}"), (mitigate, plain, None), (push, plain, None)):
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
            if not results[0].success:
                break  # without a decision there is nothing to carry out
    return results


COMMANDS = (demo,)
