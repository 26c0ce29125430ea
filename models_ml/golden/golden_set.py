"""The golden set: texts written and labelled by hand for this project, in ``models_ml/golden``.

Splits: ``train``; ``calibration`` for temperature and thresholds; ``evaluation``, which is never trained on.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models_ml.errors import ModelError
from models_ml.golden import GOLDEN
from models_ml.model.sentiment import POLARITIES
from models_ml.taxonomy import CHANNELS, ISSUE_TYPES
from models_ml.text.channels import prepare

Split = Literal["train", "calibration", "evaluation"]
SPLITS: tuple[Split, ...] = ("train", "calibration", "evaluation")


class GoldenSetError(ModelError):
    """A row of the golden set is wrong; the message names the file and the row."""


@dataclass(frozen=True)
class GoldenText:
    """One labelled text, prepared as texts of its channel are (``models_ml/text/channels.py``)."""

    text_id: str
    text: str
    channel: str
    language: str
    issue_type: str
    secondary_type: str
    sentiment: str
    split: Split


@dataclass(frozen=True)
class GoldenSet:
    """All texts, with their content hash."""

    texts: tuple[GoldenText, ...]
    content_hash: str

    def split(self, name: Split) -> tuple[GoldenText, ...]:
        """The texts of one split, in a stable order."""
        return tuple(text for text in self.texts if text.split == name)


def load_golden(folder: Path = GOLDEN) -> GoldenSet:
    """Read and check every CSV file of the golden set.

    Raises:
        GoldenSetError: there is no file, an id or a text appears twice, or a value is not allowed.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise GoldenSetError(f"{folder} holds no golden set; restore its CSV files from the repository")
    texts: list[GoldenText] = []
    seen: dict[str, str] = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as rows:
            for number, row in enumerate(csv.DictReader(rows), start=2):
                text = _checked(row, f"{path.name}, row {number}")
                for mark in (text.text_id, text.text.casefold()):
                    if mark in seen:
                        raise GoldenSetError(f"{path.name}, row {number}: {mark[:60]!r} stands already in {seen[mark]}")
                    seen[mark] = f"{path.name}, row {number}"
                texts.append(text)
    texts.sort(key=lambda text: text.text_id)
    canonical = "\x1e".join("\x1f".join(str(value) for value in vars(text).values()) for text in texts)
    return GoldenSet(tuple(texts), hashlib.sha256(canonical.encode()).hexdigest())


def _checked(row: dict[str, str], where: str) -> GoldenText:
    for column in ("text_id", "text", "channel", "language", "issue_type", "sentiment", "split"):
        if not (row.get(column) or "").strip():
            raise GoldenSetError(f"{where}: {column} is empty")
    for column in ("issue_type", "secondary_type"):
        if row.get(column) and row[column] not in ISSUE_TYPES:
            raise GoldenSetError(f"{where}: {column} {row[column]!r} is not in the taxonomy")
    if row["channel"] not in CHANNELS:
        raise GoldenSetError(f"{where}: channel {row['channel']!r} is none of {', '.join(CHANNELS)}")
    if row["sentiment"] not in POLARITIES:
        raise GoldenSetError(f"{where}: sentiment {row['sentiment']!r} is none of {', '.join(POLARITIES)}")
    split = next((name for name in SPLITS if name == row["split"]), None)
    if split is None:
        raise GoldenSetError(f"{where}: split {row['split']!r} is none of {', '.join(SPLITS)}")
    text = row["text"].strip()
    return GoldenText(
        row["text_id"].strip(),
        prepare(None, text, row["channel"]) or text,
        row["channel"],
        row["language"],
        row["issue_type"],
        row.get("secondary_type") or "",
        row["sentiment"],
        split,
    )
