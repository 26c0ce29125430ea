"""The dbt project built once over an empty lake, for every test of the models."""

from __future__ import annotations

import pytest

from dagster_project import lake
from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.home import Home


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose lake is empty: it builds and passes every data test. ``dbt_target`` holds dbt's artifacts."""
    home = Home(tmp_path_factory.mktemp("dbt"))
    lake.ensure_tables(home)
    land_playbook(home, load_playbook())
    run_dbt(home, ["build", "--exclude-resource-type", "unit_test"])
    return home
