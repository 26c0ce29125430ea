"""The command that writes the documentation of the warehouse."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from dagster_project.cli.options import progress_since
from dagster_project.home import Home


@click.command()
@click.pass_obj
def docs(home: Home) -> None:
    """Write HOME/reports/dbt_docs.html: every table and column of the warehouse, and how they follow from each other.

    One file, without data; it opens without a server or network. docs/analysts.md has questions to begin with.
    """
    from dagster_project.decisioning.dbt_docs import write_docs

    click.echo(f"docs: {write_docs(home, progress_since(datetime.now(UTC)))}")


COMMANDS = (docs,)
