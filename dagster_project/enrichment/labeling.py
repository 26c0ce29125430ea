"""Incremental labelling: every landed version of every piece of feedback, once per label version, in chunks.

A label has the ``known_at`` of its text, so a decision as of any instant finds the label of the text as of then. Labels
are appended to the lake per chunk: a killed run loses at most one chunk and resumes. Text is masked here, once;
whatever leaves the system later uses the masked text.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project import lake, lake_files
from dagster_project.files import tell_repair
from dagster_project.home import Home
from dagster_project.lake_tables import INSTANT, LABELS_OF_TEXT, LAKE_TABLES
from models_ml.label import Labeller, TextLabel
from models_ml.model.classifier import Classifier
from models_ml.model.sentiment import combine
from models_ml.text.channels import prepare
from models_ml.text.duplicates import Clusters
from models_ml.text.preprocess import join, text_hash
from models_ml.training.registry import promote

Progress = Callable[[str], None]
Earlier = deque[tuple[datetime, str, str, bytes, str]]

_VERSION_OF_FEEDBACK = ["feedback_id", "known_at", "content_hash"]
_CHUNK = 2_000
_MASKED_CHARACTERS = 1_000
DUPLICATE_WINDOW = timedelta(days=7)
"""Time window of the duplicate search: copies (brigading, copy-paste) come in bursts."""
DUPLICATE_TEXTS = 100_000
"""Maximum number of texts in the duplicate search; bounds the memory."""


@dataclass(frozen=True)
class LabelReport:
    """Result of one run: ``by_type`` counts final issue types, ``from_cache`` texts labelled before.

    ``failed`` counts texts on which a step of labelling raised.
    """

    labeled: int
    from_cache: int
    abstained: int
    failed: int
    by_type: dict[str, int]
    seconds: float
    model_version: str
    label_version: str
    runtime: str
    model_card: Path


def label_new(home: Home, *, progress: Progress = lambda _: None) -> LabelReport:
    """Label all versions that have no label of the current label version; two runs at once take turns.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
        NoChampionError: no model is fit to serve.
    """
    lake.refuse_borrowed(home)
    model, _ = promote(home.models, golden=home.golden, progress=progress)
    with lake.lock_table(home, "labels", progress):
        return _label_new(home, model, progress)


def _label_new(home: Home, model: Classifier, progress: Progress) -> LabelReport:
    if lost := lake.ensure_table(home, "labels"):
        lake_files.forget(home, lost)
        tell_repair(f"labelled again: {lake_files.in_words(lost)}")
    labeller = Labeller(model)
    waiting = _unlabelled(home, labeller.version)
    earlier = _labelled_before(home, labeller.version, waiting)
    clusters = Clusters(DUPLICATE_WINDOW, DUPLICATE_TEXTS)
    started = time.monotonic()
    by_type: Counter[str] = Counter()
    from_cache = abstained = failed = 0
    for start in range(0, waiting.height, _CHUNK):
        chunk = _with_text(home, waiting.slice(start, _CHUNK))
        known = _cached(home, labeller.version, chunk["text_hash"])
        labels = _label(chunk, labeller, known)
        copies = pl.Series("duplicate_of", _copies(labels, clusters, earlier), dtype=pl.String)
        labels = labels.with_columns(copies).select(list(LAKE_TABLES["labels"].columns))
        lake.append(home, "labels", labels)
        by_type.update(labels["issue_type"].to_list())
        from_cache += chunk.join(known, on="text_hash", how="semi").height
        abstained += int(labels["abstained"].sum())
        failed += int((labels["abstain_reason"] == "failed").sum())
        progress(_speed(min(start + _CHUNK, waiting.height), waiting.height, time.monotonic() - started))
    if failed:
        progress(f"{failed:,} texts could not be labelled: `other`, with abstain_reason `failed` in lake/labels")
    return LabelReport(
        labeled=waiting.height,
        from_cache=from_cache,
        abstained=abstained,
        failed=failed,
        by_type=dict(by_type.most_common()),
        seconds=time.monotonic() - started,
        model_version=model.version,
        label_version=labeller.version,
        runtime=model.encoder.runtime.name if waiting.height else "not used",  # opening it takes a second
        model_card=model.folder / "model_card.md",
    )


def _speed(done: int, of: int, seconds: float) -> str:
    rate = done / max(seconds, 1e-9)
    return f"labelled {done:,} of {of:,} ({rate:,.0f} a second, {(of - done) / rate:,.0f} s to go)"


def _unlabelled(home: Home, version: str) -> pl.DataFrame:
    """Versions of feedback without a label of this version, oldest first; keys only.

    Of two versions known at one instant, the one with the lower content hash counts, as in the marts.
    """
    versions = (
        lake.scan(home, "feedback")
        .select(_VERSION_OF_FEEDBACK)
        .sort("known_at", "feedback_id", "content_hash")
        .unique(["feedback_id", "known_at"], keep="first", maintain_order=True)
    )
    done = lake.scan(home, "labels").filter(pl.col("label_version") == version).select(_VERSION_OF_FEEDBACK)
    return versions.join(done, on=_VERSION_OF_FEEDBACK, how="anti", maintain_order="left").collect(engine="streaming")


def _with_text(home: Home, keys: pl.DataFrame) -> pl.DataFrame:
    """Prepared texts of these versions, with product, text hash, rating and NPS score."""
    columns = [*_VERSION_OF_FEEDBACK, "product", "channel", "title", "text", "rating", "nps_score"]
    first, last = keys["known_at"].min(), keys["known_at"].max()
    rows = lake.scan(home, "feedback").filter(pl.col("known_at").is_between(first, last)).select(columns)
    known = rows.unique(_VERSION_OF_FEEDBACK, keep="any").collect()
    feedback = keys.join(known, on=_VERSION_OF_FEEDBACK, how="left", maintain_order="left")
    words = [_prepared(*row) for row in feedback.select("title", "text", "channel").rows()]
    return feedback.select(*_VERSION_OF_FEEDBACK, "product", "rating", "nps_score").with_columns(
        pl.Series("words", words, dtype=pl.String),
        pl.Series("text_hash", [text_hash(text) for text in words], dtype=pl.String),
    )


def _prepared(title: str | None, text: str | None, channel: str) -> str:
    """The customer's own words; all of the text, if what surrounds them cannot be found."""
    try:
        return prepare(title, text, channel)
    except Exception:
        return join(title, text)


def _labelled_before(home: Home, version: str, waiting: pl.DataFrame) -> Earlier:
    """Labelled texts that waiting texts may be copies of, by time: (known_at, id, first, signature, product)."""
    if not waiting.height:
        return deque()
    since, until = waiting["known_at"][0] - DUPLICATE_WINDOW, waiting["known_at"][-1]
    recent = pl.col("known_at").is_between(since, until)
    products = lake.scan(home, "feedback").filter(recent).select(*_VERSION_OF_FEEDBACK, "product")
    rows = (
        lake.scan(home, "labels")
        .filter(pl.col("label_version") == version, recent)
        .drop_nulls("signature")
        .join(products.unique(_VERSION_OF_FEEDBACK, keep="any"), on=_VERSION_OF_FEEDBACK)
        .select(
            "known_at", "feedback_id", pl.coalesce("duplicate_of", "feedback_id").alias("first"), "signature", "product"
        )
        .sort("known_at", "feedback_id")
        .tail(DUPLICATE_TEXTS)
        .collect()
    )
    return deque(rows.iter_rows())


def _copies(labelled: pl.DataFrame, clusters: Clusters, earlier: Earlier) -> Iterator[str | None]:
    """First text of each text's cluster within its product, or None; texts of earlier runs are replayed by time."""
    columns = ["known_at", "feedback_id", "signature", "product"]
    for known_at, feedback_id, signature, product in labelled.select(columns).iter_rows():
        while earlier and earlier[0][:2] < (known_at, feedback_id):
            at, _, first, known, where = earlier.popleft()
            clusters.seed(first, known, at, group=where)
        yield clusters.add(feedback_id, signature, known_at, group=product)


def _cached(home: Home, version: str, hashes: pl.Series) -> pl.DataFrame:
    """Cached labels of texts with these hashes."""
    return (
        lake.scan(home, "labels")
        .filter(pl.col("label_version") == version, pl.col("text_hash").is_in(hashes.unique().to_list()))
        .select(list(LABELS_OF_TEXT))
        .unique("text_hash")
        .collect()
    )


def _label(chunk: pl.DataFrame, labeller: Labeller, known: pl.DataFrame) -> pl.DataFrame:
    """Labels of a chunk, without ``duplicate_of``; each distinct new text is classified once."""
    unread = chunk.unique("text_hash", maintain_order=True).join(known, on="text_hash", how="anti")
    read = _read(unread["text_hash"].to_list(), unread["words"].to_list(), labeller)
    labelled = chunk.join(pl.concat([known, read]), on="text_hash", how="left", maintain_order="left")
    sentiments = [combine(*row) for row in labelled.select("words_sentiment", "rating", "nps_score").iter_rows()]
    return labelled.with_columns(
        pl.Series("sentiment", [one.polarity for one in sentiments], dtype=pl.String),
        pl.Series("sentiment_score", [one.score for one in sentiments], dtype=pl.Float64),
        pl.lit(datetime.now(UTC)).cast(INSTANT).alias("labeled_at"),
    )


def _read(hashes: list[str], texts: list[str], labeller: Labeller) -> pl.DataFrame:
    model, runtime = labeller.classifier.version, labeller.classifier.encoder.runtime.name
    rows = [
        {
            "text_hash": digest,
            "label_version": labeller.version,
            "model_version": model,
            "runtime": runtime,
            **_columns(label),
        }
        for digest, label in zip(hashes, labeller.label(texts), strict=True)
    ]
    return pl.DataFrame(rows, schema=LABELS_OF_TEXT)


def _columns(label: TextLabel) -> dict[str, Any]:
    return {
        **asdict(label.decision),
        "rule_type": label.verdict.forced,
        "best_type": label.prediction.best_type,
        "model_confidence": label.prediction.confidence,
        "runner_up_type": label.prediction.runner_up_type,
        "runner_up_confidence": label.prediction.runner_up_confidence,
        "language": label.language,
        "language_confidence": label.language_confidence,
        "words_sentiment": label.words_sentiment,
        "is_spam": bool(label.spam_reason),
        "spam_reason": label.spam_reason,
        "entities": json.dumps(label.entities, ensure_ascii=False, sort_keys=True),
        "key_phrases": json.dumps([asdict(one) for one in label.key_phrases], ensure_ascii=False),
        "explanation": json.dumps([asdict(one) for one in label.prediction.neighbours]),
        "signature": label.signature,
        "masked_text": label.masked_text[:_MASKED_CHARACTERS],
    }
