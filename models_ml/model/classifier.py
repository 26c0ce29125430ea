"""The classifier at inference: texts in, predictions out, with calibrated confidence, runner-up and explanation.

The explanation is key phrases and nearest training texts. Equal texts are computed once. A prediction is deterministic
to the last bit, whatever else is in the batch and in any order.
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

from models_ml.errors import ModelError
from models_ml.model.calibration import softmax
from models_ml.model.encoder import Encoder, TokenScores
from models_ml.model.heads import Heads
from models_ml.model.integrity import BrokenModelError, check_files
from models_ml.model.key_phrases import Phrase, key_phrases
from models_ml.model.metrics import Metrics
from models_ml.model.runtime import RuntimeChoiceError
from models_ml.model.sentiment import polarity_score
from models_ml.repairs import read_state
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.text.preprocess import clean

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

ABSTAINED = "other"
"""Issue type of a text on which the classifier abstains."""
FORMAT = 2
"""Version of the layout of a model's folder; raise it when this code can no longer read older folders."""
_CHUNK = 1_024
"""Texts per chunk: bounds the memory for vectors."""
_NEIGHBOURS = 3


@dataclass(frozen=True)
class Neighbour:
    """A nearest training text; similarity is the cosine of the vectors, -1 to 1."""

    text_id: str
    issue_type: str
    similarity: float


@dataclass(frozen=True)
class Prediction:
    """Prediction for one text; sentiment is the score of its words, -1 (negative) to 1 (positive)."""

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
    """A trained model in memory; the encoder is loaded on first use.

    ``languages`` are the languages with sufficient measured precision; it abstains in all others.
    """

    folder: Path
    version: str
    heads: Heads
    example_labels: tuple[tuple[str, str], ...]
    temperature: float
    thresholds: dict[str, float]
    languages: tuple[str, ...]
    max_tokens: int
    metrics: Metrics

    @staticmethod
    def is_complete(folder: Path) -> bool:
        """True if the folder holds a finished model in the current format; its files are not compared yet."""
        if not (folder / "metrics.json").exists():
            return False
        details = read_state(folder / "training.json", dict[str, Any], "the model cannot be used")
        return details is not None and details.get("format") == FORMAT

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """Load the model from a folder that training wrote, after its files were compared with their content hashes.

        Raises:
            BrokenModelError: a file is missing or damaged.
        """
        check_files(folder)
        try:
            return cls._load(folder)
        except MemoryError:
            raise
        except Exception as error:
            raise BrokenModelError.because_of(folder, error) from error

    @classmethod
    def _load(cls, folder: Path) -> Classifier:
        def content(name: str) -> Any:
            return json.loads((folder / name).read_text(encoding="utf-8"))

        return cls(
            folder=folder,
            version=folder.name,
            heads=Heads.load(folder),
            example_labels=tuple((one["text_id"], one["issue_type"]) for one in content("examples.json")),
            temperature=content("calibration.json")["temperature"],
            thresholds=content("calibration.json")["thresholds"],
            languages=tuple(content("calibration.json")["languages"]),
            max_tokens=content("training.json")["config"]["max_tokens"],
            metrics=Metrics.from_dict(content("metrics.json")),
        )

    @cached_property
    def encoder(self) -> Encoder:
        """The fine-tuned sentence encoder, on this machine's fastest runtime.

        Raises:
            BrokenModelError: a file of the encoder is damaged, which only a model without content hashes has left.
        """
        try:
            return Encoder.open(self.folder, self.max_tokens)
        except (ModelError, RuntimeChoiceError, MemoryError):
            raise
        except Exception as error:
            raise BrokenModelError.because_of(self.folder, error) from error

    @cached_property
    def _projection(self) -> NDArray[np.float32]:
        """Weight of each vector dimension for each type, relative to the average type, shape (dimensions, types)."""
        coefficients = self.heads.types.coefficients
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
        return self.probabilities_from(cleaned, self.encoder.encode(cleaned))

    def probabilities_from(self, cleaned: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """``probabilities``, from cleaned texts and their unit vectors, shape (texts, dimensions)."""
        return softmax(self.heads.logits(cleaned, vectors), self.temperature)

    def _predict_chunk(self, texts: list[str]) -> list[Prediction]:
        vectors = np.empty((len(texts), self.heads.examples.shape[1]), dtype=np.float32)
        predictions: dict[int, Prediction] = {}
        # Matrices this small gain nothing from BLAS threads, which would take cores from OpenVINO.
        with _blas().limit(limits=1):
            for index, vector, tokens in self.encoder.explain(texts, self._projection):
                vectors[index] = vector
                predictions[index] = self._one(texts[index], vector, tokens)
            likely = _largest(vectors @ self.heads.examples.T, 2 * _NEIGHBOURS)
        return [
            replace(predictions[index], neighbours=self._nearest(vectors[index], near))
            for index, near in enumerate(likely)
        ]

    def _nearest(self, vector: NDArray[np.float32], near: NDArray[np.int64]) -> tuple[Neighbour, ...]:
        """The nearest of the preselected examples, by exact similarity."""
        likeness = (self.heads.examples[near] * vector).sum(axis=1).tolist()
        nearest = sorted(zip(likeness, near.tolist(), strict=True), key=lambda one: (-one[0], one[1]))[:_NEIGHBOURS]
        return tuple(
            Neighbour(text_id, issue_type, round(similarity, 3))
            for similarity, index in nearest
            for text_id, issue_type in [self.example_labels[index]]
        )

    def _one(self, text: str, vector: NDArray[np.float32], tokens: TokenScores) -> Prediction:
        types = len(ISSUE_TYPES)
        spans, words = self.heads.ngrams.word_scores(text)
        ngram_logits = words.sum(axis=0) + self.heads.ngrams.intercepts
        # One row at a time: a matrix product may round a row differently beside others.
        row = vector[np.newaxis, :]
        probabilities = softmax(self.heads.types.logits(row) + ngram_logits[:types], self.temperature)[0]
        best, second = (int(index) for index in np.argsort(-probabilities, kind="stable")[:2])
        name, confidence = ISSUE_TYPES[best], float(probabilities[best])
        # A text without a letter has no content, whatever the encoder answers.
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
            sentiment=polarity_score(self.heads.sentiment.logits(row)[0] + ngram_logits[types:]),
        )


def _largest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Column indices of each row's largest scores, ascending, shape (rows, count)."""
    count = min(count, scores.shape[1])
    chosen = np.argpartition(scores, -count, axis=1)[:, -count:]
    return np.sort(chosen.astype(np.int64), axis=1)


@cache
def _blas() -> ThreadpoolController:
    """Handle on NumPy's BLAS library; the search takes time, so it is cached."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
