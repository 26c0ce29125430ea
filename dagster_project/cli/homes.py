"""Command about the home: make one of a kind."""

from __future__ import annotations

import click

from dagster_project.home import Home
from dagster_project.home_kind import KINDS, Kind


@click.command()
@click.option("--kind", type=click.Choice(KINDS), help="What the home is for  [default: production].")
@click.pass_obj
def init(home: Home, kind: Kind | None) -> None:
    """Make a home of a kind: production, staging, demo or replay. Nothing crosses between kinds.

    A production home writes to real trackers. A staging home writes only to destinations with `environment: staging`.
    Nothing leaves a demo (a simulated shop) or a replay (decisions as of past instants). A home that any other command
    makes is a production home; the kind never changes.
    """
    click.echo(f"{home.root} is a {home.marked(kind).kind} home")


COMMANDS = (init,)
