"""Fixtures of the mitigation tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.home import Home
from tests.automation.mitigation.in_memory import prepare
from tests.automation.mitigation.support import Stage


@pytest.fixture
def stage(home: Home) -> Stage:
    """A home with a playbook, a local control system and one issue whose mitigation is wanted."""
    return Stage.set_up(home)


@pytest.fixture(scope="session")
def playbook_file() -> Path:
    """The packaged playbook."""
    from dagster_project.home import PLAYBOOK

    return PLAYBOOK


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The histories' ledger, lake and clock."""
    prepare(monkeypatch)
