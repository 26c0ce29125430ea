"""Takeover of the packaged model between the default home and the demo's, so that it is trained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dagster_project.home import DEFAULT_HOME, DEMO_HOME, Home
from models_ml.golden import GOLDEN
from models_ml.training.takeover import take_over


def take_over_model(home: Home, progress: Callable[[str], None] = lambda _: None) -> None:
    """Copy the model for the packaged golden set from the homes beside this one; a home with an own set trains."""
    if home.golden != GOLDEN:
        return
    beside = {home.root.parent, Path.cwd()}
    others = [folder / name / "models" for folder in sorted(beside) for name in (DEFAULT_HOME, DEMO_HOME)]
    take_over(home.models, [other for other in others if other.parent != home.root], progress)
