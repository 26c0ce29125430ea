"""Explanation of drift findings: effect on the expected accuracy, and one sentence for readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_ml.drift.compare import TESTS, DriftFinding, Kind
from models_ml.drift.corpus import Corpus, Rows
from models_ml.drift.performance import GroupChange, expected_change, mix_effect

_TOPICS = 10
_NAMING_WORDS = 4
_NAMED = 4
_MOVED = 12


@dataclass(frozen=True)
class MovedWord:
    """A word and the shares of the texts that use it, 0-1."""

    word: str
    share_before: float
    share_after: float


def moved_words(corpus: Corpus, reference: Rows, current: Rows) -> tuple[MovedWord, ...]:
    """Words whose use changed most, by the z-score of two shares; most significant first."""
    if not len(reference) or not len(current):
        return ()
    uses = np.array([np.asarray(corpus.words[rows].sum(axis=0)) for rows in (reference, current)], dtype=np.float64)
    sizes = np.array([[len(reference)], [len(current)]])
    shares, pooled = uses / sizes, uses.sum(axis=0) / sizes.sum()
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / sizes).sum())
    order = np.argsort(-np.abs(shares[1] - shares[0]) / spread, kind="stable")[:_MOVED]
    return tuple(
        MovedWord(corpus.vocabulary[index], float(shares[0, index]), float(shares[1, index]))
        for index in order
        if pooled[index] > 0
    )


def topics(corpus: Corpus, rows: Rows, *, seed: int = 0) -> list[str]:
    """Topic of every row of the corpus: k-means clusters of these rows' vectors, named by their distinctive words.

    Rows outside ``rows``, or without a vector, get the empty name.
    """
    from sklearn.cluster import KMeans

    names = [""] * len(corpus.texts)
    distinct = np.unique(rows)
    chosen = distinct[corpus.embedded[distinct]]
    if len(chosen) < 2 * _TOPICS:
        return names
    clusters = KMeans(_TOPICS, n_init=3, random_state=seed).fit_predict(corpus.embeddings[chosen])
    for cluster in range(_TOPICS):
        inside = chosen[clusters == cluster]
        name = " · ".join(_telling_words(corpus, inside, chosen)) or f"topic {cluster + 1}"
        for row in inside:
            names[row] = name
    return names


def _telling_words(corpus: Corpus, inside: Rows, everything: Rows) -> list[str]:
    """Distinctive words of a cluster: highest log odds, weighted by the share of its texts that use them."""
    within = np.asarray(corpus.words[inside].sum(axis=0), dtype=np.float64)
    overall = np.asarray(corpus.words[everything].sum(axis=0), dtype=np.float64)
    lift = np.log((within + 0.5) / len(inside)) - np.log((overall + 0.5) / len(everything))
    score = np.where(within >= 2, within / max(1, len(inside)) * lift, -np.inf)
    best = np.argsort(-score, kind="stable")[:_NAMING_WORDS]
    return [corpus.vocabulary[index] for index in best if score[index] > 0]


def accuracy_effect(
    corpus: Corpus, kind: Kind, reference: Rows, current: Rows, topic_of: Sequence[str]
) -> float | None:
    """Change of the expected accuracy from the new mix of this property alone, -1 to 1.

    Rows are binned by the property: numbers by quintiles of both windows, categories as they are, embeddings by topic,
    vocabulary by use of the words that rose or fell most, a single word by its use. For confidence the whole change
    counts, since expected accuracy is mean confidence. None for abstention, which changes coverage, not accuracy.
    """
    if kind == "abstention":
        return None
    if kind == "confidence":
        return expected_change(corpus, reference, current)
    return mix_effect(corpus, reference, current, _bins(corpus, kind, reference, current, topic_of))


def _bins(corpus: Corpus, kind: Kind, reference: Rows, current: Rows, topic_of: Sequence[str]) -> NDArray[np.intp]:
    values = TESTS[kind].values
    if values is not None:
        numbers = values(corpus)
        edges = np.quantile(numbers[np.concatenate([reference, current])], [0.2, 0.4, 0.6, 0.8])
        return np.searchsorted(edges, numbers)
    if kind in ("vocabulary", "single_word"):
        moved = moved_words(corpus, reference, current)[: 1 if kind == "single_word" else _MOVED]
        rose = _uses_any(corpus, [one.word for one in moved if one.share_after > one.share_before])
        fell = _uses_any(corpus, [one.word for one in moved if one.share_after < one.share_before])
        return np.asarray(2 * rose + fell, dtype=np.intp)
    labels: dict[Kind, NDArray[np.str_]] = {
        "language": corpus.languages,
        "issue_type": corpus.predictions.types,
        "embedding": np.array(topic_of, dtype=np.str_),
    }
    codes: NDArray[np.intp] = np.unique(labels[kind], return_inverse=True)[1]
    return codes


def _uses_any(corpus: Corpus, words: list[str]) -> NDArray[np.intp]:
    columns = np.searchsorted(corpus.vocabulary, words)
    return (np.asarray(corpus.words[:, columns].sum(axis=1)) > 0).astype(np.intp)


def finding_sentence(
    corpus: Corpus, finding: DriftFinding, reference: Rows, current: Rows, effect: float | None
) -> str:
    """One sentence: the property before and after, and the effect on the expected accuracy."""
    sentence = _before_and_after(corpus, finding, reference, current)
    if effect is None:
        return sentence
    by = "That" if finding.kind == "confidence" else "This mix alone"
    return f"{sentence} {by} moves the expected accuracy by {points(effect)}."


def _before_and_after(corpus: Corpus, finding: DriftFinding, reference: Rows, current: Rows) -> str:
    predictions = corpus.predictions

    def mean(values: NDArray[np.generic]) -> tuple[float, float]:
        return float(values[current].mean()), float(values[reference].mean())

    match finding.kind:
        case "length":
            middle = [np.expm1(np.median(corpus.length[rows])) for rows in (current, reference)]
            return f"The median text has {middle[0]:.0f} characters, before {middle[1]:.0f}."
        case "non_letters":
            return "Digits, signs and emoji are {:.1%} of a text, before {:.1%}.".format(*mean(corpus.non_letters))
        case "unknown_words":
            shares = mean(corpus.unknown_words)
            return "The encoder does not know {:.1%} of the words, before {:.1%}.".format(*shares)
        case "language":
            return f"Languages: {_moved_categories(corpus.languages, reference, current)}."
        case "vocabulary":
            return f"Words that moved most: {_moved(moved_words(corpus, reference, current)[:_NAMED])}."
        case "single_word":
            return f"The surest word: {_moved(moved_words(corpus, reference, current)[:1])}."
        case "embedding":
            return f"A classifier tells the windows apart with an AUC of {finding.observed:.2f}; 0.5 is guessing."
        case "issue_type":
            return f"Predicted types: {_moved_categories(predictions.types, reference, current)}."
        case "confidence":
            return "The mean confidence is {:.2f}, before {:.2f}.".format(*mean(predictions.confidences))
        case "abstention":
            return "The classifier declines {:.1%} of the texts, before {:.1%}.".format(*mean(predictions.abstained))


def _moved(words: Sequence[MovedWord]) -> str:
    shares = [f"'{one.word}' in {one.share_after:.1%} of texts, before {one.share_before:.1%}" for one in words]
    return "; ".join(shares) or "none"


def _moved_categories(labels: NDArray[np.str_], reference: Rows, current: Rows) -> str:
    names = np.unique(labels[np.concatenate([reference, current])])
    shares = {name: (np.mean(labels[current] == name), np.mean(labels[reference] == name)) for name in names}
    most = sorted(shares, key=lambda name: (-abs(shares[name][0] - shares[name][1]), name))[:_NAMED]
    return "; ".join(f"{name} {shares[name][0]:.1%}, before {shares[name][1]:.1%}" for name in most)


def change_sentence(change: GroupChange) -> str:
    """One sentence: the effect of a group of answers on the expected accuracy."""
    verb = "grew" if change.share_after >= change.share_before else "shrank"
    share = f"{change.group} {verb} from {change.share_before:.1%} to {change.share_after:.1%} of the answers"
    if change.confidence_before is None or change.confidence_after is None:
        only = change.confidence_before if change.confidence_after is None else change.confidence_after
        sure = f"with a mean confidence of {only:.2f}"
    else:
        sure = f"and its mean confidence went from {change.confidence_before:.2f} to {change.confidence_after:.2f}"
    return f"{share}, {sure}: {points(change.effect)} of expected accuracy."


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f} points".replace("-", "−").replace("+0.0", "±0.0").replace("−0.0", "±0.0")
