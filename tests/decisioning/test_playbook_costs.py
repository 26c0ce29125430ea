"""Costs of the playbook: checked on load by setting and line, landed where dbt reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project import lake
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.errors import ConfigurationError
from dagster_project.home import PLAYBOOK, Home
from dagster_project.lake_tables import schema_of


def playbook(tmp_path: Path, old: str, new: str) -> Path:
    text = PLAYBOOK.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "playbook.yml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "setting", "reason"),
    [
        ("currency: EUR", "currency: euro", "costs.currency", "should match pattern"),
        ("support_contact: 6", "support_contact: -1", "costs.support_contact", "greater than or equal to 0"),
        ("engineer_hour: 80", "engineer_hour: .inf", "costs.engineer_hour", "finite number"),
        ("wrong_act: 400", "wrong_acts: 400", "costs.wrong_acts", "not permitted"),
        ("adopted_on: {}", "adopted_on: {shop: spring}", "costs.adopted_on.shop", "valid date"),
        ("adopted_on: {}", "adopted_on: {shop: 1026-03-01}", "costs.adopted_on.shop", "2000-01-01 or later"),
    ],
)
def test_a_wrong_cost_is_refused_with_its_line(tmp_path: Path, old: str, new: str, setting: str, reason: str) -> None:
    path = playbook(tmp_path, old, new)
    line = next(n for n, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if new in text)
    with pytest.raises(ConfigurationError, match=rf"line {line}: {re.escape(setting)}: .*{reason}"):
        load_playbook(path)


def test_costs_and_days_of_adoption_land_where_dbt_reads_them(tmp_path: Path) -> None:
    home = Home(tmp_path)
    land_playbook(home, load_playbook(playbook(tmp_path, "adopted_on: {}", "adopted_on: {shop: 2026-03-01}")))
    settings = lake.scan(home, "playbook_settings").collect().row(0, named=True)
    assert {name: value for name, value in settings.items() if name.startswith("cost_")} == {
        "cost_currency": "EUR",
        "cost_support_contact": 6,
        "cost_engineer_hour": 80,
        "cost_hours_per_ticket": 4,
        "cost_running_month": 500,
        "cost_wrong_act": 400,
    }
    adoptions = lake.scan(home, "playbook_adoptions").collect()
    assert dict(adoptions.schema) == schema_of("playbook_adoptions")
    assert adoptions.rows() == [("shop", datetime(2026, 3, 1, tzinfo=UTC))]


def test_a_playbook_without_costs_has_the_documented_defaults(tmp_path: Path) -> None:
    written = load_playbook().costs
    path = tmp_path / "playbook.yml"
    text = PLAYBOOK.read_text(encoding="utf-8")
    path.write_text(re.sub(r"\ncosts:\n(?:  .*\n)+", "\n", text), encoding="utf-8")
    assert "costs:" not in path.read_text(encoding="utf-8")
    assert load_playbook(path).costs == written
