"""The command line: ``feedback-control``.

Every command works on one home (``--home``, ``$FEEDBACK_HOME`` or ``.feedback-control``; the demo on
``.feedback-control-demo``). ``--json`` prints the marts' columns by their own names. Exit codes: 0 fine, 1 failed, 2
bad usage or configuration.
"""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import click

from dagster_project import outgoing
from dagster_project.disk import disk_error
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.files import telling_repairs
from dagster_project.home import Home
from models_ml.errors import ModelError

_FAMILIES = {
    "homes": ("init",),
    "turn": ("run", "replay", "doctor"),
    "gameday": ("gameday",),
    "issues": ("issues", "explain", "tickets"),
    "mitigation": ("approve", "approvers", "mitigate", "plans", "refuse", "resume", "shadow-report", "stop", "undo"),
    "outbound": ("audit", "dead-letters", "ledger", "outbox", "preview", "pull", "push"),
    "models": ("drift", "label-queue", "add-labelled"),
    "demo": ("demo",),
    "docs": ("docs",),
    "serve": ("serve",),
    "repair": ("repair",),
    "roi": ("roi",),
    "roadmap": ("roadmap",),
}
"""Each command's file in this folder, imported when the command is asked for."""


class _Main(click.Group):
    """A lazy group: a command's file is imported when the command is asked for.

    Deliberate errors become one line and an exit code, and so does a full disk. Anything else is a bug and keeps its
    traceback. All output of a command goes through the door (``outgoing.py``).
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line."""
        outgoing.install()
        with outgoing.terminal(), outgoing.redacted_errors():
            return super().main(*args, **extra)

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, with docstrings read from their source: nothing is imported."""
        texts = {name: text for family in _FAMILIES for name, text in _docstrings(family).items()}
        listed = click.Group(commands=[click.Command(name, help=text) for name, text in texts.items()])
        listed.format_commands(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with telling_repairs(lambda line: click.echo(line, err=True)):
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            home = ctx.obj if isinstance(ctx.obj, Home) else Home.locate()
            known = disk_error(error, home) or error
            if not isinstance(known, FeedbackControlError | ModelError):
                raise
            click.echo(f"error: {known}", err=True)
            sys.exit(getattr(known, "exit_code", 1))


def _docstrings(family: str) -> dict[str, str]:
    """Docstrings of a family's commands, by the command's name; a hidden one that no function defines is left out."""
    tree = ast.parse((Path(__file__).parent / f"{family}.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    named = {_command_name(function): ast.get_docstring(function) or "" for function in functions}
    return {name: text for name, text in named.items() if name in _FAMILIES[family]}


def _command_name(function: ast.FunctionDef) -> str:
    """Name of a command or group: the one that its decorator gives, else the function's with hyphens, as in click."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant):
            called = decorator.func
            if isinstance(called, ast.Attribute) and called.attr in {"command", "group"}:
                return str(decorator.args[0].value)
    return function.name.replace("_", "-")


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Where state lives  [default: $FEEDBACK_HOME, else .feedback-control; demo: .feedback-control-demo].",
)
@click.version_option(package_name="feedback-control")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Turn what customers complain about into operational fixes.

    \b
    Start here:
      feedback-control demo                      a simulated shop in a home of its own, all the way to tickets
      feedback-control run --sources my.yml      one turn of the loop over your own exports
      feedback-control issues                    what to act on, most urgent first
      feedback-control explain ISS-1A2B          why, number by number
    """  # noqa: D301 - click wants the backspace itself
    try:
        context.obj = Home.locate(home)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
