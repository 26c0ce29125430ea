"""The command line: ``feedback-control``.

Every command works on one home (``--home``, ``$FEEDBACK_HOME`` or ``.feedback-control``). ``--json`` prints the marts'
columns by their own names. Exit codes: 0 fine, 1 failed, 2 bad usage or configuration.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import Home
from models_ml.errors import ModelError

_FAMILIES = {
    "turn": ("run", "replay", "doctor"),
    "issues": ("issues", "explain", "tickets"),
    "outbound": ("audit", "dead-letters", "ledger", "outbox", "preview", "pull", "push"),
    "models": ("drift", "label-queue", "add-labelled"),
    "demo": ("demo",),
}
"""Each command's file in this folder, imported when the command is asked for."""


class _Main(click.Group):
    """A lazy group: a command's file is imported when the command is asked for.

    Deliberate errors become one line and an exit code. Anything else is a bug and keeps its traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in alphabetical order."""
        return sorted(name for names in _FAMILIES.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        for family, names in _FAMILIES.items():
            if cmd_name in names:
                commands = importlib.import_module(f"dagster_project.cli.{family}").COMMANDS
                return next((command for command in commands if command.name == cmd_name), None)
        return None

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
