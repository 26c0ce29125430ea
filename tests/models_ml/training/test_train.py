"""Training for real, on a golden set so small that it takes seconds."""

from __future__ import annotations

import csv
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import SPLITS, load_golden
from models_ml.model.classifier import Classifier
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.training.train import TrainingConfig, content_hash, load_or_train

pytestmark = pytest.mark.long

QUICK = TrainingConfig(epochs=1, batch_size=40, training_tokens=16)


@pytest.fixture(autouse=True)
def one_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model folder times the runtimes anew; on a busy machine another may win, and the last bits differ."""
    monkeypatch.setenv("FEEDBACK_RUNTIME", "openvino-f32")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of every type, two training texts, one for calibration and one for evaluation."""
    folder = tmp_path_factory.mktemp("golden")
    with next(GOLDEN.glob("*.csv")).open(encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    chosen = [
        row
        for name in ISSUE_TYPES
        for split, count in zip(SPLITS, (2, 1, 1), strict=True)
        for row in [row for row in rows if (row["issue_type"], row["split"]) == (name, split)][:count]
    ]
    with (folder / "golden.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, golden: Path) -> tuple[Path, Classifier, list[str]]:
    models, said = tmp_path_factory.mktemp("models"), list[str]()
    return models, load_or_train(models, config=QUICK, golden=golden, progress=said.append), said


def test_progress_is_told(trained: tuple[Path, Classifier, list[str]]) -> None:
    _, model, said = trained
    assert "training the classifier on 40 texts" in said[0]
    assert model.version in said[-1]


def test_everything_a_reader_needs_lies_beside_the_model(trained: tuple[Path, Classifier, list[str]]) -> None:
    models, model, _ = trained
    folder = models / model.version
    assert (folder / "encoder" / "model.safetensors").is_file()
    assert (folder / "openvino" / "encoder.xml").is_file()
    pickled = [
        path for path in folder.rglob("*") if path.suffix in (".pkl", ".joblib") or path.name == "pytorch_model.bin"
    ]
    assert pickled == []
    assert json.loads((folder / "training.json").read_text())["texts"] == {
        "train": 40,
        "calibration": 20,
        "evaluation": 20,
    }
    card = (folder / "model_card.md").read_text()
    for expected in (
        model.version,
        "Intended use",
        "macro-F1",
        "calibration error",
        "Known weak spots",
        "| app_crash |",
        "torch",
    ):
        assert expected in card
    assert not [path for path in models.iterdir() if path.name != model.version and not path.name.endswith(".lock")]


def test_it_is_loaded_and_not_trained_again(trained: tuple[Path, Classifier, list[str]], golden: Path) -> None:
    models, model, _ = trained
    said: list[str] = []
    again = load_or_train(models, config=QUICK, golden=golden, progress=said.append)
    assert said == []
    assert again.version == model.version
    texts = ["it crashes", "love it", "where is my parcel"]
    assert again.predict(texts) == model.predict(texts)


def _train_and_tell(models: Path, golden: Path, told: multiprocessing.Queue[tuple[str, int]]) -> None:
    said: list[str] = []
    model = load_or_train(models, config=QUICK, golden=golden, progress=said.append)
    told.put((model.version, sum("training the classifier" in line for line in said)))


def test_two_processes_at_once_train_once_and_to_the_same_model_as_elsewhere(
    trained: tuple[Path, Classifier, list[str]], golden: Path, tmp_path: Path
) -> None:
    _, model, _ = trained
    unfinished = tmp_path / model.version
    unfinished.mkdir()
    (unfinished / "training.json").write_text("{")  # whoever began it was killed
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    both = [context.Process(target=_train_and_tell, args=(tmp_path, golden, told)) for _ in range(2)]
    for process in both:
        process.start()
    answers = [told.get(timeout=240) for _ in both]
    for process in both:
        process.join()
    assert {version for version, _ in answers} == {model.version}
    assert sorted(trainings for _, trainings in answers) == [0, 1]
    texts = ["it crashes", "love it", "where is my parcel", "too many ads"]
    assert load_or_train(tmp_path, config=QUICK, golden=golden).predict(texts) == model.predict(texts)


def test_the_version_covers_data_settings_and_libraries(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, config = load_golden(golden), TrainingConfig()
    version = content_hash(data, config)
    assert content_hash(data, config) == version
    assert content_hash(replace(data, content_hash="other"), config) != version
    assert content_hash(data, replace(config, seed=8)) != version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
    assert content_hash(data, config) != version
