"""Serving: texts in, predictions out, each with a calibrated confidence, a runner-up, and why: phrases and neighbours.

Texts are read once however often they occur. The same text gives the same prediction, to the last bit, in any company
and order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models_ml.model.calibration import softmax
from models_ml.model.encoder import Encoder, TokenScores
from models_ml.model.heads import Taught
from models_ml.model.key_phrases import Phrase, key_phrases
from models_ml.model.metrics import Metrics
from models_ml.model.sentiment import feeling_score
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.text.preprocess import clean

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

ABSTAINED = "other"
"""The issue type that decisions see when the classifier declines to answer."""
FORMAT = 2
"""Raised when what a model's folder holds changes, so that this code cannot read earlier ones."""
_CHUNK = 1_024
"""Texts read at once: bounds the memory for vectors."""
_NEIGHBOURS = 3


@dataclass(frozen=True)
class Neighbour:
    """A training text that looks like the one classified; similarity is the cosine, -1 to 1."""

    text_id: str
    issue_type: str
    similarity: float


@dataclass(frozen=True)
class Prediction:
    """What the classifier says of one text; sentiment is the score of its words, -1 (negative) to 1 (positive)."""

    issue_type: str
    best_type: str
    confidence: float
    runner_up_type: str
    runner_up_confidence: float
    abstained: bool
    neighbours: tuple[Neighbour, ...]
    key_phrases: tuple[Phrase, ...]
    sentiment: float


@dataclass(frozen=True)
class Classifier:
    """A trained model in memory; its encoder is loaded when first needed.

    ``languages`` are those in which its answers were measured to be right often enough to be given.
    """

    folder: Path
    version: str
    taught: Taught
    example_labels: tuple[tuple[str, str], ...]
    temperature: float
    thresholds: dict[str, float]
    languages: tuple[str, ...]
    max_tokens: int
    metrics: Metrics

    @staticmethod
    def stands_in(folder: Path) -> bool:
        """Whether a folder holds a whole model that this code can read."""
        finished, details = folder / "metrics.json", folder / "training.json"
        return finished.exists() and json.loads(details.read_text(encoding="utf-8")).get("format") == FORMAT

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """The model in a folder that training wrote."""

        def content(name: str) -> Any:
            return json.loads((folder / name).read_text(encoding="utf-8"))

        return cls(
            folder=folder,
            version=folder.name,
            taught=Taught.load(folder),
            example_labels=tuple((one["text_id"], one["issue_type"]) for one in content("examples.json")),
            temperature=content("calibration.json")["temperature"],
            thresholds=content("calibration.json")["thresholds"],
            languages=tuple(content("calibration.json")["languages"]),
            max_tokens=content("training.json")["config"]["max_tokens"],
            metrics=Metrics.from_dict(content("metrics.json")),
        )

    @cached_property
    def encoder(self) -> Encoder:
        """The fine-tuned sentence encoder, on this machine's fastest runtime."""
        return Encoder.open(self.folder, self.max_tokens)

    @cached_property
    def _projection(self) -> NDArray[np.float32]:
        """Shape (dimensions, types): how a direction speaks for each type, against the average type."""
        coefficients = self.taught.types.coefficients
        centred = (coefficients - coefficients.mean(axis=0)) / self.temperature
        return np.ascontiguousarray(centred.T, dtype=np.float32)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction per text, in the order given; any text whatever is valid."""
        if not texts:
            return []
        cleaned = [clean(text) for text in texts]
        distinct = sorted(set(cleaned), key=lambda text: (len(text), text))
        predictions: dict[str, Prediction] = {}
        for start in range(0, len(distinct), _CHUNK):
            chunk = distinct[start : start + _CHUNK]
            predictions.update(zip(chunk, self._predict_chunk(chunk), strict=True))
        return [predictions[text] for text in cleaned]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities, shape (texts, types), in the order of ``ISSUE_TYPES``; rows sum to 1."""
        cleaned = [clean(text) for text in texts]
        return self.judge(cleaned, self.encoder.encode(cleaned))

    def judge(self, cleaned: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """``probabilities`` of texts that are cleaned, and whose unit vectors (texts, dimensions) are at hand."""
        return softmax(self.taught.logits(cleaned, vectors), self.temperature)

    def _predict_chunk(self, texts: list[str]) -> list[Prediction]:
        vectors = np.empty((len(texts), self.taught.examples.shape[1]), dtype=np.float32)
        predictions: dict[int, Prediction] = {}
        # Products this small are done before other threads have woken up; OpenVINO can use those better.
        with _blas().limit(limits=1):
            for index, vector, tokens in self.encoder.explain(texts, self._projection):
                vectors[index] = vector
                predictions[index] = self._one(texts[index], vector, tokens)
            likely = _largest(vectors @ self.taught.examples.T, 2 * _NEIGHBOURS)
        return [
            replace(predictions[index], neighbours=self._nearest(vectors[index], near))
            for index, near in enumerate(likely)
        ]

    def _nearest(self, vector: NDArray[np.float32], near: NDArray[np.int64]) -> tuple[Neighbour, ...]:
        """The nearest of some examples."""
        likeness = (self.taught.examples[near] * vector).sum(axis=1).tolist()
        nearest = sorted(zip(likeness, near.tolist(), strict=True), key=lambda one: (-one[0], one[1]))[:_NEIGHBOURS]
        return tuple(
            Neighbour(text_id, issue_type, round(similarity, 3))
            for similarity, index in nearest
            for text_id, issue_type in [self.example_labels[index]]
        )

    def _one(self, text: str, vector: NDArray[np.float32], tokens: TokenScores) -> Prediction:
        types = len(ISSUE_TYPES)
        spans, words = self.taught.letters.read(text)
        spelt = words.sum(axis=0) + self.taught.letters.intercepts
        # One row at a time: a matrix product may round a row differently beside others.
        row = vector[np.newaxis, :]
        probabilities = softmax(self.taught.types.logits(row) + spelt[:types], self.temperature)[0]
        best, second = (int(index) for index in np.argsort(-probabilities, kind="stable")[:2])
        name, confidence = ISSUE_TYPES[best], float(probabilities[best])
        # Without a letter there is nothing to read, whatever the encoder makes of it.
        abstained = confidence < self.thresholds[name] or not any(character.isalpha() for character in text)
        return Prediction(
            issue_type=ABSTAINED if abstained else name,
            best_type=name,
            confidence=round(confidence, 6),
            runner_up_type=ISSUE_TYPES[second],
            runner_up_confidence=round(float(probabilities[second]), 6),
            abstained=abstained,
            neighbours=(),
            key_phrases=key_phrases(
                text,
                (tokens.spans, tokens.scores[:, best]),
                (spans, (words[:, best] - words[:, :types].mean(axis=1)) / self.temperature),
            ),
            sentiment=feeling_score(self.taught.feelings.logits(row)[0] + spelt[types:]),
        )


def _largest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The columns of each row's largest scores, shape (rows, count), in the order of the columns."""
    count = min(count, scores.shape[1])
    chosen = np.argpartition(scores, -count, axis=1)[:, -count:]
    return np.sort(chosen.astype(np.int64), axis=1)


@cache
def _blas() -> ThreadpoolController:
    """NumPy's matrix library; finding it once is enough."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
