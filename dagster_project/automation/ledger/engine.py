"""The engine of the ledger: durable connections to SQLite or PostgreSQL, and its schema migrations."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from dagster_project.errors import ConfigurationError
from dagster_project.redaction import know_url

REVISION = "0008"
"""The newest migration, which this code is written for."""

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
_UPGRADING = 7_305_514_021  # any number that names this lock and no other


def connect(url: str) -> Engine:
    """The engine for a ledger URL; SQLite gets write-ahead logging, a long busy timeout and full durability.

    Raises:
        ConfigurationError: the URL, or the driver it names, is not usable.
    """
    try:
        know_url(url)
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
        if parsed.database and parsed.database != ":memory:":
            if is_read_only(Path(parsed.database)):
                return _read_only(Path(parsed.database))
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            if not Path(parsed.database).exists():
                Path(parsed.database).touch()  # SQLite itself would not follow a umask that lets a group write
        engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    except (ArgumentError, ImportError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"the ledger cannot be opened ({error});"
            " set FEEDBACK_LEDGER_URL to an SQLAlchemy URL whose driver is installed"
        ) from None
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def is_read_only(path: Path) -> bool:
    """True for a database that is there, in a folder or a file that this process may not write."""
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _read_only(path: Path) -> Engine:
    """The engine for an SQLite file that cannot be written, nor any file beside it.

    A write-ahead log that was left beside it cannot be replayed there, so a copy of both is read instead.
    """
    log = path.with_name(f"{path.name}-wal")
    copies = Path(tempfile.mkdtemp(prefix="ledger-")) if log.exists() and log.stat().st_size else None
    mode = "mode=ro&immutable=1"
    if copies:
        for file in (path, log):
            shutil.copyfile(file, copies / file.name)
        path, mode = copies / path.name, "mode=rw"

    def connected() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)

    engine = create_engine("sqlite://", creator=connected, poolclass=NullPool, hide_parameters=True)
    if copies:
        weakref.finalize(engine, shutil.rmtree, copies, ignore_errors=True)
    event.listen(engine, "begin", _begin_sqlite)
    return engine.execution_options(reading=True)


def upgrade(engine: Engine, now: datetime) -> None:
    """Make the tables, or bring those of an earlier version up to date; safe with several processes at once.

    Raises:
        ConfigurationError: the tables were written by a later version, or by an earlier one and cannot be written.
    """
    with engine.execution_options(reading=True).connect() as connection:
        present = revision_of(connection)
        if present == REVISION:
            return
    if engine.get_execution_options().get("reading"):
        raise ConfigurationError(
            f"the ledger has schema version {present} and cannot be written, this feedback-control reads {REVISION};"
            " run any command once where the home can be written"
        )
    with engine.connect() as connection, _foreign_keys_suspended(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({_UPGRADING})")
        present = revision_of(connection)
        if present != REVISION:  # no other process has upgraded it meanwhile
            _migrate(connection, present, now)


def _migrate(connection: Connection, present: str | None, now: datetime) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection, "now": now})
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise ConfigurationError(
            f"the ledger has schema version {present}, this feedback-control knows {REVISION};"
            " run the version that wrote it, or name another database in FEEDBACK_LEDGER_URL"
        ) from None


@contextmanager
def _foreign_keys_suspended(connection: Connection) -> Iterator[None]:
    """Let SQLite rebuild a table that others refer to; the pragma has no effect within a transaction."""
    if connection.dialect.name != "sqlite":
        yield
        return
    sqlite: Any = connection.connection.driver_connection
    sqlite.execute("pragma foreign_keys = off")
    try:
        yield
    finally:
        sqlite.execute("pragma foreign_keys = on")


def revision_of(connection: Connection) -> str | None:
    """The newest migration that was run; None where there was none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar()


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Make a new SQLite connection safe for concurrent runs and for a crash at any moment."""
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where the driver guesses
    _use_write_ahead_log(connection)
    connection.execute("pragma synchronous = full")  # an intent is durable before it is sent
    connection.execute("pragma foreign_keys = on")


def _use_write_ahead_log(connection: Any) -> None:
    """Switch to write-ahead logging; while another connection does so to a new file, SQLite refuses at once."""
    until = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(0.02)


def _begin_sqlite(connection: Any) -> None:
    # A writer takes its lock at once: upgrading a read lock later fails when two runs do it together.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("begin" if reading else "begin immediate")
