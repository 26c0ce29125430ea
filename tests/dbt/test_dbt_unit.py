"""The dbt models' own unit tests, each a formula or a rule with a case computed by hand, over an empty lake."""

from __future__ import annotations

import pytest

from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.home import Home

# dbt leaves its log file open until the next run in the same process opens another.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


def test_every_formula_and_rule_of_the_models_gives_what_was_computed_by_hand(built: Home) -> None:
    # A fixture takes its types from the built model that it stands for.
    run_dbt(built, ["test", "--select", "test_type:unit"])
