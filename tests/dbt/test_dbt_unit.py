"""The dbt models' own unit tests, each a formula or a rule with a case computed by hand, over an empty lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project import lake
from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.home import Home

# dbt leaves its log file open until the next run in the same process opens another.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


def test_every_formula_and_rule_of_the_models_gives_what_was_computed_by_hand(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lake.ensure_tables(home)
    land_playbook(home, load_playbook())
    # An empty lake builds and passes every data test; and a fixture takes its types from the model that it stands for.
    run_dbt(home, ["build", "--exclude-resource-type", "unit_test"])
    run_dbt(home, ["test", "--select", "test_type:unit"])
