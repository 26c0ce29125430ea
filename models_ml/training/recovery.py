"""Recovery of a broken model: another intact one of the same recipe serves, or it is trained anew, and both are said.

The recipe is golden set and training settings; models of one recipe differ in the versions of libraries. A broken model
stays in place as long as a twin serves, so that no run trains without being asked to.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_ml.files import set_aside
from models_ml.golden.golden_set import GoldenSet
from models_ml.model.classifier import Classifier
from models_ml.model.integrity import MANIFEST, BrokenModelError, read_manifest, write_manifest
from models_ml.model.runtime import PARITY, parity
from models_ml.repairs import read_state, tell_repair
from models_ml.training.model_card import write_card

if TYPE_CHECKING:
    from models_ml.training.train import TrainingConfig

BROKEN = ".broken"
"""Folder beside the models for those that were set aside; its content may be deleted."""


def load_checked(folder: Path) -> Classifier:
    """Load a model whose files are as training wrote them.

    Raises:
        BrokenModelError: it is not there, unfinished, or damaged.
    """
    if not Classifier.is_complete(folder):
        raise BrokenModelError(folder, "metrics.json or training.json is missing or damaged")
    model = Classifier.load(folder)
    if not read_manifest(folder):
        _adopt(model)
    _mend_card(model)
    return model


def find_twin(broken: Path, data: GoldenSet, config: TrainingConfig) -> Classifier | None:
    """An intact model of the same recipe as a broken one; None if there is none, or nothing was broken."""
    if not _was_finished(broken):
        return None
    recipe = {"golden_set": data.content_hash, "config": asdict(config)}
    for folder in sorted(broken.parent.iterdir()):
        if folder == broken or folder.name.startswith(".") or not Classifier.is_complete(folder):
            continue
        details = read_state(folder / "training.json", dict[str, Any], "the model cannot be used") or {}
        if {name: details.get(name) for name in recipe} == recipe:
            with suppress(BrokenModelError):
                twin = load_checked(folder)
                tell_repair(
                    f"model {broken} is broken: {twin.version}, of the same golden set and settings, serves instead;"
                    f" to train it anew, remove {broken}"
                )
                return twin
    return None


def make_room(broken: BrokenModelError) -> None:
    """Set a broken model aside before it is trained anew."""
    folder = broken.folder
    if _was_finished(folder):
        place = set_aside(folder, folder.parent / BROKEN)
        tell_repair(f"model {folder.name} is broken ({broken.reason}): it is now {place}, and is trained anew")


def _was_finished(folder: Path) -> bool:
    """False for a model that was never trained, or whose training was killed."""
    return (folder / MANIFEST).exists() or (folder / "metrics.json").exists()


def estimate(models: Path) -> str:
    """How long training will take, by the models that were trained before."""
    places = [*models.glob("*/training.json"), *models.glob(f"{BROKEN}/*/training.json")]
    before = [read_state(path, dict[str, Any], "it says nothing about training times") or {} for path in places]
    seconds = [float(one["seconds"]) for one in before if isinstance(one.get("seconds"), int | float)]
    return f"about {max(seconds) / 60:.0f} min, as it did before" if seconds else "about 10 min on two cores"


def _adopt(model: Classifier) -> None:
    """Record the content hashes of a model of an earlier version, once its runtime passes the parity check.

    A folder that is linked from elsewhere is left as it is.
    """
    if model.folder.resolve() != model.folder.absolute():
        return
    cosine = parity(model.encoder.runtime, model.folder)
    if cosine < PARITY:
        raise BrokenModelError(model.folder, f"the encoder strays from training's vectors: cosine {cosine:.4f}")
    with suppress(OSError):  # a read-only model is checked so at every start
        write_manifest(model.folder)


def _mend_card(model: Classifier) -> None:
    """Write a missing model card anew from the model's figures."""
    card = model.folder / "model_card.md"
    if card.is_file() and card.stat().st_size:
        return
    details = read_state(model.folder / "training.json", dict[str, Any], "the model cannot be used") or {}
    served = read_state(model.folder / "calibration.json", dict[str, Any], "the model cannot be used") or {}
    with suppress(OSError):
        if card.is_dir():
            set_aside(card, model.folder.parent / BROKEN)
        write_card(card, model.version, model.metrics, details, served)
        tell_repair(f"{card} was missing or empty: it is written anew")
