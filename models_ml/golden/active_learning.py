"""Active learning: select the most informative texts for people to label, and add the labels to the golden set.

``choose`` ranks unlabelled texts; ``write_queue`` writes them in the golden set's columns. A person fills in issue type
and sentiment. ``add_labelled`` validates the file and adds it to the golden set.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.drift.corpus import words_of
from models_ml.files import write_text
from models_ml.golden.golden_set import SPLITS, GoldenSetError, Split, load_golden
from models_ml.model.encoder import embed
from models_ml.text.preprocess import clean

COLUMNS = ("text_id", "text", "channel", "language", "issue_type", "secondary_type", "sentiment", "split", "note")
"""The golden set's columns."""
NEAR_DUPLICATE = 0.7
"""Jaccard similarity of words from which a text is too similar to one chosen already."""

_SHARES: tuple[tuple[int, Split], ...] = ((70, "train"), (85, "calibration"), (100, "evaluation"))
_POOL = 20
_WEAK = 0.5
_ABSTAINED_BONUS = 0.25
_FORMULA = frozenset("=+-@\t\r|%＝＋－＠")
"""First characters by which a spreadsheet takes a cell for a formula."""


@dataclass(frozen=True)
class Candidate:
    """An unlabelled text (masked, identified by its hash) and its prediction.

    ``rejection`` is the reason if a person rejected the issue that it belongs to ("not a bug", and by whom), else
    empty.
    """

    text_hash: str
    text: str
    channel: str
    language: str
    best_type: str
    confidence: float
    runner_up_type: str
    runner_up_confidence: float
    abstained: bool
    rejection: str = ""


@dataclass(frozen=True)
class Chosen:
    """A chosen candidate, with the reason shown to its labeller."""

    candidate: Candidate
    reason: str


def choose(
    candidates: Sequence[Candidate], recall: Mapping[str, float], encoder: Any, golden: Sequence[str], size: int
) -> list[Chosen]:
    """The most informative candidates, best first: margin uncertainty combined with diversity.

    A candidate's worth is (1 - margin + bonus if it abstained) x (2 - golden recall of the predicted type), where the
    margin is confidence minus the runner-up's confidence. Among the worthiest, texts are taken one by one by worth
    times cosine distance to the nearest text taken (greedy k-centre, Sener and Savarese 2018). Near-duplicates of a
    chosen or a golden text are skipped.
    """
    worth = np.array([_worth(one, recall) for one in candidates])
    known = {_key(text) for text in golden}
    order = sorted(range(len(candidates)), key=lambda index: (-worth[index], candidates[index].text_hash))
    readable = [index for index in order if _worth_reading(candidates[index].text, known)][: _POOL * size]
    pool = [candidates[index] for index in readable]
    vectors = embed(encoder, [clean(one.text) for one in pool])
    words = [frozenset(words_of(one.text)) for one in pool]
    known_words = [frozenset(words_of(text)) for text in golden]
    open_rows = np.array([not any(_alike(one, other) for other in known_words) for one in words], dtype=np.bool_)
    distance = np.ones(len(pool))
    chosen: list[int] = []
    while len(chosen) < size and open_rows.any():
        best = int(np.argmax(np.where(open_rows, worth[readable] * distance, -1.0)))
        chosen.append(best)
        open_rows &= np.array([not _alike(words[best], one) for one in words])
        open_rows[best] = False
        distance = np.minimum(distance, _apart(vectors, best))
    return [Chosen(pool[index], _reason(pool[index], recall)) for index in chosen]


def rejected_first(
    candidates: Sequence[Candidate], recall: Mapping[str, float], encoder: Any, golden: Sequence[str], size: int
) -> list[Chosen]:
    """As ``choose``, with texts of rejected issues first; they take up to half of the queue."""
    rejected = [one for one in candidates if one.rejection]
    first = choose(rejected, recall, encoder, golden, (size + 1) // 2) if rejected else []
    known = [*golden, *(one.candidate.text for one in first)]
    return first + choose([one for one in candidates if not one.rejection], recall, encoder, known, size - len(first))


def _worth(one: Candidate, recall: Mapping[str, float]) -> float:
    uncertainty = 1 - (one.confidence - one.runner_up_confidence) + _ABSTAINED_BONUS * one.abstained
    return uncertainty * (2 - recall.get(one.best_type, 0.0))


def _worth_reading(text: str, known: set[str]) -> bool:
    return len(words_of(text)) > 1 and _key(text) not in known


def _key(text: str) -> str:
    return clean(text).casefold()


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= NEAR_DUPLICATE * len(one | other)


def _apart(vectors: NDArray[np.float32], row: int) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = 1.0 - (vectors @ vectors[row]).astype(np.float64)
    return np.clip(distance, 0.0, 1.0)


def _reason(one: Candidate, recall: Mapping[str, float]) -> str:
    guess = (
        f"guessed {one.best_type} ({one.confidence:.2f}), then {one.runner_up_type} ({one.runner_up_confidence:.2f})"
    )
    reasons = [one.rejection] if one.rejection else []
    reasons.append(f"declined; {guess}" if one.abstained else guess)
    if recall.get(one.best_type, 1.0) < _WEAK:
        reasons.append(f"it finds only {recall[one.best_type]:.0%} of {one.best_type}")
    return "; ".join(reasons)


def write_queue(path: Path, chosen: Sequence[Chosen]) -> Path:
    """Write the queue as CSV in the golden set's columns; the columns to fill in are empty. Returns the path.

    Against CSV injection, a text that a spreadsheet would take for a formula is prefixed with an apostrophe, which
    ``add_labelled`` removes.
    """
    rows = [
        {
            "text_id": f"queue-{one.candidate.text_hash[:12]}",
            "text": _guarded(one.candidate.text),
            "channel": one.candidate.channel,
            "language": one.candidate.language,
            "note": _guarded(one.reason),
        }
        for one in chosen
    ]
    _write_rows(path, rows)
    return path


def _guarded(text: str) -> str:
    return f"'{text}" if (text.lstrip(" \n") or " ")[0] in _FORMULA else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].lstrip(" \n")[:1] in _FORMULA else text


def add_labelled(path: Path, golden_folder: Path) -> int:
    """Add a filled queue to the golden set, as a new CSV file; returns the number of texts added.

    Rows without an issue type are skipped. The split is a hash of the text (70 % train, 15 % calibration, 15 %
    evaluation), so nobody can choose it. All or nothing: one wrong row rejects the file.

    Raises:
        GoldenSetError: a row is wrong or already in the golden set, or no row is labelled; the message names the file
            and every such row.
    """
    golden = load_golden(golden_folder)
    seen = {key: f"as {text.text_id}" for text in golden.texts for key in (text.text_id, _key(text.text))}
    rows, wrong = [], []
    for number, row in _read_rows(path):
        if not row["issue_type"]:
            continue
        reasons = _errors(row, seen)
        wrong += [f"row {number}: {reason}" for reason in reasons]
        for key in (row["text_id"], _key(row["text"])):
            seen.setdefault(key, f"in row {number}")
        rows.append({**row, "split": split_of(row["text"])})
    if wrong:
        raise GoldenSetError(f"{path.name}, nothing was added: " + "; ".join(wrong))
    if not rows:
        raise GoldenSetError(
            f"{path.name}: no row has an issue_type; fill in the column for the texts that you labelled"
        )
    fingerprint = hashlib.sha256("\x1e".join(sorted(row["text_id"] for row in rows)).encode()).hexdigest()[:10]
    _write_rows(golden_folder / f"labelled-{fingerprint}.csv", rows)
    return len(rows)


def split_of(text: str) -> Split:
    """Permanent split of a text, by a hash of the text."""
    bucket = int.from_bytes(hashlib.sha256(_key(text).encode()).digest()[:8]) % 100
    return next(split for limit, split in _SHARES if bucket < limit)


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenSetError(f"{path} cannot be read ({error}); save it as CSV in UTF-8") from error
    reader = csv.DictReader(io.StringIO(content, newline=""))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise GoldenSetError(f"{path.name}: there is no column {', '.join(missing)}; keep the queue's columns")
    rows = [
        (number, {column: (row[column] or "").strip() for column in COLUMNS})
        for number, row in enumerate(reader, start=2)
    ]
    return [(number, {**row, "text": clean(_unguarded(row["text"]))}) for number, row in rows]


def _errors(row: Mapping[str, str], seen: Mapping[str, str]) -> list[str]:
    if row["split"]:
        return ["split must stay empty; the text decides it"]
    key = next((key for key in (_key(row["text"]), row["text_id"]) if key and key in seen), None)
    if key is not None:
        return [f"{key[:60]!r} stands already {seen[key]}"]
    # One validator for both: the golden set's reader checks a golden set of this one row.
    with tempfile.TemporaryDirectory() as alone:
        _write_rows(Path(alone, "row.csv"), [{**row, "split": SPLITS[0]}])
        try:
            load_golden(Path(alone))
        except GoldenSetError as error:
            return [str(error).removeprefix("row.csv, row 2: ")]
    return []


def _write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    content = io.StringIO(newline="")
    writer = csv.DictWriter(content, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, content.getvalue())
