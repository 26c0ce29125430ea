"""Serving: texts in, predictions out, each with a calibrated confidence, a runner-up and the nearest training texts.

Texts are read once however often they occur. The same text gives the same prediction, to the last bit, in any company
and order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.calibration import softmax
from models_ml.data import ISSUE_TYPES
from models_ml.encoder import embed, load_encoder
from models_ml.evaluate import Metrics
from models_ml.preprocess import clean

ABSTAINED = "other"
"""The issue type that decisions see when the classifier declines to answer."""
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
    """What the classifier says of one text."""

    issue_type: str
    best_type: str
    confidence: float
    runner_up_type: str
    runner_up_confidence: float
    abstained: bool
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Head:
    """The logistic regression on top: coefficients of shape (types, dimensions) and intercepts of shape (types,)."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Unscaled scores, shape (texts, types)."""
        scores: NDArray[np.float64] = embeddings.astype(np.float64) @ self.coefficients.T + self.intercepts
        return scores


@dataclass(frozen=True)
class Classifier:
    """A trained model in memory; its encoder is loaded when first needed."""

    folder: Path
    version: str
    head: Head
    examples: NDArray[np.float32]
    example_labels: tuple[tuple[str, str], ...]
    temperature: float
    thresholds: dict[str, float]
    max_tokens: int
    metrics: Metrics

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """The model in a folder that training wrote."""

        def content(name: str) -> Any:
            return json.loads((folder / name).read_text(encoding="utf-8"))

        with np.load(folder / "head.npz") as arrays:
            head, examples = Head(arrays["coefficients"], arrays["intercepts"]), arrays["examples"]
        return cls(
            folder=folder,
            version=folder.name,
            head=head,
            examples=examples,
            example_labels=tuple((one["text_id"], one["issue_type"]) for one in content("examples.json")),
            temperature=content("calibration.json")["temperature"],
            thresholds=content("calibration.json")["thresholds"],
            max_tokens=content("training.json")["config"]["max_tokens"],
            metrics=Metrics.from_dict(content("metrics.json")),
        )

    @cached_property
    def encoder(self) -> Any:
        """The fine-tuned sentence encoder."""
        return load_encoder(self.folder / "encoder", self.max_tokens)

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

    def _predict_chunk(self, texts: list[str]) -> list[Prediction]:
        predictions = []
        for text, vector in zip(texts, embed(self.encoder, texts), strict=True):
            # One row at a time: a matrix product may round a row differently beside others.
            probabilities = softmax(self.head.logits(vector[np.newaxis, :]), self.temperature)[0]
            predictions.append(self._one(text, probabilities, self.examples @ vector))
        return predictions

    def _one(self, text: str, probabilities: NDArray[np.float64], likeness: NDArray[np.float32]) -> Prediction:
        best, second = (int(index) for index in np.argsort(-probabilities, kind="stable")[:2])
        name, confidence = ISSUE_TYPES[best], float(probabilities[best])
        # Without a letter there is nothing to read, whatever the encoder makes of it.
        abstained = confidence < self.thresholds[name] or not any(character.isalpha() for character in text)
        nearest = np.argsort(-likeness, kind="stable")[:_NEIGHBOURS]
        return Prediction(
            issue_type=ABSTAINED if abstained else name,
            best_type=name,
            confidence=round(confidence, 6),
            runner_up_type=ISSUE_TYPES[second],
            runner_up_confidence=round(float(probabilities[second]), 6),
            abstained=abstained,
            neighbours=tuple(
                Neighbour(text_id, issue_type, round(float(likeness[index]), 3))
                for index in nearest
                for text_id, issue_type in [self.example_labels[index]]
            ),
        )
