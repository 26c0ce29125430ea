"""Promotion: a worse candidate is refused with reasons, and the champion stays."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import load_golden
from models_ml.model.classifier import Classifier
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.training import registry
from models_ml.training.registry import URGENT, Bounds, NoChampionError, assess, champion, measured, promote
from models_ml.training.train import TrainingConfig, load_or_train

DATA = load_golden()
BRIEF = TrainingConfig(epochs=1, training_tokens=16)


@pytest.fixture
def models(tmp_path: Path, classifier: Classifier) -> Path:
    """A registry that holds the one trained model and has not promoted it yet."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / classifier.version).symlink_to(classifier.folder)
    return folder


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small golden set with the labels of the training texts shifted by one; the judging texts are sound."""
    folder = tmp_path_factory.mktemp("mislabelled")
    with next(GOLDEN.glob("*.csv")).open(encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    kept = {"train": 3, "calibration": 4, "evaluation": 8}
    few = [
        row
        for name in ISSUE_TYPES
        for split, count in kept.items()
        for row in [row for row in rows if (row["issue_type"], row["split"], row["language"]) == (name, split, "en")][
            :count
        ]
    ]
    for row in few:
        if row["split"] == "train":
            row["issue_type"] = ISSUE_TYPES[(ISSUE_TYPES.index(row["issue_type"]) + 1) % 20]
    with (folder / "golden.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(few)
    return folder


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory, mislabelled: Path) -> Classifier:
    """A model trained on that."""
    return load_or_train(tmp_path_factory.mktemp("worse"), golden=mislabelled, config=BRIEF)


def with_metrics(model: Classifier, **changed: Any) -> Classifier:
    return replace(model, metrics=replace(model.metrics, **changed))


def test_the_first_model_that_is_fit_becomes_the_champion_and_stays_it(models: Path, classifier: Classifier) -> None:
    assert champion(models).version == classifier.version
    model, decision = promote(models)
    assert (model.version, decision.promoted, decision.reasons) == (classifier.version, True, ())


def test_a_champion_that_this_code_cannot_read_gives_way_to_the_next_model(
    models: Path, classifier: Classifier
) -> None:
    champion(models)
    earlier = models / "earlier"
    earlier.mkdir()
    (earlier / "metrics.json").write_text("{}")
    (earlier / "training.json").write_text('{"config": {}}')  # from before models said their format
    record = (models / "champion.json").read_text().replace(classifier.version, "earlier")
    (models / "champion.json").write_text(record)
    assert champion(models).version == classifier.version
    assert f'"version": "{classifier.version}"' in (models / "champion.json").read_text()


@pytest.mark.long
def test_a_deliberately_worse_model_is_refused_and_the_champion_keeps_labelling(
    models: Path, classifier: Classifier, mislabelled: Path, worse: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion(models)
    (models / worse.version).symlink_to(worse.folder)
    said: list[str] = []
    serving, decision = promote(models, golden=mislabelled, config=BRIEF, progress=said.append)
    assert (serving.version, decision.promoted, decision.champion) == (classifier.version, False, classifier.version)
    assert decision.candidate == worse.version != classifier.version
    assert any("below the champion's" in reason for reason in decision.reasons)
    assert "is refused" in said[-1]
    monkeypatch.setattr(registry, "assess", lambda *_: pytest.fail("judged twice"))
    assert promote(models, golden=mislabelled, config=BRIEF)[1] == decision
    assert champion(models, golden=mislabelled).version == classifier.version


@pytest.mark.long
def test_without_a_champion_an_unfit_model_labels_nothing(mislabelled: Path, worse: Classifier, tmp_path: Path) -> None:
    (tmp_path / worse.version).symlink_to(worse.folder)
    with pytest.raises(NoChampionError, match="macro-F1"):
        promote(tmp_path, golden=mislabelled, config=BRIEF)
    assert not (tmp_path / "champion.json").exists()


def test_a_loss_within_the_margin_passes_and_one_beyond_it_does_not(classifier: Classifier) -> None:
    bounds, now = Bounds(macro_f1=0.1), measured(classifier, DATA, ("en", *classifier.languages)).macro_f1
    assert assess(with_metrics(classifier, macro_f1=now - 0.01), classifier, DATA, bounds).promoted
    refused = assess(with_metrics(classifier, macro_f1=now - 0.03), classifier, DATA, bounds)
    assert not refused.promoted
    assert len(refused.reasons) == 1


def test_every_bound_can_refuse_by_itself(classifier: Classifier) -> None:
    metrics = classifier.metrics
    deaf = replace(metrics.by_type["payment_failure"], recall=0.1)
    model = replace(classifier, metrics=replace(metrics, by_type={**metrics.by_type, "payment_failure": deaf}))
    assert assess(model, None, DATA, Bounds()).reasons == ("recall of payment_failure 0.10 is below 0.5",)
    assert assess(with_metrics(classifier, ece=0.4), None, DATA, Bounds()).reasons == (
        "calibration error 0.400 is above 0.15",
    )
    assert assess(with_metrics(classifier, macro_f1=0.2), None, DATA, Bounds()).reasons == (
        "macro-F1 0.200 is below 0.55",
    )


def test_what_is_measured_again_is_what_training_wrote(classifier: Classifier) -> None:
    again = measured(classifier, DATA, ("en", *classifier.languages))
    assert again.macro_f1 == pytest.approx(classifier.metrics.macro_f1, abs=0.02)
    assert again.ece == pytest.approx(classifier.metrics.ece, abs=0.02)
    assert {name: again.by_type[name].support for name in URGENT} == {
        name: classifier.metrics.by_type[name].support for name in URGENT
    }
