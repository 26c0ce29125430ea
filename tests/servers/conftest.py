"""Fixtures of the tests against servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.home import Home
from tests.automation.support import BORN
from tests.servers.acts import OPEN


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home whose ledger is a month old."""
    home = Home.locate(tmp_path / "home")
    home.root.mkdir()
    Ledger(home.ledger_url, now=BORN)
    return home


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Connections of actuators are closed after the test."""
    with OPEN:
        yield
