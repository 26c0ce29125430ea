"""Servers in processes of their own, on loopback, for as long as a test needs them."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dagster_project.home import REPOSITORY

TOOLS = Path(os.environ.get("FEEDBACK_CONTROL_SERVERS") or REPOSITORY / ".venv" / "servers")
"""Folder with what neither the project nor the system has; `make test-servers` installs into the default one."""


def free_port() -> int:
    """A port that nothing listens on, below those that Linux gives to clients, which may take one before a server."""
    while True:
        port = secrets.choice(range(15_000, 32_000))
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(
    command: Sequence[str | Path], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """The command, once it listens on the port, until the end of the block; its process id.

    Raises:
        AssertionError: it ended, or did not listen within a minute; the end of its log is quoted.
    """
    environment = {**os.environ, "DO_NOT_TRACK": "1", **(environment or {})}
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        eventually(lambda: process.poll() is not None or _listens(port), 60)
        assert process.poll() is None and _listens(port), f"{command[0]} does not run:\n{log.read_text()[-2000:]}"
        yield process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait(10)


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    """Poll a condition; true if it holds before the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
