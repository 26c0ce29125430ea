"""Fixtures of the measurement tests."""

from __future__ import annotations

import pytest

from tests.simulation.shop.shop_fixtures import LandedShop, landed_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> LandedShop:
    """The standard shop of 56 days, landed."""
    return landed_shop(tmp_path_factory.mktemp("shop"))
