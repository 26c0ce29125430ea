"""Labelling: only feedback whose text the current model has not read yet; labels are appended to the lake in chunks.

A killed run loses at most one chunk and continues where it stopped. The masked text is made here, once, so that what leaves later
never has to touch the original.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from models_ml.classifier import Classifier
from models_ml.masking import mask
from models_ml.preprocess import join, text_hash
from models_ml.train import load_or_train

Progress = Callable[[str], None]

LABELS_SCHEMA: dict[str, pl.DataType] = {
    "feedback_id": pl.String(),
    "text_hash": pl.String(),
    "model_version": pl.String(),
    "issue_type": pl.String(),
    "best_type": pl.String(),
    "confidence": pl.Float64(),
    "runner_up_type": pl.String(),
    "runner_up_confidence": pl.Float64(),
    "abstained": pl.Boolean(),
    "masked_text": pl.String(),
    "explanation": pl.String(),
    "known_at": lake.INSTANT,
    "labeled_at": lake.INSTANT,
}
"""The lake table ``labels``: one row per feedback, text and model version."""

_CHUNK = 2_000
_MASKED_CHARACTERS = 1_000


@dataclass(frozen=True)
class LabelReport:
    """What one run labelled; ``by_type`` counts what decisions will see."""

    labeled: int
    abstained: int
    by_type: dict[str, int]
    seconds: float
    model_version: str
    model_card: Path


def label_new(home: Home, *, progress: Progress = lambda _: None) -> LabelReport:
    """Label what the current model has not labelled yet.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
    """
    lake.ensure_table(home, "labels", LABELS_SCHEMA)
    model = load_or_train(home.models, progress=progress)
    waiting = _unlabelled(home, model.version)
    started = time.monotonic()
    by_type: Counter[str] = Counter()
    abstained = 0
    for start in range(0, waiting.height, _CHUNK):
        labels = _label(waiting.slice(start, _CHUNK), model)
        lake.append(home, "labels", labels)
        by_type.update(labels["issue_type"].to_list())
        abstained += int(labels["abstained"].sum())
        done = min(start + _CHUNK, waiting.height)
        rate = done / max(time.monotonic() - started, 1e-9)
        left = (waiting.height - done) / rate
        progress(f"labelled {done:,} of {waiting.height:,} ({rate:,.0f} a second, {left:,.0f} s to go)")
    return LabelReport(
        labeled=waiting.height,
        abstained=abstained,
        by_type=dict(by_type.most_common()),
        seconds=time.monotonic() - started,
        model_version=model.version,
        model_card=model.folder / "model_card.md",
    )


def _unlabelled(home: Home, version: str) -> pl.DataFrame:
    """Feedback (newest text of each) that this model has not read, oldest first."""
    feedback = (
        lake.scan(home, "feedback")
        .select("feedback_id", "title", "text", "known_at")
        .sort("known_at", "feedback_id")
        .unique("feedback_id", keep="last", maintain_order=True)
        .collect()
    )
    joined = [join(title, text) for title, text in feedback.select("title", "text").iter_rows()]
    feedback = feedback.with_columns(
        pl.Series("joined", joined, dtype=pl.String), pl.Series("text_hash", [text_hash(text) for text in joined], dtype=pl.String)
    )
    labelled = (
        lake.scan(home, "labels").filter(pl.col("model_version") == version).select("feedback_id", "text_hash").unique().collect()
    )
    return feedback.join(labelled, on=["feedback_id", "text_hash"], how="anti").sort("known_at", "feedback_id")


def _label(feedback: pl.DataFrame, model: Classifier) -> pl.DataFrame:
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for row, prediction in zip(feedback.iter_rows(named=True), model.predict(feedback["joined"].to_list()), strict=True):
        values = asdict(prediction)
        neighbours = values.pop("neighbours")
        rows.append(
            {
                "feedback_id": row["feedback_id"],
                "text_hash": row["text_hash"],
                "model_version": model.version,
                **values,
                "masked_text": mask(row["joined"])[:_MASKED_CHARACTERS],
                "explanation": json.dumps(neighbours),
                "known_at": row["known_at"],
                "labeled_at": now,
            }
        )
    return pl.DataFrame(rows, schema=LABELS_SCHEMA)
