"""Label queue (active learning): recent feedback for people to label, as a CSV in the golden set's columns.

Feedback of issues whose ticket a person rejected ("not a bug") comes first, because its type is in doubt. Nothing
enters the golden set without a person's label.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.measurement.drift.windows import Progress, read_labelled
from models_ml.golden.active_learning import Candidate, rejected_first, write_queue
from models_ml.golden.golden_set import load_golden
from models_ml.training.registry import champion

RECENT = timedelta(days=28)
"""Age limit of feedback in the queue."""


_LIFECYCLE = (
    *("issue_id", "product", "issue_type", "started_at", "resolved_at", "rejected_at", "rejected_as", "rejected_by"),
)
_FEEDBACK = ("feedback_id", "product", "issue_type", "counted_at")


def label_queue(home: Home, *, as_of: datetime, size: int = 50, progress: Progress = lambda _: None) -> Path:
    """Write ``reports/drift/<date>/to_label.csv``: up to ``size`` texts, rejected ones first; returns its path.

    Texts are masked. People fill in ``issue_type`` and hand the file to
    ``models_ml.golden.active_learning.add_labelled``.

    Args:
        home: the installation.
        as_of: feedback known by then counts, no older than ``RECENT``.
        size: maximum number of rows.
        progress: called with each step.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
        NoChampionError: no model was promoted yet.
    """
    known = [text.text for text in load_golden(home.golden).texts]
    model = champion(home.models, golden=home.golden, progress=progress)
    labels = read_labelled(home, model, after=as_of - RECENT, until=as_of)
    rejections = _rejections(home, as_of)
    labels = labels.with_columns(
        rejection=pl.col("feedback_id").replace_strict(rejections, default="", return_dtype=pl.String)
    )
    once = labels.sort(pl.col("rejection") == "", maintain_order=True).unique(
        "text_hash", keep="first", maintain_order=True
    )
    candidates = [Candidate(**row) for row in once.drop("feedback_id").iter_rows(named=True)]
    rejected = sum(bool(one.rejection) for one in candidates)
    progress(f"label queue: choosing from {len(candidates):,} texts, {rejected:,} of issues that people rejected")
    recall = {name: figures.recall for name, figures in model.metrics.by_type.items()}
    chosen = rejected_first(candidates, recall, model.encoder, known, size)
    folder = home.reports / "drift" / as_of.date().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    return write_queue(folder / "to_label.csv", chosen)


def _rejections(home: Home, as_of: datetime) -> dict[str, str]:
    """Reason of rejection by feedback id; empty before the first build."""
    if not home.published.exists():
        return {}
    lifecycle = read_mart(home, "fct_issue_lifecycle", _LIFECYCLE)
    rejected = lifecycle.filter(pl.col("rejected_at").dt.replace_time_zone("UTC") <= as_of)
    types = rejected["issue_type"].unique().to_list()
    feedback = read_mart(home, "fct_feedback", _FEEDBACK, where={"is_counted": True, "issue_type": types})
    until = pl.col("resolved_at").fill_null(pl.col("counted_at"))
    rows = rejected.join(feedback, on=["product", "issue_type"]).filter(
        pl.col("counted_at").is_between("started_at", until)
    )
    return {row["feedback_id"]: _reason(row) for row in rows.sort("feedback_id", "issue_id").iter_rows(named=True)}


def _reason(row: dict[str, str | None]) -> str:
    by = f" by {row['rejected_by']}" if row["rejected_by"] else ""
    return f"issue {row['issue_id']} was rejected as {row['rejected_as']!r}{by}: is this the type?"
