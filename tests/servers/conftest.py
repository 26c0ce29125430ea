"""Fixtures of the tests against servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.home import Home
from tests.automation.support import BORN


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home whose ledger is a month old."""
    home = Home.locate(tmp_path / "home")
    home.root.mkdir()
    Ledger(home.ledger_url, now=BORN)
    return home
