"""Shared fixtures of all tests: the one trained model, and the demo after all its turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project import redaction
from dagster_project.home import Home
from models_ml.model.classifier import Classifier
from models_ml.training.registry import champion
from models_ml.training.train import load_or_train
from tests.demo import played_demo

_FIRST = ("test_loop.py", "test_train.py", "test_drift.py", "test_decisions.py", "test_decide.py", "test_histories.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker ends alone with one of them."""
    order = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(autouse=True)
def only_own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test redacts the secrets of another: what one has made known is forgotten."""
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The classifier for the golden set as it stands, kept in the repository's own folder: trained at most once."""
    return load_or_train(Path(__file__).parents[1] / ".feedback-control" / "models")


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Path:
    """A registry whose champion is that classifier, whatever a developer's own registry holds."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / classifier.version).symlink_to(classifier.folder)
    assert champion(folder).version == classifier.version
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Home:
    """The demo's home after its four turns, for tests that only read it."""
    return played_demo(tmp_path_factory.mktemp("demo") / "home")
