"""The command line: ``feedback-control``.

Every command works on one home (``--home``, ``$FEEDBACK_HOME`` or ``.feedback-control``). ``--json`` prints the marts'
columns by their own names. Exit codes: 0 fine, 1 failed, 2 bad usage or configuration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import Home, parse_instant
from models_ml.errors import ModelError

_PRIORITY_STYLE = {"P1": "bold red", "P2": "red", "P3": "yellow", "P4": "dim"}


class _Instant(click.ParamType[datetime]):
    """An instant as people write it: ``2026-01-31`` or ``2026-01-31T14:00:00Z``."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return value if isinstance(value, datetime) else parse_instant(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class _Main(click.Group):
    """The commands; those about what leaves are imported when they are asked for.

    Deliberate errors become one line and an exit code. Anything else is a bug and keeps its traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in alphabetical order."""
        return sorted([*super().list_commands(ctx), *_OUTBOUND])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name in _OUTBOUND:
            from dagster_project.automation.commands import COMMANDS

            return next(command for command in COMMANDS if command.name == cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FeedbackControlError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except ModelError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


def _progress(started: datetime) -> Callable[[str], None]:
    def show(message: str) -> None:
        click.echo(f"[{(datetime.now(UTC) - started).total_seconds():6.1f} s] {message}", err=True)

    return show


_OUTBOUND = ("audit", "outbox", "preview", "pull", "push")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_sources = click.option(
    "--sources", type=click.Path(path_type=Path), help="The sources.yml to read  [default: HOME/sources.yml]."
)


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Where state lives  [default: $FEEDBACK_HOME, else .feedback-control].",
)
@click.version_option(package_name="feedback-control")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Turn what customers complain about into operational fixes.

    \b
    Start here:
      feedback-control demo                      a simulated shop, all the way to tickets
      feedback-control run --sources my.yml      one turn of the loop over your own exports
      feedback-control issues                    what to act on, most urgent first
      feedback-control explain ISS-1A2B          why, number by number
    """  # noqa: D301 - click wants the backspace itself
    try:
        context.obj = Home.locate(home)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None


@main.command()
@_sources
@click.option(
    "--as-of", type=_Instant(), help="Pretend it is this instant: nothing known later is used  [default: now]."
)
@click.option("--send/--no-send", default=True, help="Open, update and resolve tickets, or only read them.")
@_json
@click.pass_obj
def run(home: Home, sources: Path | None, as_of: datetime | None, send: bool, as_json: bool) -> None:
    """One turn of the loop: land, label, pull, decide, push, report.

    Rerunning is safe: files already landed are skipped, text already labelled is not labelled again, and an unchanged
    queue sends nothing.
    """
    from dagster_project.loop import turn

    report = turn(home, sources=home.sources(sources), as_of=as_of, send=send, progress=_progress(datetime.now(UTC)))
    if as_json:
        click.echo(json.dumps(_plain(report), indent=2, default=str))
        return
    for problem in report.landed.problems:
        click.echo(f"problem: {problem}", err=True)
    _show_queue(home, include_resolved=False)
    click.echo(f"report: {report.report}")


@main.command()
@click.option("--all", "include_resolved", is_flag=True, help="Resolved issues too.")
@_json
@click.pass_obj
def issues(home: Home, include_resolved: bool, as_json: bool) -> None:
    """The queue: what to act on, most urgent first."""
    from dagster_project.decisioning.explain import queue

    if as_json:
        click.echo(
            json.dumps(queue(home, include_resolved=include_resolved), indent=2, default=str, ensure_ascii=False)
        )
    else:
        _show_queue(home, include_resolved=include_resolved)


@main.command()
@click.argument("issue_id")
@_json
@click.pass_obj
def explain(home: Home, issue_id: str, as_json: bool) -> None:
    """Why an issue is an issue: evidence, severity term by term, every candidate release, quotes.

    The beginning of the id is enough while it is unambiguous.
    """
    from dagster_project.decisioning.explain import explain as explain_issue

    explanation = explain_issue(home, issue_id)
    click.echo(explanation.as_json() if as_json else explanation.as_text())


@main.command()
@_json
@click.pass_obj
def tickets(home: Home, as_json: bool) -> None:
    """The tickets in the embedded tracker (HOME/tickets)."""
    from dagster_project.automation.destinations.local import list_tickets

    found = list_tickets(home.tickets)
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2, default=str, ensure_ascii=False))
        return
    table = Table("ticket", "priority", "status", "owner", "title", title=f"Tickets in {home.tickets}")
    for ticket in found:
        style = _PRIORITY_STYLE.get(ticket.priority, "") if ticket.status == "open" else "dim"
        table.add_row(ticket.external_id, ticket.priority, ticket.status, ticket.owner, ticket.title, style=style)
    _console().print(table)


@main.command()
@_sources
@click.option("--from", "start", type=_Instant(), help="First as-of instant.")
@click.option("--to", "end", type=_Instant(), help="Last as-of instant.")
@click.option("--scenario", help="Act out a made-up world with a known truth instead; 'list' names them.")
@click.option("--seed", default=1, show_default=True, help="Of what the scenario leaves to chance.")
@click.option("--every-hours", type=click.IntRange(min=1), default=24, show_default=True, help="Step between instants.")
@_json
@click.pass_obj
def replay(
    home: Home,
    sources: Path | None,
    start: datetime | None,
    end: datetime | None,
    scenario: str | None,
    seed: int,
    every_hours: int,
    as_json: bool,
) -> None:
    """Live history again, instant by instant, and tell when each issue was first reported and how it was judged.

    Lands and labels once, then decides as of every step. Nothing is sent. With --scenario, a world in which we know
    what happened is acted out in a folder of its own, and its truth is told first.
    """
    from dagster_project.measurement.scenarios.casting import scenarios
    from dagster_project.replay import rehearse
    from dagster_project.replay import replay as replay_history

    every, progress = timedelta(hours=every_hours), _progress(datetime.now(UTC))
    if scenario == "list":
        for name, told in scenarios().items():
            click.echo(f"{name}: {told.__doc__}")
        return
    if scenario:
        truth, steps = rehearse(scenario, seed=seed, step=every, progress=progress)
        click.echo(truth, err=as_json)
    elif start and end:
        steps = replay_history(home, sources=home.sources(sources), start=start, end=end, step=every, progress=progress)
    else:
        raise click.UsageError("say --from and --to, or --scenario NAME")
    for step in steps:
        for event in step.events:
            click.echo(
                json.dumps(vars(event), default=str) if as_json else f"{step.as_of:%Y-%m-%d %H:%M}  {event.line()}"
            )


@main.command()
@click.option("--as-of", type=_Instant(), help="The end of the window  [default: now].")
@click.option("--days", type=click.IntRange(min=1), default=7, show_default=True, help="Length of a window.")
@_json
@click.pass_obj
def drift(home: Home, as_of: datetime | None, days: int, as_json: bool) -> None:
    """Has what customers write changed? The last window against the one before it and against the golden set.

    Writes HOME/reports/drift/<date>: a page, Evidently's own pages beside it, and drift.json. Says what changed, what
    that does to the expected accuracy, and how accurate the answers are now, without a single new label.
    """
    from dagster_project.measurement.drift import write_report

    started = datetime.now(UTC)
    report = write_report(home, as_of=as_of or started, window=timedelta(days=days), progress=_progress(started))
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
        return
    for line in report.lines():
        click.echo(line)
    click.echo(f"page: {report.page}")


@main.command("label-queue")
@click.option("--as-of", type=_Instant(), help="Only feedback known by then  [default: now].")
@click.option("--size", type=click.IntRange(min=1), default=50, show_default=True, help="The most texts to ask for.")
@click.pass_obj
def label_queue(home: Home, as_of: datetime | None, size: int) -> None:
    """The feedback that people had best label next, as a CSV file; fill it in and hand it to add-labelled."""
    from dagster_project.measurement.drift import label_queue as write

    started = datetime.now(UTC)
    click.echo(write(home, as_of=as_of or started, size=size, progress=_progress(started)))


@main.command("add-labelled")
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_obj
def add_labelled(home: Home, path: Path) -> None:
    """Make a filled-in label queue part of the golden set.

    The golden set is HOME/golden (made as a copy of the packaged one the first time), or $FEEDBACK_GOLDEN. The next
    turn of the loop trains a candidate on it; it labels once it is found fit to.
    """
    from models_ml.queue import add_labelled as add

    golden = home.own_golden()
    click.echo(f"{add(path, golden)} texts added to {golden}")


@main.command()
@click.option("--until", type=_Instant(), help="The demo's present  [default: today, 00:00 UTC].")
@click.pass_obj
def demo(home: Home, until: datetime | None) -> None:
    """A simulated shop with a bad release, a campaign and a shipping delay: eight inputs in, tickets out.

    Writes the shop's exports into HOME/demo, runs the loop over them as Dagster runs (so that the UI shows it all), and
    prints the queue. The shop's story is in dagster_project/measurement/rehearsals.
    """
    from dagster_project.measurement.rehearsals.shop import write_shop

    started = datetime.now(UTC)
    show = _progress(started)
    present = until or started.replace(hour=0, minute=0, second=0, microsecond=0)
    show("simulating 56 days of a shop")
    folder = home.root / "demo"
    _make_room_for_demo(home, present)
    write_shop(folder, until=present)
    show("running the loop in Dagster (the first time trains the classifier: about two minutes)")
    _run_in_dagster(home, folder / "sources.yml", present)
    _show_queue(home, include_resolved=True)
    click.echo(f"tickets   {home.tickets}")
    click.echo(f"report    {home.reports / 'closed_loop.html'}")
    click.echo("look      feedback-control issues | feedback-control explain ISSUE_ID | feedback-control tickets")
    click.echo("UI        make dev, then open http://127.0.0.1:3000 (assets, runs, checks, sensors)")
    click.echo(f"done in {(datetime.now(UTC) - started).total_seconds():.0f} s")


@main.command()
@_sources
@click.pass_obj
def doctor(home: Home, sources: Path | None) -> None:
    """Check the installation: versions, sources, playbook, model, warehouse, ledger. Says what to fix."""
    from dagster_project.doctor import examine

    findings = examine(home, sources)
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FIX '} {finding.subject:<12} {finding.detail}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


def _make_room_for_demo(home: Home, present: datetime) -> None:
    """A demo of another day starts over; a home that holds anything but a demo is left alone."""
    import shutil

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
    import os
    import shutil

    from dagster_project.home import REPOSITORY

    home.dagster.mkdir(parents=True, exist_ok=True)
    if not (home.dagster / "dagster.yaml").exists():
        shutil.copy(REPOSITORY / "dagster.yaml", home.dagster / "dagster.yaml")
    os.environ["FEEDBACK_HOME"] = str(home.root)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    from dagster_project.definitions import run_in_dagster

    results = run_in_dagster(home, sources=str(sources), as_of=as_of, days=56)
    failed = [event for result in results for event in result.all_events if event.is_step_failure]
    if failed:
        raise FeedbackControlError(
            f"the Dagster run failed in {failed[0].step_key}: {failed[0].step_failure_data.error_display_string}"
        )


def _show_queue(home: Home, *, include_resolved: bool) -> None:
    from dagster_project.decisioning.explain import queue

    rows = queue(home, include_resolved=include_resolved)
    if not rows:
        click.echo("no open issues")
        return
    table = Table("#", "issue", "pri", "sev", "what", "where", "since", "n", "verdict", "status")
    for row in rows:
        where = ", ".join(
            str(row[f"scope_{kind}"]) for kind in ("platform", "version", "country", "feature") if row[f"scope_{kind}"]
        )
        suspect = f" {row['suspect_version'] or row['suspect_release_id']}" if row["suspect_release_id"] else ""
        table.add_row(
            str(row["queue_position"] or ""),
            row["issue_id"],
            row["priority"],
            f"{row['severity_score']:.0f}",
            row["issue_title"],
            where,
            f"{row['started_at']:%m-%d %H:%M}",
            str(row["feedback_count"]),
            row["verdict"] + suspect,
            row["status"],
            style="dim" if row["status"] == "resolved" else _PRIORITY_STYLE[row["priority"]],
        )
    _console().print(table)


def _console() -> Console:
    """As wide as the terminal; wide enough for a whole row when the output goes to a file."""
    return Console() if sys.stdout.isatty() else Console(width=140)


def _plain(value: Any) -> Any:
    """Dataclasses and sequences of them as plain dictionaries, for JSON."""
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
