"""The mitigation histories' ledger: one database in memory for all of them, so that statements are compiled once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from dagster_project.automation.ledger import engine
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.store import Store
from dagster_project.automation.mitigation import export, mitigate
from dagster_project.home import Home
from tests.automation.mitigation.world import World
from tests.automation.support import BORN


@cache
def _engine() -> Engine:
    shared = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(shared, "connect", engine.prepare_sqlite)
    event.listen(shared, "begin", engine._begin_sqlite)
    shared.dispose = lambda close=True: None  # type: ignore[method-assign]
    return shared


@cache
def _ledger() -> Ledger:
    return Ledger("sqlite://", now=BORN)


@cache
def _template() -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:")
    _raw().backup(copy)
    return copy


def _raw() -> sqlite3.Connection:
    return _engine().raw_connection().driver_connection  # type: ignore[return-value]


def fresh_world() -> World:
    """A world with an empty ledger."""
    ledger = _ledger()
    _template().backup(_raw())
    return World(Home(Path("/nowhere")), ledger)


class LakeInMemory:
    """The lake as the export of plans uses it: a frame that is read for one column."""

    def __init__(self, *_: object) -> None:
        self.select = self.collect = lambda *_: self

    def __getitem__(self, column: str) -> list[object]:
        return [row[column] for row in World.current.lake]

    ensure_table = staticmethod(lambda *_: None)
    lock_table = staticmethod(lambda *_: nullcontext())
    scan = classmethod(lambda cls, *_: cls())


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ledger, lake and time be those of the world; each transaction has a step before it and one after it."""
    committed = Store.transaction

    @contextmanager
    def transaction(store: Store) -> Iterator[Connection]:
        World.current.step()
        with committed(store) as connection:
            yield connection
        World.current.step()

    monkeypatch.setattr(engine, "connect", lambda url: _engine())
    fresh_world()
    monkeypatch.setattr(Store, "transaction", transaction)
    monkeypatch.setattr(mitigate, "monotonic", lambda: World.current.monotonic())  # noqa: PLW0108 - of the world by then
    monkeypatch.setattr(mitigate.Turn, "_count_comments", lambda _: None)
    monkeypatch.setattr(export, "lake", LakeInMemory)
    monkeypatch.setattr(export, "land", lambda *rows: World.current.land(*rows))  # noqa: PLW0108
