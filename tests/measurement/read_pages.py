"""Pages as a reader meets them: links, tables with their sums, charts, and the rows in the CSV files."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = frozenset("meta link br img hr input".split())


@dataclass
class ShownTable:
    """A table: headings, rows and the row of sums, as text."""

    headings: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)

    def column(self, heading: str) -> list[str]:
        """The cells below the heading that begins so."""
        place = next(place for place, one in enumerate(self.headings) if one.startswith(heading))
        return [row[place] for row in self.rows]


class Page(HTMLParser):
    """A page, read back."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, ShownTable] = {}
        self.steps: list[str] = []
        self.figures: list[str] = []
        self._open: list[str] = []
        self._table: ShownTable | None = None
        self._cell: list[str] | None = None
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in VOID:
            self._open.append(tag)
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag == "table":
            self._table = self.tables[str(found["id"])] = ShownTable()
        if tag == "tr" and self._table and "tbody" in self._open:
            self._table.rows.append([])
        if tag in ("td", "th", "li") or (tag == "div" and self._open.count("div") > 1):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if self._cell is None or tag not in ("td", "th", "li", "div"):
            return
        said = " ".join("".join(self._cell).split())
        if tag == "li":
            self.steps.append(said)
        elif tag == "div":
            self.figures.append(said)
        elif self._table is not None and tag == "th":
            self._table.headings.append(said)
        elif self._table is not None and "tfoot" in self._open:
            self._table.sums.append(said)
        elif self._table is not None:
            self._table.rows[-1].append(said)
        self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def rows_beside(self, table: str) -> list[dict[str, str]]:
        """The rows of a table's CSV file."""
        reports = next(one for one in self.path.parents if (one / "rows").is_dir())
        with (reports / "rows" / f"{table.removeprefix('t-')}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def number(shown: str) -> float:
    """A number as it is shown."""
    return 0.0 if shown in ("–", "") else float(shown.replace(",", "").rstrip("%"))
