"""The dbt project built once over an empty lake, for every test of the models."""

from __future__ import annotations

import pytest

from dagster_project import lake
from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.enrichment.labeling import LABELS_SCHEMA
from dagster_project.home import Home
from dagster_project.ingestion.landing import ensure_lake


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose lake is empty: it builds and passes every data test. ``dbt_target`` holds dbt's artifacts."""
    home = Home(tmp_path_factory.mktemp("dbt"))
    ensure_lake(home)
    lake.ensure_table(home, "labels", LABELS_SCHEMA)
    land_playbook(home, load_playbook())
    run_dbt(home, ["build", "--exclude-resource-type", "unit_test"])
    return home
