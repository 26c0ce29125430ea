"""Freshness of the lake as dbt declares it: runs ``dbt source freshness`` beside the warehouse, and reads its result.

The run has a scratch warehouse of its own over the home's lake, so it neither waits for the real one nor touches it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.errors import DecisionError
from dagster_project.home import Home


@dataclass(frozen=True)
class SourceFreshness:
    """Freshness of one source table: dbt's verdict, its newest row (None: it has none), and its age in hours."""

    table: str
    status: str
    newest: datetime | None
    age_hours: float


def source_freshness(home: Home) -> list[SourceFreshness]:
    """The freshness of every source table that declares one.

    Raises:
        DecisionError: dbt could not look.
    """
    cache = home.root / "dbt_target_freshness"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch, output = Home(Path(folder)), Path(folder) / "sources.json"
        scratch.lake.symlink_to(home.lake)
        (scratch.root / "dbt_target").symlink_to(cache)
        try:
            run_dbt(scratch, ["source", "freshness", "--output", str(output)])
        except DecisionError:  # also where a source is too old, which is a result
            if not output.exists():
                raise
        return list(_read(json.loads(output.read_text(encoding="utf-8"))["results"]))


def _read(results: Iterable[dict[str, object]]) -> Iterable[SourceFreshness]:
    for result in results:
        table = str(result["unique_id"]).rpartition(".")[2]
        said = result.get("max_loaded_at")
        newest = datetime.fromisoformat(str(said).replace("Z", "+00:00")) if said else None
        if newest is None or newest.year == 1:  # dbt's word for a table without rows
            yield SourceFreshness(table, "no rows", None, 0.0)
            continue
        age = float(str(result["max_loaded_at_time_ago_in_s"])) / 3600
        yield SourceFreshness(table, str(result["status"]), newest, round(age, 1))
