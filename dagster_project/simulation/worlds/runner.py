"""Runner: load worlds into one lake, as products side by side, and decide on them with the dbt models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

import polars as pl

from dagster_project import lake
from dagster_project.decisioning.dbt_build import BUILD, build
from dagster_project.decisioning.playbook import Detection, load_playbook
from dagster_project.decisioning.published import publish, read_mart
from dagster_project.home import Home
from dagster_project.lake_tables import LAKE_TABLES, schema_of
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import DAYS_AFTER, DAYS_BEFORE, START

Progress = Callable[[str], None]

LOOKS = tuple(START + timedelta(days=DAYS_BEFORE, hours=hours) for hours in (18, 30, 48, 84, 24 * DAYS_AFTER))
"""Instants of decision; onsets lie from 06:00 to 18:00 on the first of these days."""

_CONSTANTS: dict[str, dict[str, str | float]] = {
    "feedback": {"source": "scenario", "schema_version": 1},
    "releases": {"environment": "production"},
    "flag_changes": {"environment": "production"},
    "orders": {"currency": "EUR", "status": "paid", "customer_id": "unknown"},
    "labels": {"label_version": "truth", "model_version": "truth", "decided_by": "classifier", "confidence": 0.9},
}


_ISSUE = (
    *("issue_id", "product", "issue_type", "status", "priority", "severity_score", "verdict", "suspect_release_id"),
    *("release_confidence", "rollback_supported", "detected_at", "feedback_count"),
)


def set_up(home: Home, simulations: Sequence[Simulation]) -> None:
    """Write the rows of these worlds as the whole lake of a home, which is one for replays."""
    home.marked("replay")
    tables = [simulation.rows for simulation in simulations]
    rows = {
        table: pl.concat([own[table] for own in tables if table in own], how="diagonal") for table in {*chain(*tables)}
    }
    feedback = rows["feedback"]
    rows["feedback"] = feedback.with_columns(text="feedback_id")
    rows["labels"] = feedback.with_columns(labeled_at="known_at", text_hash="feedback_id", masked_text="feedback_id")
    for table in LAKE_TABLES:
        _land(home, table, rows.get(table))


def _land(home: Home, table: str, rows: pl.DataFrame | None) -> None:
    """Replace a lake table by rows cast to its schema; missing columns are null."""
    lake.ensure_table(home, table)
    if rows is None:
        return
    constants = [pl.lit(value).alias(name) for name, value in _CONSTANTS.get(table, {}).items()]
    full = rows.with_columns(constants)
    columns = [
        (pl.col(name).cast(kind) if name in full.columns else pl.lit(None, dtype=kind)).alias(name)
        for name, kind in schema_of(table).items()
    ]
    lake.replace(home, table, full.select(columns))


def decisions(home: Home, looks: Sequence[datetime] = LOOKS, progress: Progress = lambda _: None) -> Iterator[datetime]:
    """Decide at each instant and yield it; the published marts then hold the decisions as of that instant.

    dbt's data tests run only at the first.
    """
    for place, look in enumerate(looks, start=1):
        build(home, as_of=look, command=BUILD if place == 1 else ["run"])
        publish(home)
        progress(f"look {place} of {len(looks)}: {look:%d %b %H:%M}")
        yield look


def issues_at(home: Home, look: datetime) -> pl.DataFrame:
    """Issues at one look, one row each."""
    return _at(look, read_mart(home, "fct_issues", _ISSUE))


def candidates_at(home: Home, look: datetime) -> pl.DataFrame:
    """Candidate changes at one look with their confidence, one row per issue and change."""
    columns = ["issue_id", "product", "change_id", "confidence", "verdict"]
    candidates = read_mart(home, "fct_release_correlation", columns)
    issues = read_mart(home, "fct_issues", ["issue_id", "issue_type", "detected_at"])
    weighed = candidates.filter(pl.col("verdict") != "insufficient_data").join(issues, on="issue_id")
    return _at(look, weighed.select("product", "issue_type", "change_id", "confidence", "detected_at"))


def scores_at(home: Home) -> pl.DataFrame:
    """How far each series is, per tick: 1.0 opens an issue, 2.0 would at twice the threshold."""
    return pl.concat([_of_complaints(home, load_playbook(home.playbook).detection), _of_all_signals(home)])


def _of_all_signals(home: Home) -> pl.DataFrame:
    """What complaints and telemetry say together, in multiples of what the false-alarm budget asks for."""
    rows = read_mart(home, "fct_joint_evidence", where={"can_open": True})
    return rows.select(
        "product", "issue_type", pl.col("tick").dt.replace_time_zone("UTC"), score=pl.col("times_needed")
    )


def _of_complaints(home: Home, detection: Detection) -> pl.DataFrame:
    """What the counts of complaints alone say, in multiples of ``open_score``."""
    rows = read_mart(home, "fct_issue_activity", where={"scope_kind": "all"})
    day, three_days = (pl.col(name) >= detection.min_excess for name in ("excess", "excess_72h"))
    day_stands = day & (pl.col("feedback_count") >= detection.min_ratio * pl.col("explained"))
    three_days_stand = (
        three_days
        & (pl.col("score") >= detection.close_score)
        & (pl.col("feedback_count_72h") >= detection.min_ratio * pl.col("explained_72h"))
    )
    score = pl.max_horizontal(
        pl.when(day_stands).then("score").otherwise(0.0), pl.when(three_days_stand).then("score_72h").otherwise(0.0)
    )
    return rows.filter((pl.col("baseline_days") >= detection.min_baseline_days) & (day | three_days)).select(
        "product", "issue_type", pl.col("tick").dt.replace_time_zone("UTC"), score=score / detection.open_score
    )


def _at(look: datetime, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.lit(look).alias("look"), pl.col("detected_at").dt.replace_time_zone("UTC"))
