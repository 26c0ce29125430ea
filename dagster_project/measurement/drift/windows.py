"""The three windows of a drift report, read and measured together: golden set, previous and current feedback.

Of the golden set only the evaluation split serves as a reference: the classifier has learned the others by heart, and
is surer of them than of anything it will meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dagster_project import lake
from dagster_project.home import Home
from models_ml.drift import MAX_EMBEDDED, MAX_ROWS, Corpus, Judged, Reading, Rows, subsample
from models_ml.golden.golden_set import GoldenText, load_golden
from models_ml.model.classifier import Classifier
from models_ml.model.encoder import embed
from models_ml.text.language import UNDETERMINED, detect
from models_ml.text.masking import mask

Progress = Callable[[str], None]

_READING: dict[str, pl.DataType] = {
    "text": pl.String(),
    "channel": pl.String(),
    "language": pl.String(),
    "best_type": pl.String(),
    "confidence": pl.Float64(),
    "abstained": pl.Boolean(),
}
"""What windows are compared on. It is the classifier's own answer, whatever rules made of it afterwards."""


@dataclass(frozen=True)
class Windows:
    """Everything that a report compares.

    Attributes:
        corpus: the measured rows of all windows.
        channels: the channel of each row, shape (n,).
        rows: by window (``golden``, ``previous``, ``current``), its row numbers in the corpus.
        known: by window, how many pieces of feedback it holds before any sampling.
        judged: the golden answers and whether they are right.
    """

    corpus: Corpus
    channels: NDArray[np.str_]
    rows: dict[str, Rows]
    known: dict[str, int]
    judged: Judged


def read_labelled(home: Home, model: Classifier, *, after: datetime, until: datetime) -> pl.DataFrame:
    """Labelled feedback that became known in (after, until], as it last stood then; one row per piece, by its id.

    Only labels by this model count. Columns: ``feedback_id``, ``text_hash``, ``text`` (masked), ``channel``,
    ``language``, ``best_type``, ``confidence``, ``abstained`` (by the model alone), ``runner_up_type``,
    ``runner_up_confidence``.
    """
    lake.ensure_table(home, "labels")
    lake.ensure_table(home, "feedback")
    labels = (
        lake.scan(home, "labels")
        .filter(pl.col("model_version") == model.version, pl.col("known_at") > after, pl.col("known_at") <= until)
        .sort("feedback_id", "known_at", "label_version")
        .unique("feedback_id", keep="last", maintain_order=True)
        .with_columns(
            pl.col("masked_text").alias("text"),
            pl.col("model_confidence").alias("confidence"),
            _declined(model).alias("abstained"),
        )
    )
    version = ["feedback_id", "known_at", "content_hash"]
    channels = lake.scan(home, "feedback").select(*version, "channel").unique(version, keep="any")
    return (
        labels.join(channels, on=version, how="left")
        .with_columns(pl.col("channel").fill_null("unknown"))
        .select("feedback_id", "text_hash", *_READING, "runner_up_type", "runner_up_confidence")
        .sort("feedback_id")
        .collect()
    )


def _declined(model: Classifier) -> pl.Expr:
    """Whether the model alone gives no answer: it is not sure enough, or there is nothing that it can read."""
    unsure = pl.col("model_confidence") < pl.col("best_type").replace_strict(model.thresholds, return_dtype=pl.Float64)
    return unsure | pl.col("abstain_reason").is_in(["no_text", "unsupported_language"])


def read_windows(home: Home, model: Classifier, as_of: datetime, window: timedelta, *, progress: Progress) -> Windows:
    """Read, sample, embed and measure the golden set and the two windows of feedback."""
    evaluation = load_golden(home.golden).split("evaluation")
    frames = {
        "golden": _golden(model, evaluation),
        "previous": read_labelled(home, model, after=as_of - 2 * window, until=as_of - window),
        "current": read_labelled(home, model, after=as_of - window, until=as_of),
    }
    known = {name: frame.height for name, frame in frames.items()}
    frames = {name: frame[_sample(frame.height, MAX_ROWS)] for name, frame in frames.items()}
    everything = pl.concat(frame.select(list(_READING)) for frame in frames.values())
    starts = np.cumsum([0, *(frame.height for frame in frames.values())])
    rows = {name: np.arange(start, start + frames[name].height) for name, start in zip(frames, starts, strict=False)}
    embedded = np.zeros(everything.height, dtype=np.bool_)
    for chosen in rows.values():
        embedded[subsample(chosen, MAX_EMBEDDED, 0)] = True
    progress(f"drift: embedding {int(embedded.sum()):,} of {everything.height:,} texts")
    return Windows(
        corpus=_measure(model, everything, embedded),
        channels=everything["channel"].to_numpy().astype(np.str_),
        rows=rows,
        known=known,
        judged=_judged(frames["golden"]),
    )


def _golden(model: Classifier, texts: Sequence[GoldenText]) -> pl.DataFrame:
    said = model.predict([text.text for text in texts])
    masked = pl.Series([mask(text.text) for text in texts], dtype=pl.String)
    spoken = [found.code for found in detect(masked.to_list())]
    return pl.DataFrame(
        {
            "text": masked,
            "channel": [text.channel for text in texts],
            "language": spoken,
            "best_type": [one.best_type for one in said],
            "confidence": [one.confidence for one in said],
            "abstained": [
                one.abstained or code not in (*model.languages, UNDETERMINED)
                for one, code in zip(said, spoken, strict=True)
            ],
            "right": [one.best_type == text.issue_type for one, text in zip(said, texts, strict=True)],
        },
        schema={**_READING, "right": pl.Boolean()},
    )


def _judged(golden: pl.DataFrame) -> Judged:
    answers = golden.filter(~pl.col("abstained"))
    return Judged(answers["confidence"].to_numpy(), answers["right"].to_numpy())


def _sample(height: int, limit: int) -> list[int]:
    return [int(row) for row in subsample(np.arange(height), limit, 0)]


def _measure(model: Classifier, rows: pl.DataFrame, embedded: NDArray[np.bool_]) -> Corpus:
    texts = rows["text"].to_list()
    vectors = embed(model.encoder, [text for text, wanted in zip(texts, embedded, strict=True) if wanted])
    embeddings = np.zeros((len(texts), model.taught.examples.shape[1]), dtype=np.float32)
    embeddings[embedded] = vectors
    return Corpus.measure(
        texts,
        Reading(
            rows["best_type"].to_numpy().astype(np.str_), rows["confidence"].to_numpy(), rows["abstained"].to_numpy()
        ),
        embeddings,
        embedded=embedded,
        languages=rows["language"].to_list(),
        known_words=frozenset(model.encoder.tokenizer.get_vocab()),
    )
