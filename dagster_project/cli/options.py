"""Options, progress and tables that several commands share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagster_project import outgoing
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home, parse_instant

_NARROWEST = {"what": 8, "where": 8, "verdict": 10, "status": 8}
"""Widths at which a row fits into 80 columns without a word being cut."""

PRIORITY_STYLE = {"P1": "bold red", "P2": "red", "P3": "yellow", "P4": "dim"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
sources_option = click.option(
    "--sources",
    type=click.Path(path_type=Path),
    help="The sources.yml to read  [default: HOME/sources.yml; in a demo home, its shop's].",
)


class Instant(click.ParamType[datetime]):
    """An instant as people write it: ``2026-01-31`` or ``2026-01-31T14:00:00Z``."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant; a usage error where the text is none."""
        try:
            return value if isinstance(value, datetime) else parse_instant(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


def view_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Option of commands that read decisions: those of a view."""
    text = "Read the view that `run --as-of` made for this instant  [default: what is published]."
    return click.option("--as-of", type=Instant(), help=text)(command)


def chosen_view(home: Home, as_of: datetime | None) -> Home:
    """The home whose decisions are read: that of a view, or the home itself."""
    if as_of is None or home.is_rehearsal:
        return home
    from dagster_project.views import find_view

    return find_view(home, as_of)


def progress_since(started: datetime) -> Callable[[str], None]:
    """A printer of progress to stderr, each line with the seconds since ``started``."""

    def show(message: str) -> None:
        click.echo(f"[{(datetime.now(UTC) - started).total_seconds():6.1f} s] {message}", err=True)

    return show


def show_queue(home: Home, *, include_resolved: bool) -> None:
    """Print the queue of issues as a table."""
    from dagster_project.decisioning.explain import queue

    rows = queue(home, include_resolved=include_resolved)
    if not rows:
        from dagster_project.decisioning.history import history

        known = history(home)
        click.echo("\n".join(known.lines()) if known.is_short else "no open issues")
        return
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("#", "issue", "pri", "sev", "what", "where", "since", "n", "verdict", "status"):
        whole = name in ("issue", "pri", "since", "status")  # the next command wants the id as it is
        table.add_column(name, no_wrap=whole, overflow="fold", min_width=_NARROWEST.get(name))
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
            style="dim" if row["status"] == "resolved" else PRIORITY_STYLE[row["priority"]],
        )
    console().print(table)


def command_line(home: Home) -> str:
    """This program as a person has to type it: by its path unless it is on the search path, with a home of its own."""
    program = Path(sys.argv[0]).absolute()
    found = shutil.which(program.name)
    told = program.name if found and Path(found).absolute() == program else str(program)
    if program.name == "__main__.py":
        told = f"{sys.executable} -m dagster_project"
    return told if home.root == Home.locate().root else f"{told} --home {home.root}"


def console() -> Console:
    """Console as wide as the terminal; wide enough for a whole row when the output goes to a file.

    Cells hold words from outside: no markup or emoji code in them has an effect.
    """
    width = None if sys.stdout.isatty() else 140
    file: Any = getattr(sys.stdout, "styled", sys.stdout)
    return _Console(file=file, width=width, markup=False, emoji=False, highlight=False)


class _Console(Console):
    """Console that cleans every text before it is laid out and cut."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, fit to leave."""
        return super().render_str(outgoing.clean(text), **options)


def plain(value: Any) -> Any:
    """Dataclasses and sequences of them as plain dictionaries, for JSON."""
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
