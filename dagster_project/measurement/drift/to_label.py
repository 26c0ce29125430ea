"""The label queue: the recent feedback that people had best label next, as a file in the golden set's columns."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from dagster_project.home import Home
from dagster_project.measurement.drift.windows import Progress, read_labelled
from models_ml.data import load_golden
from models_ml.queue import Candidate, choose, write_queue
from models_ml.registry import champion

RECENT = timedelta(days=28)
"""How far back the queue looks for feedback."""


def label_queue(home: Home, *, as_of: datetime, size: int = 50, progress: Progress = lambda _: None) -> Path:
    """Write ``reports/drift/<date>/to_label.csv``: up to ``size`` texts, the most informative first; returns its path.

    Texts are masked. People fill in ``issue_type`` and hand the file to ``models_ml.queue.add_labelled``.

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
    distinct = labels.unique("text_hash", keep="first", maintain_order=True).drop("feedback_id")
    candidates = [Candidate(**row) for row in distinct.iter_rows(named=True)]
    progress(f"label queue: choosing from {len(candidates):,} texts")
    recall = {name: figures.recall for name, figures in model.metrics.by_type.items()}
    chosen = choose(candidates, recall, model.encoder, known, size)
    folder = home.reports / "drift" / as_of.date().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    return write_queue(folder / "to_label.csv", chosen)
