"""Evidently's own drift pages, to look around in: every measured column and the main directions of the vectors.

Their verdicts are Evidently's, column by column and without a correction for the many; the verdict to act on is ours.
Only numbers and categories go in, no text. The one place that hands rows to pandas.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import polars as pl

from dagster_project.files import write_atomically
from dagster_project.measurement.drift.windows import Windows
from models_ml.drift import MIN_ROWS, Rows

_DIRECTIONS = 8


def write_evidently(path: Path, windows: Windows, reference: str) -> bool:
    """Write the page that compares the current window with a reference; False, and no page, if either is too small."""
    chosen = {name: windows.rows[name][windows.corpus.embedded[windows.rows[name]]] for name in (reference, "current")}
    if min(len(rows) for rows in chosen.values()) < MIN_ROWS:
        path.unlink(missing_ok=True)
        return False
    frame = _columns(windows, np.concatenate(list(chosen.values())))
    varied = frame.select(column for column in frame.iter_columns() if column.n_unique() > 1)
    split = len(chosen[reference])
    write_atomically(path, lambda page: _save(page, varied[:split], varied[split:]))
    return True


def _columns(windows: Windows, rows: Rows) -> pl.DataFrame:
    corpus = windows.corpus
    vectors = corpus.embeddings[rows].astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :_DIRECTIONS]
    scores = centred @ directions
    return pl.DataFrame(
        {
            "characters": np.expm1(corpus.length[rows]).round(),
            "non_letter_share": corpus.non_letters[rows],
            "unknown_word_share": corpus.unknown_words[rows],
            "confidence": corpus.reading.confidences[rows],
            **{f"direction_{index + 1}": scores[:, index] for index in range(scores.shape[1])},
            "issue_type": corpus.reading.types[rows].tolist(),
            "abstained": np.where(corpus.reading.abstained[rows], "yes", "no").tolist(),
            "language": corpus.languages[rows].tolist(),
            "channel": windows.channels[rows].tolist(),
        }
    )


def _save(path: Path, reference: pl.DataFrame, current: pl.DataFrame) -> None:
    os.environ["DO_NOT_TRACK"] = "1"  # before the import: nothing phones home
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own dependencies deprecate each other
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(
            numerical_columns=[name for name, kind in reference.schema.items() if kind.is_numeric()],
            categorical_columns=[name for name, kind in reference.schema.items() if not kind.is_numeric()],
        )
        datasets = [Dataset.from_pandas(part.to_pandas(), data_definition=definition) for part in (current, reference)]
        Report([DataDriftPreset()]).run(*datasets).save_html(str(path))
