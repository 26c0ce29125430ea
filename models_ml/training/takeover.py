"""Takeover of a trained model from another registry: a verified copy instead of minutes of training.

Only a model of the packaged golden set and the default settings is taken, by its content hash. It is copied, never
linked: what happens to one registry does not touch the other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from models_ml.files import locked, sha256_of, write_folder
from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import load_golden
from models_ml.model.classifier import Classifier
from models_ml.training.train import TrainingConfig, content_hash


class _ChangedError(Exception):
    """The model changed while it was copied; nothing of the copy is kept."""


def take_over(models: Path, others: Iterable[Path], progress: Callable[[str], None] = lambda _: None) -> Path | None:
    """Copy the model of the packaged golden set from the first other registry that has it whole.

    Args:
        models: the registry that gets it.
        others: registries to look in.
        progress: told where the model comes from.

    Returns:
        The model's folder; None if it is there already, or no other registry has it.
    """
    present = [other for other in others if other.is_dir()]
    if not present:
        return None
    data = load_golden(GOLDEN)
    version = content_hash(data, TrainingConfig())
    folder = models / version
    if (folder / "metrics.json").exists():
        return None
    for other in present:
        source = other / version
        if not _is_of(source, data.content_hash):
            continue
        models.mkdir(parents=True, exist_ok=True)
        with locked(models / f".{version}.lock", progress):
            if (folder / "metrics.json").exists():
                return None
            with suppress(_ChangedError), write_folder(folder) as copy:
                shutil.copytree(source, copy, dirs_exist_ok=True)
                if _digests(copy) != _digests(source) or not _is_of(copy, data.content_hash):
                    raise _ChangedError
            if not folder.exists():
                continue
            progress(f"model {version} was trained from the same golden set before: a copy of {source}")
            return folder
    return None


def _is_of(folder: Path, golden_set: str) -> bool:
    """True if the folder holds a whole model of this golden set."""
    try:
        details = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        return Classifier.is_complete(folder) and details["golden_set"] == golden_set
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}
