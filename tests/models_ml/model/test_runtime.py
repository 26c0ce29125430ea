"""Every runtime computes what PyTorch does, and the fastest that does is the one that serves."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models_ml.golden.golden_set import load_golden
from models_ml.model import runtime
from models_ml.model.classifier import Classifier
from models_ml.model.encoder import Encoder, embed, load_encoder
from models_ml.model.runtime import PARITY, OpenVinoRuntime, RuntimeChoiceError, TorchRuntime, open_runtime, parity
from models_ml.text.preprocess import clean

TEXTS = [clean(text.text) for text in load_golden().split("evaluation")][:80]


@pytest.fixture
def model(classifier: Classifier, tmp_path: Path) -> Path:
    """A copy of the model without any record of a probe."""
    folder = tmp_path / "model"
    shutil.copytree(classifier.folder, folder, ignore=shutil.ignore_patterns("runtimes.json"))
    return folder


def test_our_pooling_is_that_of_sentence_transformers(classifier: Classifier) -> None:
    reference = load_encoder(classifier.folder / "encoder", 256)
    theirs = reference.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(embed(reference, TEXTS), theirs, atol=1e-5)


def test_the_exported_graph_computes_what_torch_does(model: Path) -> None:
    assert parity(OpenVinoRuntime(model / runtime.GRAPH, "f32"), model) > 0.99999


def test_the_first_start_probes_and_records_and_the_next_ones_do_not(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Encoder.open(model, 256)
    (entry,) = json.loads((model / "runtimes.json").read_text()).values()
    assert {"openvino-f32", "torch-f32"} <= set(entry["texts_per_second"])
    assert entry["runtime"] == max(entry["texts_per_second"], key=entry["texts_per_second"].get)
    assert min(entry["cosine_to_torch"].values()) >= PARITY
    monkeypatch.setattr(runtime, "_probe", lambda *_: pytest.fail("probed again"))
    assert Encoder.open(model, 256).runtime.name == entry["runtime"]


def test_a_runtime_that_strays_is_not_chosen(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = runtime.OpenVinoRuntime.hidden

    def wrong(self: OpenVinoRuntime, batches: object) -> object:
        return (np.abs(states) for states in honest(self, batches))  # type: ignore[arg-type]

    monkeypatch.setattr(runtime.OpenVinoRuntime, "hidden", wrong)
    chosen = open_runtime(model, lambda: load_encoder(model / "encoder", 256))
    assert isinstance(chosen, TorchRuntime)


def test_a_runtime_can_be_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_RUNTIME", "torch-f32")
    assert Encoder.open(model, 256).runtime.name == "torch-f32"
    monkeypatch.setenv("FEEDBACK_RUNTIME", "abacus")
    with pytest.raises(RuntimeChoiceError, match=r"abacus.*torch-f32"):
        Encoder.open(model, 256)


def test_runtimes_agree_on_nearly_every_label(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_RUNTIME", "torch-f32")
    slow = Classifier.load(classifier.folder).predict(TEXTS)
    agreed = [one.best_type == other.best_type for one, other in zip(slow, classifier.predict(TEXTS), strict=True)]
    assert np.mean(agreed) >= 0.98


def test_the_scores_of_tokens_add_up_to_the_score_of_the_text(classifier: Classifier) -> None:
    projection = np.random.default_rng(7).normal(size=(classifier.encoder.dimensions, 5)).astype(np.float32)
    plain = classifier.encoder.encode(TEXTS[:20])
    explained = list(classifier.encoder.explain(TEXTS[:20], projection))
    assert sorted(index for index, _, _ in explained) == list(range(20))
    for index, vector, tokens in explained:
        np.testing.assert_array_equal(vector, plain[index])
        np.testing.assert_allclose(tokens.scores.sum(axis=0), vector @ projection, atol=1e-4)


def test_the_converter_has_nothing_to_phone_home_with() -> None:
    converter = importlib.import_module("openvino.tools.ovc.telemetry_utils")
    assert converter.tm.__name__ == "openvino.tools.ovc.telemetry_stub"
