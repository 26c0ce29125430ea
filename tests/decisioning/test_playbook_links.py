"""Links of the playbook: checked on load, landed for dbt, filled in and percent-encoded for a ticket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagster_project import lake
from dagster_project.decisioning.links import check_template, fill
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.errors import ConfigurationError
from dagster_project.home import PLAYBOOK, Home

VALUES = {"product": "shop app", "version": "5.2.0 & <b>", "since": "2026-05-31T09:00:00Z", "platform": None}


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("javascript:alert(1)", "no http"),
        ("https:///d", "no http"),
        ("https://{product}.example.com/d", "fixed host"),
        ("https://e.example/d?v={verison}", "placeholders are issue_id"),
        ("https://e.example/d?v={version!r}", "placeholders are issue_id"),
        ("https://e.example/d?v={version.__class__}", "placeholders are issue_id"),
        ("https://e.example/d?v={version:40}", "placeholders are issue_id"),
        ("https://e.example/d?v={}", "placeholders are issue_id"),
        ("https://e.example/a b", "percent-encode"),
        ("https://e.example/>x", "percent-encode"),
        ("https://e.example/{version", "expected"),
    ],
)
def test_a_link_that_could_not_open_is_refused(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_template(template)


def test_values_are_encoded_and_a_missing_one_leaves_no_link() -> None:
    template = check_template("https://e.example:8443/d/{product}?v={version}&from={since}#top")
    assert fill(template, VALUES) == (
        "https://e.example:8443/d/shop%20app?v=5.2.0%20%26%20%3Cb%3E&from=2026-05-31T09%3A00%3A00Z#top"
    )
    assert fill("https://e.example/{platform}", VALUES) is None
    assert fill("https://e.example/all", VALUES) == "https://e.example/all"


def with_links(path: Path, defaults: str, rule: str) -> Path:
    text = PLAYBOOK.read_text(encoding="utf-8")
    text = text.replace("\nrules:\n", f"\n{defaults}\nrules:\n", 1)
    path.write_text(text.replace("\n  checkout_failure:\n", f"\n  checkout_failure:\n{rule}\n", 1), encoding="utf-8")
    return path


def test_a_wrong_link_names_its_setting(tmp_path: Path) -> None:
    path = with_links(tmp_path / "playbook.yml", "", "    dashboards: {errors: 'ftp://e.example/x'}")
    with pytest.raises(ConfigurationError, match=r"rules\.checkout_failure\.dashboards\.errors: .*no http"):
        load_playbook(path)


def test_a_types_own_links_join_those_of_all_types(tmp_path: Path) -> None:
    path = with_links(
        tmp_path / "playbook.yml",
        "  dashboards: {errors: 'https://e.example/all', traffic: 'https://e.example/t'}\n"
        "  complaints: 'https://bi.example/{issue_id}'\n",
        "    dashboards: {errors: 'https://e.example/checkout'}",
    )
    home = Home(tmp_path / "home")
    land_playbook(home, load_playbook(path))
    landed = lake.scan(home, "playbook_rules").collect()
    links = {row["issue_type"]: json.loads(row["links"]) for row in landed.iter_rows(named=True)}
    assert links["checkout_failure"] == [
        {"name": "errors", "url": "https://e.example/checkout"},
        {"name": "traffic", "url": "https://e.example/t"},
        {"name": "all complaints", "url": "https://bi.example/{issue_id}"},
    ]
    assert links["app_crash"][0] == {"name": "errors", "url": "https://e.example/all"}


def test_a_playbook_without_links_lands_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    land_playbook(home, load_playbook())
    assert set(lake.scan(home, "playbook_rules").collect()["links"]) == {"[]"}
