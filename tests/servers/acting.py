"""One act in a process of its own, to be killed: it says when it begins to apply."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dagster_project.automation.actuators.base import Reading
from dagster_project.automation.actuators.config import KINDS
from dagster_project.home import Home


def act(
    environment: dict[str, str],
    entry: dict[str, Any],
    item: str,
    desired: dict[str, Any],
    before: Reading,
    begins: Connection,
) -> None:
    """Apply the desired state through the actuator of an entry; its secrets are in the environment."""
    os.environ.update(environment)
    actuator = KINDS[entry["kind"]].model_validate(entry).build(Home.locate(Path("unused")))
    begins.send("begins")
    actuator.apply(item, desired, before, "killed")
    begins.send("done")
