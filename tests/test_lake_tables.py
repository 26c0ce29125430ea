"""Every lake table stands in one place, and whoever else names the tables agrees with it."""

from __future__ import annotations

from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
import yaml

from dagster_project import lake
from dagster_project.decisioning import incremental
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.home import DBT_PROJECT, Home
from dagster_project.lake_tables import INSTANT, LAKE_TABLES, InputTable, LakeTable, schema_of

SOURCES = DBT_PROJECT / "models" / "staging" / "_sources.yml"


def test_every_table_is_a_source_of_dbt_under_the_same_description() -> None:
    (source,) = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))["sources"]
    declared = {table["name"]: table["description"] for table in source["tables"]}
    assert declared == {name: table.description for name, table in LAKE_TABLES.items() if table.in_dbt}
    read = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.parent.glob("stg_*.sql"))
    assert {name for name in LAKE_TABLES if f"source('lake', '{name}')" in read} == set(declared)


@pytest.mark.parametrize("table", LAKE_TABLES.values(), ids=LAKE_TABLES)
def test_a_table_says_what_it_holds_and_what_tells_its_rows_apart(table: LakeTable) -> None:
    assert ". One row" in table.description
    assert table.description.endswith(".")
    assert set(table.key) <= set(table.columns)
    instants = {kind for kind in table.columns.values() if isinstance(kind, pl.Datetime)}
    assert instants <= {INSTANT}
    assert ("known_at" in table.columns) == (not table.name.startswith("playbook_"))


def test_sources_fill_the_input_tables_within_their_contracts() -> None:
    inputs = {table.name: table for table in LAKE_TABLES.values() if isinstance(table, InputTable)}
    assert list(inputs) == list(LAKE_TABLES)[:8]
    for table in inputs.values():
        assert table.writer == "ingestion"
        # An enumeration lands as text, so that a row of another version can be read.
        assert not any(isinstance(kind, pl.Enum) for kind in table.columns.values())
        required = [name for name in table.key if name not in ("sku", "platform", "country", "app_version")]
        assert not any(table.contract.columns()[name].nullable for name in required)
    assert isinstance(inputs["feedback"].contract.columns()["channel"], dy.Enum)


def test_a_change_of_any_table_is_a_reason_to_rebuild_or_rebuilt_by_every_build() -> None:
    read = {name for name, table in LAKE_TABLES.items() if table.in_dbt}
    assert read == incremental._KNOWN | incremental._READ_WHOLE
    assert not incremental._KNOWN & incremental._READ_WHOLE
    for name, earliest in incremental._EARLIEST.items():
        assert set(earliest.meta.root_names()) <= set(LAKE_TABLES[name].columns)


def test_an_empty_lake_has_every_table_with_its_columns(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lake.ensure_tables(home)
    assert {path.name for path in home.lake.iterdir() if not path.name.startswith("_")} == set(LAKE_TABLES)
    for name in LAKE_TABLES:
        assert dict(lake.scan(home, name).collect_schema()) == schema_of(name)


def test_the_playbook_lands_with_the_columns_of_its_tables(tmp_path: Path) -> None:
    home = Home(tmp_path)
    land_playbook(home, load_playbook())
    for name in ("playbook_settings", "playbook_rules"):
        assert dict(lake.scan(home, name).collect_schema()) == schema_of(name)
        assert lake.scan(home, name).collect().null_count().sum_horizontal().item() == 0
