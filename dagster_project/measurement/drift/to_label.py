"""The label queue: the recent feedback that people had best label next, as a file in the golden set's columns.

First comes the feedback of issues whose ticket a person rejected ("not a bug"), which casts doubt on its type. What it
is, people still have to say: nothing enters the golden set by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.measurement.drift.windows import Progress, read_labelled
from models_ml.golden.active_learning import Candidate, doubted_first, write_queue
from models_ml.golden.golden_set import load_golden
from models_ml.training.registry import champion

RECENT = timedelta(days=28)
"""How far back the queue looks for feedback."""


_LIFECYCLE = (
    *("issue_id", "product", "issue_type", "started_at", "resolved_at", "rejected_at", "rejected_as", "rejected_by"),
)
_FEEDBACK = ("feedback_id", "product", "issue_type", "counted_at")


def label_queue(home: Home, *, as_of: datetime, size: int = 50, progress: Progress = lambda _: None) -> Path:
    """Write ``reports/drift/<date>/to_label.csv``: up to ``size`` texts, the doubted first; returns its path.

    Texts are masked. People fill in ``issue_type`` and hand the file to
    ``models_ml.golden.active_learning.add_labelled``.

    Args:
        home: the installation.
        as_of: only feedback known by then is looked at, and no older than ``RECENT``.
        size: the most rows.
        progress: told what is going on.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
        NoChampionError: no model is fit to serve.
    """
    known = [text.text for text in load_golden(home.golden).texts]
    model = champion(home.models, golden=home.golden, progress=progress)
    labels = read_labelled(home, model, after=as_of - RECENT, until=as_of)
    doubts = _doubts(home, as_of)
    labels = labels.with_columns(
        doubted=pl.col("feedback_id").replace_strict(doubts, default="", return_dtype=pl.String)
    )
    once = labels.sort(pl.col("doubted") == "", maintain_order=True).unique(
        "text_hash", keep="first", maintain_order=True
    )
    candidates = [Candidate(**row) for row in once.drop("feedback_id").iter_rows(named=True)]
    doubted = sum(bool(one.doubted) for one in candidates)
    progress(f"label queue: choosing from {len(candidates):,} texts, {doubted:,} of issues that people rejected")
    recall = {name: figures.recall for name, figures in model.metrics.by_type.items()}
    chosen = doubted_first(candidates, recall, model.encoder, known, size)
    folder = home.reports / "drift" / as_of.date().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    return write_queue(folder / "to_label.csv", chosen)


def _doubts(home: Home, as_of: datetime) -> dict[str, str]:
    """By piece of feedback, who rejected the issue that it was counted in; none where nothing was decided yet."""
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
    return {row["feedback_id"]: _doubt(row) for row in rows.sort("feedback_id", "issue_id").iter_rows(named=True)}


def _doubt(row: dict[str, str | None]) -> str:
    by = f" by {row['rejected_by']}" if row["rejected_by"] else ""
    return f"issue {row['issue_id']} was rejected as {row['rejected_as']!r}{by}: is this the type?"
