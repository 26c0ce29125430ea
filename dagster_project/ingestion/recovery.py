"""Recovery of rows that the lake lost: their source files are read again, and what cannot come back is named.

Rows return with the ``known_at`` that they had, so a decision as of any instant is what it was. A source file that is
gone, or an API's answer, cannot be read again by a turn: the report says so each time, with the command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dagster_project.files import tell_repair
from dagster_project.home import Home
from dagster_project.ingestion.marks import read_again
from dagster_project.ingestion.reading import SourceLine
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.lake_files import Lost, forget, in_words
from dagster_project.lake_tables import LAKE_TABLES


def ask_again(home: Home, lost: Sequence[Lost]) -> list[Lost]:
    """Of what the lake lost, the rows that sources brought; the marks of their files are cleared."""
    own = [one for one in lost if LAKE_TABLES[one.table].writer == "ingestion"]
    read_again(home, {origin for one in own for origin in one.origins})
    return own


def conclude_recovery(
    home: Home, lost: Sequence[Lost], sources: Sequence[SourceConfig], lines: Sequence[SourceLine]
) -> list[str]:
    """Settle what was lost after a landing: report what came back; returns a problem for each file that did not.

    A file is back if the same file was written again, or if its sources brought as many rows as they had lost. Only
    files of the tables that these sources fill are judged: a run may land some tables alone.
    """
    tables = {source.target for source in sources} | {"quarantine"}
    judged = [one for one in lost if one.table in tables]
    missing = [one for one in judged if not (home.lake / one.table / one.file).exists()]
    owed: Counter[tuple[str, str]] = Counter()
    for one in missing:
        owed.update({(one.table, source): one.rows for source in _sources(one)})
    brought = {(line.table, line.source): line.landed + line.changed for line in lines}
    brought |= {("quarantine", line.source): line.quarantined for line in lines}
    paid = {key for key, rows in owed.items() if 0 < rows <= brought.get(key, 0)}
    gone = [one for one in missing if not one.origins or not {(one.table, name) for name in _sources(one)} <= paid]
    if back := [one for one in judged if one not in gone]:
        forget(home, back)
        tell_repair(f"landed again from their sources: {in_words(back)}")
    return [_problem(home, one) for one in gone]


def _sources(lost: Lost) -> set[str]:
    return {origin.split(":", maxsplit=1)[0] for origin in lost.origins}


def _problem(home: Home, lost: Lost) -> str:
    day = lost.file.split("/", maxsplit=1)[0].removeprefix("ingest_date=")
    came = ", ".join(lost.origins[:3]) or "an unknown source"
    return (
        f"{lost}, and {came} could not be read again: put the source file back (for an API, materialize the partition"
        f" {day} in Dagster), or restore {home.lake / lost.table / lost.file} from a backup; to do without these rows:"
        f" feedback-control --home {home.root} repair --give-up"
    )
