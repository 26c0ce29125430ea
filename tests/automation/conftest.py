"""Fixtures of the automation tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.home import Home
from tests.automation.support import BORN


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home whose ledger is a month old."""
    monkeypatch.delenv("FEEDBACK_LEDGER_URL", raising=False)
    found = Home.locate(tmp_path / "home")
    found.root.mkdir()
    Ledger(found.ledger_url, now=BORN)
    return found


@pytest.fixture
def ledger(home: Home) -> Ledger:
    """The ledger of that home."""
    return Ledger(home.ledger_url)
