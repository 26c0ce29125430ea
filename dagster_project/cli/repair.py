"""The command that looks at every state file at once, and gives up what cannot be made anew."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import click

from dagster_project.cli.options import json_option, progress_since
from dagster_project.home import Home


@click.command()
@click.option("--give-up", is_flag=True, help="Do without the rows that no source can bring back.")
@json_option
@click.pass_obj
def repair(home: Home, give_up: bool, as_json: bool) -> None:
    """Compare every file of the lake, the models and the published copy with its content hash.

    Each turn heals what it meets; this looks at all of it, byte by byte. What is broken is set aside in HOME/broken and
    made anew by the next `run`. Exits with 1 while rows are lost that the next run may not bring back.
    """
    from dagster_project.repair import mend

    report = mend(home, give_up=give_up, progress=progress_since(datetime.now(UTC)))
    if as_json:
        click.echo(json.dumps({"repairs": report.repairs, "lost": [str(one) for one in report.lost]}, indent=2))
    else:
        click.echo("\n".join(report.lines()))
    if report.lost:
        sys.exit(1)


COMMANDS = (repair,)
