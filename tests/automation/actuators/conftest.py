"""Fixtures of the actuator tests."""

from __future__ import annotations

import pytest

from dagster_project.automation.actuators.read_back import ReadBack
from tests.automation.actuators.subjects import SUBJECTS


@pytest.fixture
def every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets of all simulated systems are set, and nobody waits between two reads."""
    for subject in SUBJECTS:
        for variable, value in subject.secrets:
            monkeypatch.setenv(variable, value)
    monkeypatch.setattr(ReadBack, "PAUSE", 0.0)
