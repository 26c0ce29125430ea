"""Fixtures of the fault tests: two homes in one folder, a receiver, and those of the automation tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.automation.conftest import home, ledger
from tests.faults.homes import Receiver, receiving, without_a_warehouse, write_real_exports

__all__ = ["home", "ledger"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A working directory with exports of a real shop, and its two default homes."""
    demo, real = without_a_warehouse(monkeypatch, tmp_path)
    return SimpleNamespace(demo=demo, real=real, sources=str(write_real_exports(tmp_path / "exports")), folder=tmp_path)
