"""The site: templates, words and numbers of all pages, and the CSV files beside them.

Text goes through the door (``outgoing.py``) on its way into a page or a CSV cell; a cell that a spreadsheet would take
for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from dagster_project.files import write_text
from dagster_project.home import Home
from dagster_project.outgoing import clean, finalized

_TEMPLATES = Path(__file__).parents[1] / "templates"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table: the key in its rows, its heading, and how its values are shown."""

    key: str
    title: str
    kind: str = "text"
    """text, code, count, amount, share, ratio, rate, duration, instant, month, issue (a link) or drift (a link)."""
    is_summed: bool = False
    """True if the table ends in its sum, over the rows that have a value."""


@dataclass(frozen=True)
class Table:
    """Rows with their columns, written as a CSV file and shown below one another on a phone."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "Nothing."

    @property
    def sums(self) -> dict[str, float] | None:
        """The sum of each summed column; None where no column is summed, or there is nothing to sum."""
        summed = [column.key for column in self.columns if column.is_summed]
        if not summed or not self.rows:
            return None
        return {key: sum(row[key] for row in self.rows if row[key] is not None) for key in summed}


class Site:
    """The folder of a home's pages, and all that is common to them."""

    def __init__(self, home: Home, as_of: datetime | None) -> None:
        self.home, self.folder, self.as_of = home, home.reports, as_of
        self.written: list[Path] = []

    def page(self, name: str, template: str, **context: Any) -> Path:
        """Write a page, by its path below the folder; links in templates start with ``root``."""
        root = "../" * name.count("/")
        shown = self._environment.get_template(f"pages/{template}").render(
            root=root, as_of=self.as_of, kind=self.home.kind, page=name, **context
        )
        path = self.folder / name
        write_text(path, shown)
        self.written.append(path)
        return path

    def table(self, table: Table) -> Table:
        """Write the rows of a table as a CSV file; returns the table."""
        self.rows(table.name, [column.key for column in table.columns], table.rows)
        return table

    def rows(self, name: str, columns: Sequence[str], rows: Iterable[Row]) -> str:
        """Write rows as ``rows/NAME.csv``; returns its path below the folder."""
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)
        path = self.folder / "rows" / f"{name}.csv"
        write_text(path, lines.getvalue())
        self.written.append(path)
        return f"rows/{name}.csv"

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=select_autoescape(["html", "j2"]),
            undefined=StrictUndefined,
            finalize=finalized,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["numeric"] = NUMERIC
        environment.filters |= {
            "shown": shown,
            "money": money,
            "share": share,
            "duration": duration,
            "instant": instant,
            "day": day,
            "count": count,
            "percent": lambda value: f"{value:.0%}",
            "anchor": lambda name: f"t-{name}",
        }
        return environment


def _cell(value: Any) -> Any:
    """A value for a CSV file: numbers and instants plain, text through the door."""
    if isinstance(value, date):
        return str(value)
    if isinstance(value, str):
        text = clean(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return value


def shown(value: Any, kind: str) -> Any:
    """A value of a column as people read it; nothing is a dash."""
    if value is None:
        return "–"
    return _FORMS[kind](value) if kind in _FORMS else value


def money(value: float | None) -> str:
    """An amount for a headline, without cents."""
    return "–" if value is None else f"{round(value) + 0:,}"


def amount(value: float | None) -> str:
    """An amount of a table, with cents: so the rows that are shown add up to the sum that is shown."""
    return "–" if value is None else f"{round(value, 2) + 0:,.2f}"


def count(value: float | None) -> str:
    """A number of things; a part of one is shown with one digit."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return "–" if value is None else f"{value:.1%}"


def ratio(value: float | None) -> str:
    """A ratio, with one digit."""
    return "–" if value is None else f"{round(value, 1) + 0.0:.1f}"


def rate(value: float | None) -> str:
    """A rate or a slope, with two digits."""
    return "–" if value is None else f"{value:+.2f}"


def duration(minutes: float | None) -> str:
    """Minutes as min, h or days."""
    if minutes is None:
        return "–"
    hours = minutes / 60
    if abs(hours) < 2:
        return f"{minutes:.0f} min"
    return f"{hours:.1f} h" if abs(hours) < 48 else f"{hours / 24:.1f} days"


def instant(value: datetime | None) -> str:
    """An instant in UTC, to the minute."""
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M}"


def day(value: datetime | None) -> str:
    """A day."""
    return "–" if value is None else f"{value:%Y-%m-%d}"


def month(value: date | None) -> str:
    """A month."""
    return "–" if value is None else f"{value:%Y-%m}"


_FORMS: Mapping[str, Callable[[Any], str]] = {
    "amount": amount,
    "count": count,
    "duration": duration,
    "instant": instant,
    "month": month,
    "rate": rate,
    "ratio": ratio,
    "share": share,
}
NUMERIC = frozenset(_FORMS) - {"instant", "month"}
