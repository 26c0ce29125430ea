"""Peak memory of a process that a test started."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_of_this_process() -> int:
    """Peak resident memory in bytes, without that of the parent.

    Linux counts the parent's memory in a child's ``ru_maxrss``, as of the moment of the fork: after tests that load
    models that is gigabytes. ``VmHWM`` begins anew with the program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
