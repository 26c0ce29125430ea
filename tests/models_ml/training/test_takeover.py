"""A model that another registry has is copied, whole or not at all, and never linked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from models_ml.golden.golden_set import load_golden
from models_ml.model.classifier import FORMAT
from models_ml.training.takeover import take_over
from models_ml.training.train import TrainingConfig, content_hash


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A registry with what looks like the model of the packaged golden set."""
    data = load_golden()
    folder = tmp_path / "other" / content_hash(data, TrainingConfig())
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps({"format": FORMAT, "golden_set": data.content_hash}))
    (folder / "metrics.json").write_text("{}")
    return folder.parent


def test_the_model_is_copied_and_its_registry_stays_untouched(tmp_path: Path, other: Path) -> None:
    (version,) = (path.name for path in other.iterdir())
    taken = take_over(tmp_path / "models", [tmp_path / "none", other])
    assert taken == tmp_path / "models" / version
    assert not taken.is_symlink()
    (taken / "metrics.json").write_text("changed")
    assert (other / version / "metrics.json").read_text() == "{}"
    assert take_over(tmp_path / "models", [other]) is None


@pytest.mark.parametrize("name", ["metrics.json", "training.json"])
def test_a_model_that_is_not_whole_is_not_taken(tmp_path: Path, other: Path, name: str) -> None:
    next(other.glob(f"*/{name}")).unlink()
    assert take_over(tmp_path / "models", [other]) is None


def test_a_model_of_another_golden_set_is_not_taken(tmp_path: Path, other: Path) -> None:
    next(other.glob("*/training.json")).write_text(json.dumps({"format": FORMAT, "golden_set": "another"}))
    assert take_over(tmp_path / "models", [other]) is None


def test_a_copy_that_differs_is_thrown_away(tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = shutil.copytree

    def copy(source: Path, target: Path, **_: object) -> None:
        original(source, target, dirs_exist_ok=True)
        (target / "metrics.json").write_text("torn")

    monkeypatch.setattr(shutil, "copytree", copy)
    assert take_over(tmp_path / "models", [other]) is None
    assert not list((tmp_path / "models").glob("[0-9a-f]*"))
