"""Commands about the loop: one turn of it, a replay of history, and the doctor."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dagster_project.cli.options import Instant, json_option, plain, progress_since, show_queue, sources_option
from dagster_project.home import Home


@click.command()
@sources_option
@click.option(
    "--as-of", type=Instant(), help="Pretend it is this instant: nothing known later is used  [default: now]."
)
@click.option("--send/--no-send", default=True, help="Open, update and resolve tickets, or only read them.")
@click.option("--force", is_flag=True, help="Believe the machine's clock, although it has jumped since the last run.")
@json_option
@click.pass_obj
def run(home: Home, sources: Path | None, as_of: datetime | None, send: bool, force: bool, as_json: bool) -> None:
    """One turn of the loop: land, label, pull, decide, push, report.

    Rerunning is safe: files already landed are skipped, text already labelled is not labelled again, and an unchanged
    queue sends nothing. An --as-of in the past is decided in a view of its own (HOME/views), prints its queue, and
    neither publishes nor sends. Exits with 1 if a source, or a file of it, could not be read, what people did at a
    destination could not be read, tickets could not leave for one, the ledger could not be used, or the report could
    not be written; all other work is done all the same.
    """
    from dagster_project.loop import turn

    report = turn(
        home,
        sources=home.sources(sources),
        as_of=as_of,
        send=send,
        force=force,
        progress=progress_since(datetime.now(UTC)),
    )
    silent = report.landed.silent if as_of is None else []
    if as_json:
        click.echo(json.dumps({**plain(report), "failures": report.failures}, indent=2, default=str))
    else:
        for problem in (*report.notes, *report.landed.problems, *silent):
            click.echo(f"problem: {problem}", err=True)
        show_queue(report.view or home, include_resolved=False)
        if report.report:
            click.echo(f"report: {report.report}")
    if report.view and as_of:
        click.echo(
            f"as of {as_of:%Y-%m-%d %H:%M} UTC: a view of its own in {report.view.root}; nothing was published or sent",
            err=True,
        )
    for failure in report.failures:
        click.echo(f"failed: {failure}", err=True)
    if report.failures:
        sys.exit(1)


@click.command()
@sources_option
@click.option("--from", "start", type=Instant(), help="First as-of instant.")
@click.option("--to", "end", type=Instant(), help="Last as-of instant.")
@click.option("--scenario", help="Act out a made-up world with a known truth instead; 'list' names them.")
@click.option("--seed", default=1, show_default=True, help="Of what the scenario leaves to chance.")
@click.option("--every-hours", type=click.IntRange(min=1), default=24, show_default=True, help="Step between instants.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: one event a line, as soon as it is known.")
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
    """Replay history instant by instant: when each issue was first reported, and how it was judged.

    Lands and labels once, then decides as of every step, in a view of its own: what is published stays, and nothing is
    sent. `issues --as-of` with the last instant reads its end. With --scenario, a simulated world with a
    known truth is replayed in a folder of its own, and its truth is printed first.
    """
    from dagster_project.replay import replay as replay_history
    from dagster_project.simulation.rehearse import rehearse
    from dagster_project.simulation.worlds.catalogue import scenarios

    every, progress = timedelta(hours=every_hours), progress_since(datetime.now(UTC))
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


@click.command()
@sources_option
@json_option
@click.pass_obj
def doctor(home: Home, sources: Path | None, as_json: bool) -> None:
    """Check the installation: versions, disk, sources, playbook, model, destinations, control systems, ledger.

    Names each source that is missing, unreadable or silent, each destination whose secret is not set, each control
    system that cannot be read, and approvers who cannot vote, with the remedy. Writes nothing outside. Exits with 1 if
    anything is to be fixed.
    """
    from dagster_project.doctor import examine

    findings = examine(home, sources)
    if as_json:
        click.echo(json.dumps(plain(findings), indent=2, ensure_ascii=False))
    for finding in findings if not as_json else []:
        click.echo(f"{'ok  ' if finding.ok else 'FIX '} {finding.subject:<12} {finding.detail}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


COMMANDS = (run, replay, doctor)
