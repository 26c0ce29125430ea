"""The trained heads: issue type, sentiment and n-gram weights, saved and loaded together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models_ml.model.char_ngrams import CharNgrams
from models_ml.model.linear_head import LinearHead


@dataclass(frozen=True)
class Heads:
    """Two linear heads on the encoder's unit vectors, and the n-gram model, whose logits are added to both.

    The n-gram model's outputs are the issue types, then the polarities. ``examples`` are the unit vectors of the
    training texts, shape (texts, dimensions); nearest neighbours are searched among them.
    """

    examples: NDArray[np.float32]
    types: LinearHead
    sentiment: LinearHead
    ngrams: CharNgrams

    def logits(self, cleaned: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of the issue types, shape (texts, types), from cleaned texts and their unit vectors."""
        ngram_logits = self.ngrams.logits(cleaned)
        return self.types.logits(vectors) + ngram_logits[:, : len(self.types.intercepts)]

    def save(self, folder: Path) -> None:
        """Save to a model's folder."""
        np.savez(
            folder / "head.npz",
            examples=self.examples,
            coefficients=self.types.coefficients,
            intercepts=self.types.intercepts,
            feeling_coefficients=self.sentiment.coefficients,
            feeling_intercepts=self.sentiment.intercepts,
        )
        self.ngrams.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Heads:
        """Load from a model's folder."""
        with np.load(folder / "head.npz") as kept:
            types = LinearHead(kept["coefficients"], kept["intercepts"])
            sentiment = LinearHead(kept["feeling_coefficients"], kept["feeling_intercepts"])
            return cls(kept["examples"], types, sentiment, CharNgrams.load(folder))
