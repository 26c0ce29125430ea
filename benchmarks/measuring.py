"""Process measurement: wall time and peak memory of a command, imports included.

Each measurement runs in its own process, so that its peak is its own and no cache is warm.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """Cost and output of one process."""

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
        return Cost(seconds, _mib(used), said.read())


def peak_mib() -> float:
    """The peak memory of this process so far."""
    return _mib(resource.getrusage(resource.RUSAGE_SELF))


def told_by(module: str, *arguments: str) -> Any:
    """Run a module of ours; the JSON of the last line that it prints."""
    command = [sys.executable, "-m", module, *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    return json.loads(output.splitlines()[-1])


def _mib(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
