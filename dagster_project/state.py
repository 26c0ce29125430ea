"""State files of a home, in one list: what each is, and what brings it back when it is broken or missing.

Every state file is read by ``files.read_state`` or checked by its owner, so that damage heals. The tests damage each
entry of this list in every way; ``docs/operations.md`` shows it to people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster_project.files import read_state
from dagster_project.home import Home


@dataclass(frozen=True)
class StateFile:
    """A file, or a kind of files, under a home: ``pattern`` is relative to it."""

    pattern: str
    what: str
    healed_by: str

    def __str__(self) -> str:
        return self.pattern

    def paths(self, home: Home) -> Iterator[Path]:
        """The files that are there."""
        yield from sorted(home.root.glob(self.pattern))


STATE_FILES = (
    StateFile("lake/*/ingest_date=2*/*.parquet", "rows of the lake", "landing and labelling, from their sources"),
    StateFile(
        "lake/*/ingest_date=1970-01-01/*.parquet", "empty typed files, small tables", "the stage that writes them"
    ),
    StateFile("lake/_files/*.json", "manifests of the lake's files", "any stage, from the files that are there"),
    StateFile("lake/_landed/sources.json", "first run that looked for each source", "landing, from the marks"),
    StateFile("lake/_landed/files.seen", "files that the last landing saw", "landing, from the files that are there"),
    StateFile("lake/_landed/*.json", "landing marks", "landing, which reads the source file again"),
    StateFile("lake/_landed/*.parquet", "content hashes of a source file's rows", "landing, from the lake"),
    StateFile("lake/_locks/*.lock", "locks of the lake's tables", "whoever takes the lock"),
    StateFile("clock.json", "the clock of the last run", "the next run, from its own clock"),
    StateFile("built.json", "the last build", "the build, which makes all models anew"),
    StateFile("warehouse.duckdb", "the models' tables", "the build, which makes all models anew"),
    StateFile("warehouse.lock", "the lock of the warehouse", "whoever takes the lock"),
    StateFile("published/warehouse.duckdb", "the published copy", "the next build, which publishes anew"),
    StateFile("outbound/out_*.jsonl", "outbound rows", "the next build"),
    StateFile("dbt_target*/manifest.json", "dbt's parsed project", "dbt"),
    StateFile("dbt_target*/partial_parse.msgpack", "dbt's parse cache", "dbt"),
    StateFile("reports/closed_loop.html", "the report of the loop", "the next turn"),
    StateFile("models/champion.json", "the model that labels", "labelling, from the models that are there"),
    StateFile("models/refused.json", "the last candidate that was refused", "labelling, by assessing it again"),
    StateFile("models/*/runtimes.json", "the fastest runtime of this machine", "labelling, which times them again"),
    StateFile("models/*/files.json", "content hashes of a model's files", "labelling, after the parity check"),
    StateFile("models/*/**/*", "a trained model", "another model of its recipe, or training"),
)
"""Everything under a home that a turn reads and can make anew. Tickets, ledger, events and golden set are not: they
hold people's words and need a backup."""


def read_all(home: Home) -> None:
    """Read every small state file that has no owner at hand, so that what is broken is told."""
    for state in STATE_FILES:
        if state.pattern.endswith(".json") and not state.pattern.startswith(("models", "dbt_target")):
            for path in state.paths(home):
                read_state(path, dict[str, object], f"made anew by {state.healed_by}")
