"""What is learnt on top of the encoder, as one thing that is fitted, saved, loaded and asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models_ml.model.char_ngrams import Letters
from models_ml.model.linear_head import Head


@dataclass(frozen=True)
class Taught:
    """Two heads on the encoder's unit vectors, and the letters, which add to the scores of both: issue types first.

    ``examples`` are the unit vectors that all was learnt from, shape (texts, dimensions).
    """

    examples: NDArray[np.float32]
    types: Head
    feelings: Head
    letters: Letters

    def logits(self, cleaned: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of the issue types, shape (texts, types), from cleaned texts and their unit vectors."""
        spelt = self.letters.logits(cleaned)
        return self.types.logits(vectors) + spelt[:, : len(self.types.intercepts)]

    def save(self, folder: Path) -> None:
        """Into a model's folder."""
        np.savez(
            folder / "head.npz",
            examples=self.examples,
            coefficients=self.types.coefficients,
            intercepts=self.types.intercepts,
            feeling_coefficients=self.feelings.coefficients,
            feeling_intercepts=self.feelings.intercepts,
        )
        self.letters.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Taught:
        """What ``save`` wrote."""
        with np.load(folder / "head.npz") as kept:
            types = Head(kept["coefficients"], kept["intercepts"])
            feelings = Head(kept["feeling_coefficients"], kept["feeling_intercepts"])
            return cls(kept["examples"], types, feelings, Letters.load(folder))
