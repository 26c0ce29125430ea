"""A real PostgreSQL, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

_BIN = max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)
_AS_POSTGRES = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

needs_postgresql = pytest.mark.skipif(_BIN is None, reason="no PostgreSQL server is installed (Debian: postgresql)")


@contextmanager
def postgresql() -> Iterator[str]:
    """A cluster on loopback; the URL of its database."""
    assert _BIN
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    folder = Path(tempfile.mkdtemp(prefix="fc-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if _AS_POSTGRES:
        shutil.chown(folder, "postgres")
    data, log = str(folder / "data"), str(folder / "log")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [str(_BIN / "pg_ctl"), "-D", data]

    def command(*arguments: str) -> None:
        subprocess.run([*_AS_POSTGRES, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    command(str(_BIN / "initdb"), "-D", data, "-A", "trust", "-U", "postgres")
    command(*control, "-o", options, "-w", "-l", log, "start")
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        command(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def empty(url: str) -> None:
    """Take everything out of the database."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))
    engine.dispose()
