"""Fixtures of the command line's tests."""

from tests.automation.conftest import home

__all__ = ["home"]
