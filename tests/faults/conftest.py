"""Fixtures of the fault tests: those of the automation tests."""

from tests.automation.conftest import home, ledger

__all__ = ["home", "ledger"]
