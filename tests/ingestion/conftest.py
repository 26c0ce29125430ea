"""A home of its own for each test, and no waiting for an API."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.home import Home
from dagster_project.ingestion import api_client


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "sleep", lambda _: None)
