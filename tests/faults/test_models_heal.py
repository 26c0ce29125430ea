"""Broken models: an intact record or twin costs no training, and a training is announced with its time."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from dagster_project.errors import FeedbackControlError
from dagster_project.files import telling_repairs
from models_ml.model.classifier import Classifier
from models_ml.model.integrity import BrokenModelError, write_manifest
from models_ml.training import train
from models_ml.training.registry import champion, promote
from tests.faults.damage import DAMAGES, cases, damages

RECORDS = ("champion.json", "refused.json", "*/runtimes.json", "*/files.json", "*/model_card.md")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Path:
    """A registry with a copy of the trained model, and its content hashes."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(classifier.folder, folder / classifier.version)
    write_manifest(folder / classifier.version)
    promote(folder)
    return folder


@pytest.fixture
def models(tmp_path: Path, trained: Path) -> Path:
    """The same in links, whose files ``breaking`` may break."""
    return Path(shutil.copytree(trained, tmp_path / "models", copy_function=os.link))


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_RUNTIME", "openvino-f32")  # timing the runtimes takes seconds
    monkeypatch.setattr(train, "_train", lambda *_: pytest.fail("trained anew"))


def breaking(path: Path, damage: str) -> None:
    """Break a file that shares its content with others."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    DAMAGES[damage](path)


@pytest.mark.usefixtures("no_training")
@cases(RECORDS)
def test_a_broken_record_beside_an_intact_model_costs_no_training(
    models: Path, classifier: Classifier, kind: str, damage: str
) -> None:
    (models / "refused.json").write_text("{}")
    broken = list(models.glob(kind))
    assert broken
    for path in broken:
        breaking(path, damage)
    with telling_repairs() as repairs:
        model, decision = promote(models)
        assert model.encoder.runtime.name
    assert (model.version, decision.promoted) == (classifier.version, True)
    assert json.loads((models / "champion.json").read_text())["version"] == classifier.version
    quiet = kind == "*/model_card.md" or damage in ("missing", "of a newer version", "a flipped byte")
    assert repairs or quiet


@pytest.mark.usefixtures("no_training")
def test_a_broken_champion_record_points_to_the_champion_of_the_last_refusal_again(
    models: Path, classifier: Classifier
) -> None:
    earlier = models / "earlier"
    shutil.copytree(models / classifier.version, earlier, copy_function=os.link)
    record = json.loads((models / "champion.json").read_text(encoding="utf-8"))
    breaking(models / "champion.json", "empty")
    bounds = {"macro_f1": 0.55, "margin": 0.02, "urgent_recall": 0.5, "ece": 0.15}
    terms = {"candidate": classifier.version, "champion": "earlier", "bounds": bounds}
    refusal = {**record["decision"], "promoted": False, "reasons": ["worse"]}
    (models / "refused.json").write_text(json.dumps({"terms": terms, "decision": refusal}))
    model, decision = promote(models)
    assert (model.version, decision.reasons) == ("earlier", ("worse",))
    assert champion(models).version == "earlier"


WEIGHTS = ("head.npz", "letters.json", "letters.npz", "calibration.json", "metrics.json", "training.json")
ENCODER = ("openvino/encoder.bin", "openvino/encoder.xml", "encoder/tokenizer.json", "encoder/model.safetensors")


@pytest.mark.usefixtures("no_training")
@cases([*ENCODER, *WEIGHTS], ["empty", "a flipped byte", "missing", "a folder"], short=3)
def test_a_broken_model_is_noticed_and_a_twin_of_its_recipe_serves_instead_of_a_training(
    models: Path, classifier: Classifier, kind: str, damage: str
) -> None:
    shutil.copytree(models / classifier.version, models / "twin", copy_function=os.link)
    breaking(models / classifier.version / kind, damage)
    for _ in range(2):
        with telling_repairs() as repairs:
            model, _ = promote(models)
        assert model.version == "twin"
        assert any(f"model {models / classifier.version} is broken: twin" in line for line in repairs)


@damages("empty", "cut", "a flipped byte", short=["a flipped byte"])
def test_a_broken_model_without_a_twin_is_set_aside_and_its_training_announced_with_a_time(
    models: Path, classifier: Classifier, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def stop(*_: object) -> None:
        raise FeedbackControlError("training would begin")

    monkeypatch.setattr(train, "fine_tune", stop)
    breaking(models / classifier.version / "head.npz", damage)
    with telling_repairs(said.append), pytest.raises(FeedbackControlError, match="would begin"):
        promote(models, progress=said.append)
    assert "head.npz is not as training wrote it" in said[0] and "trained anew" in said[0]
    assert "training the classifier on" in said[1] and " min, as it did before" in said[1]
    assert len(list((models / ".broken").iterdir())) == 1


def test_a_model_without_content_hashes_gets_them_or_is_named(
    models: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_RUNTIME", "openvino-f32")
    folder = models / classifier.version
    (folder / "files.json").unlink()
    assert promote(models)[0].version == classifier.version
    assert json.loads((folder / "files.json").read_text())["head.npz"]
    (folder / "files.json").unlink()
    breaking(folder / "openvino/encoder.bin", "cut")
    with pytest.raises(BrokenModelError, match="remove that folder"):
        _ = Classifier.load(folder).encoder
