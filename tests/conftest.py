"""What the tests share: the one trained model."""

from __future__ import annotations

from pathlib import Path

import pytest

from models_ml.classifier import Classifier
from models_ml.train import load_or_train


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The repository's own folder of trained models, so that the suite trains at most once."""
    return Path(__file__).parents[1] / ".feedback-control" / "models"


@pytest.fixture(scope="session")
def classifier(models_dir: Path) -> Classifier:
    """The classifier for the golden set as it stands."""
    return load_or_train(models_dir)
