"""Fixtures of the command line tests: the automation tests' empty home and its ledger."""

from tests.automation.conftest import home, ledger

__all__ = ["home", "ledger"]
