"""Labelling: every landed version of every piece of feedback, once per model, appended to the lake in chunks.

A label becomes known when its text did, so a decision as of any instant finds the label of the text as it then stood. A
killed run loses at most one chunk and goes on where it stopped. The masked text is made here, once, so that what leaves
later never has to touch the original.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from models_ml.classifier import Classifier
from models_ml.masking import mask
from models_ml.preprocess import join, text_hash
from models_ml.train import load_or_train

Progress = Callable[[str], None]

_OF_TEXT: dict[str, pl.DataType] = {
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
}
"""The columns that follow from the text and the model alone: two customers who wrote the same words share them."""

LABELS_SCHEMA: dict[str, pl.DataType] = {
    "feedback_id": pl.String(),
    **_OF_TEXT,
    "known_at": lake.INSTANT,
    "labeled_at": lake.INSTANT,
}
"""The lake table ``labels``: one row per version of a piece of feedback and model version."""

_CHUNK = 2_000
_MASKED_CHARACTERS = 1_000


@dataclass(frozen=True)
class LabelReport:
    """What one run labelled; ``by_type`` counts what decisions will see, ``from_cache`` texts that were read before."""

    labeled: int
    from_cache: int
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
    from_cache = abstained = 0
    for start in range(0, waiting.height, _CHUNK):
        chunk = waiting.slice(start, _CHUNK)
        known = _already_read(home, model.version, chunk["text_hash"])
        labels = _label(chunk, model, known)
        lake.append(home, "labels", labels)
        by_type.update(labels["issue_type"].to_list())
        from_cache += chunk.join(known, on="text_hash", how="semi").height
        abstained += int(labels["abstained"].sum())
        progress(_speed(min(start + _CHUNK, waiting.height), waiting.height, time.monotonic() - started))
    return LabelReport(
        labeled=waiting.height,
        from_cache=from_cache,
        abstained=abstained,
        by_type=dict(by_type.most_common()),
        seconds=time.monotonic() - started,
        model_version=model.version,
        model_card=model.folder / "model_card.md",
    )


def _speed(done: int, of: int, seconds: float) -> str:
    rate = done / max(seconds, 1e-9)
    return f"labelled {done:,} of {of:,} ({rate:,.0f} a second, {(of - done) / rate:,.0f} s to go)"


def _unlabelled(home: Home, version: str) -> pl.DataFrame:
    """Every version of feedback that this model has not labelled, oldest first.

    Of two versions known at the same instant, the one counts that the marts take: the lower content hash.
    """
    feedback = (
        lake.scan(home, "feedback")
        .select("feedback_id", "title", "text", "known_at", "content_hash")
        .sort("known_at", "feedback_id", "content_hash")
        .unique(["feedback_id", "known_at"], keep="first", maintain_order=True)
        .collect()
    )
    joined = [join(title, text) for title, text in feedback.select("title", "text").iter_rows()]
    versions = feedback.select("feedback_id", "known_at").with_columns(
        pl.Series("joined", joined, dtype=pl.String),
        pl.Series("text_hash", [text_hash(text) for text in joined], dtype=pl.String),
    )
    key = ["feedback_id", "known_at", "text_hash"]
    done = lake.scan(home, "labels").filter(pl.col("model_version") == version).select(key).collect()
    return versions.join(done, on=key, how="anti", maintain_order="left")


def _already_read(home: Home, version: str, hashes: pl.Series) -> pl.DataFrame:
    """What this model said before of texts with these hashes, whoever wrote them."""
    return (
        lake.scan(home, "labels")
        .filter(pl.col("model_version") == version, pl.col("text_hash").is_in(hashes.unique().to_list()))
        .select(list(_OF_TEXT))
        .unique("text_hash")
        .collect()
    )


def _label(chunk: pl.DataFrame, model: Classifier, known: pl.DataFrame) -> pl.DataFrame:
    unread = chunk.unique("text_hash", maintain_order=True).join(known, on="text_hash", how="anti")
    read = _read(unread["text_hash"].to_list(), unread["joined"].to_list(), model)
    return (
        chunk.join(pl.concat([known, read]), on="text_hash", how="left", maintain_order="left")
        .with_columns(pl.lit(datetime.now(UTC)).cast(lake.INSTANT).alias("labeled_at"))
        .select(list(LABELS_SCHEMA))
    )


def _read(hashes: list[str], texts: list[str], model: Classifier) -> pl.DataFrame:
    rows = []
    for digest, text, prediction in zip(hashes, texts, model.predict(texts), strict=True):
        said = asdict(prediction)
        explanation = json.dumps(said.pop("neighbours"))
        masked = mask(text)[:_MASKED_CHARACTERS]
        rows.append(
            {
                "text_hash": digest,
                "model_version": model.version,
                **said,
                "masked_text": masked,
                "explanation": explanation,
            }
        )
    return pl.DataFrame(rows, schema=_OF_TEXT)
