"""Game-day command: rehearse the whole chain in a staging home of its own."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from dagster_project.cli.options import json_option, progress_since
from dagster_project.home import Home

_NAMES = (
    *("bad-release", "approver-absent", "target-down", "stop-switch", "drifted", "sale", "review-bombing"),
    "all",
)


@click.command("gameday")
@click.argument("scenario", type=click.Choice(_NAMES), default="bad-release")
@click.option("--plant", type=click.Choice(("target-down", "stop-switch")), help="Plant a fault: it has to be found.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".feedback-control-gameday"),
    show_default=True,
    help="Where the staging homes are made, one for each rehearsal.",
)
@json_option
@click.pass_obj
def gameday_command(home: Home, scenario: str, plant: str | None, folder: Path, as_json: bool) -> None:
    """Rehearse the chain from complaint to act and back, with the playbook of this home and staging targets.

    The incident is made up. Each hop has a deadline: received, labelled, issue, plan, ticket, approval and act, effect,
    verified, trend back, undone. The report is in HOME/reports/game_day. Exits with 1 if a hop was missed.
    """
    from dagster_project.simulation.game_day import GameDay
    from dagster_project.simulation.game_day_report import write_report
    from dagster_project.simulation.game_day_scenarios import SCENARIOS, play

    missed = False
    for name in SCENARIOS if scenario == "all" else (scenario,):
        began = datetime.now(UTC)
        own = Home.locate(folder / f"{began:%Y%m%dT%H%M%SZ}-{name}")
        day = GameDay(own, home, began, progress_since(began))
        play(day, name, plant or "")
        page = write_report(home.reports / "game_day", day, name, plant or "", began)
        missed = missed or not day.passed
        if as_json:
            click.echo(json.dumps({"scenario": name, "passed": day.passed, "hops": [asdict(one) for one in day.hops]}))
            continue
        for hop in day.hops:
            click.echo(f"{'ok    ' if hop.passed else 'MISSED'}  {hop.name:<16}  {hop.took:5.0f} s  {hop.actual}")
        click.echo(f"report: {page}")
    if missed:
        raise SystemExit(1)


COMMANDS = (gameday_command,)
