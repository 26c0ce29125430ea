"""What a process costs: its seconds from start to end, and its peak memory, both imports included."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """What one process cost, and what it printed."""

    seconds: float
    mib: float
    output: str


def cost_of(command: Sequence[str], folder: Path = ROOT, **environment: str) -> Cost:
    """Run a command to its end.

    Raises:
        SystemExit: it failed; the message is what it said.
    """
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=said, stderr=complained, cwd=folder, env={**os.environ, **environment}, text=True
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{said.read()[-2000:]}\n{complained.read()[-2000:]}")
        return Cost(seconds, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2), said.read())
