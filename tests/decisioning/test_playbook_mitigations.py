"""Targets, mitigations and approvers of the playbook: checked on load by setting and line, landed, explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagster_project import lake
from dagster_project.cli.main import main
from dagster_project.decisioning.mitigations import PLACEHOLDERS
from dagster_project.decisioning.playbook import Playbook, issue_types, land_playbook, load_playbook
from dagster_project.errors import ConfigurationError
from dagster_project.home import DBT_PROJECT, PLAYBOOK, Home
from dagster_project.lake_tables import schema_of

BASE = PLAYBOOK.read_text(encoding="utf-8").split("\n# What may be done in production")[0]
"""The packaged playbook without targets and mitigations."""

WHOLE = """
approvals: {valid_hours: 4}
approvers:
  dana: {accounts: {github: dana-acme, local: dana}}
targets:
  unleash: {kind: unleash, base_url: "https://flags.example.com", token_env: TOKEN, product: shop, critical: true}
mitigations:
  flag-off:
    tier: 1
    when: {issue_types: [checkout_failure, payment_failure], suspect: flag}
    do: {target: unleash, item: "{suspect_flag}", set: {enabled: false, note: "{issue_id}"}}
"""


def playbook(tmp_path: Path, further: str = WHOLE) -> Path:
    path = tmp_path / "playbook.yml"
    path.write_text(BASE + further, encoding="utf-8")
    return path


def line_in(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "setting", "reason"),
    [
        ("[checkout_failure, payment_failure]", "[checkout_failre]", "when.issue_types.0", "is not an issue type"),
        ("target: unleash,", "target: unleach,", "do.target", "'unleach' is not a target; `targets` has unleash"),
        ("{issue_id}", "{issue}", "do.set", "names {issue}; placeholders are suspect_flag"),
        ('"{suspect_flag}"', '"{suspect_flag"', "do.item", "placeholders are suspect_flag"),
        ("{issue_id}", "{previous_version}", "do.set", "only where `when.suspect` is 'release'"),
        ("suspect: flag}", "suspect: none}", "do.item", "only where `when.suspect` is 'flag'"),
        ("suspect: flag}", "suspect: flags}", "when.suspect", "Input should be 'flag'"),
        ("tier: 1", "tier: 4", "tier", "Input should be 1, 2 or 3"),
        ("tier: 1", "tier: 3\n    mode: auto", "mode", "never auto"),
        ("tier: 1", "tier: 1\n    needs: {signals: 1}", "needs.signals", "greater than or equal to 2"),
        ("tier: 1", "tier: 1\n    verify: {metric: clicks}", "verify.metric", "Input should be 'complaints'"),
        ("tier: 1", "tier: 1\n    cooldown: 3", "cooldown", "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_mitigation_names_its_setting_and_its_line(
    tmp_path: Path, old: str, new: str, setting: str, reason: str
) -> None:
    assert old in WHOLE
    path = playbook(tmp_path, WHOLE.replace(old, new))
    with pytest.raises(ConfigurationError) as raised:
        load_playbook(path)
    assert f": mitigations.flag-off.{setting}: " in str(raised.value) and reason in str(raised.value)
    line = line_in(path, "do: {" if setting.startswith("do.") else new.rsplit("\n", maxsplit=1)[-1])
    assert f"playbook {path}, line {line}: " in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("github: dana-acme", "gitlab: dana-acme", "approvers.dana.accounts.gitlab"),
        ("local: dana}}", "local: dana}}\n  kim: {accounts: {local: Dana}}", "approvers.kim.accounts.local: 'Dana' is"),
        ("{kind: unleash,", "{sort: unleash,", "targets.unleash.kind: Field required"),
        ("valid_hours: 4", "valid_hours: 4, remind_minutes: 90", "approvals: Value error, remind_minutes must be"),
        ("  flag-off:", "  Flag off:", "mitigations.Flag off: String should match pattern"),
        ("mitigations:\n", "mitigations:\n  flag-off: {tier: 2}\n", "'flag-off' is there twice"),
    ],
)
def test_other_wrong_settings_are_named_too(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in WHOLE
    path = playbook(tmp_path, WHOLE.replace(old, new))
    with pytest.raises(ConfigurationError, match=re.escape(reason)) as raised:
        load_playbook(path)
    assert re.search(r", line \d+: ", str(raised.value))


def test_a_target_keeps_the_settings_of_its_kind(tmp_path: Path) -> None:
    loaded = load_playbook(playbook(tmp_path))
    assert loaded.targets["unleash"].entry == {
        "kind": "unleash",
        "base_url": "https://flags.example.com",
        "token_env": "TOKEN",
        "product": "shop",
        "critical": True,
    }


def test_mitigations_land_once_for_each_issue_type(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    land_playbook(home, load_playbook(playbook(tmp_path)))
    for table in ("playbook_targets", "playbook_mitigations"):
        assert dict(lake.scan(home, table).collect_schema()) == schema_of(table)
    rows = lake.scan(home, "playbook_mitigations").collect().to_dicts()
    assert [(row["mitigation"], row["issue_type"]) for row in rows] == [
        ("flag-off", "checkout_failure"),
        ("flag-off", "payment_failure"),
    ]
    assert rows[0]["desired"] == '{"enabled":false,"note":"{issue_id}"}'
    assert (rows[0]["mode"], rows[0]["least_signals"], rows[0]["least_confidence"]) == ("shadow", 2, 0.6)
    assert lake.scan(home, "playbook_targets").collect()["critical"].to_list() == [True]


def test_a_playbook_without_mitigations_lands_none(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    land_playbook(home, load_playbook(playbook(tmp_path, "")))
    assert lake.scan(home, "playbook_mitigations").collect().height == 0
    assert dict(lake.scan(home, "playbook_mitigations").collect_schema()) == schema_of("playbook_mitigations")


def packaged() -> Playbook:
    return load_playbook(PLAYBOOK)


def test_the_packaged_playbook_only_records_and_nobody_may_approve_by_default() -> None:
    assert {one.mode for one in packaged().mitigations.values()} == {"shadow"}
    assert {one.tier for one in packaged().mitigations.values()} == {1, 2, 3}
    assert packaged().approvers == {}


def test_sql_fills_in_every_placeholder() -> None:
    macro = (DBT_PROJECT / "macros" / "mitigations.sql").read_text(encoding="utf-8").split("{% macro filled")[0]
    assert set(re.findall(r"'(\w+)': '\w+'", macro)) == set(PLACEHOLDERS)


@pytest.mark.parametrize("issue_type", issue_types())
def test_every_issue_type_is_explained_by_what_the_playbook_has_for_it(tmp_path: Path, issue_type: str) -> None:
    explained = CliRunner().invoke(main, ["--home", str(tmp_path), "explain", issue_type], catch_exceptions=False)
    assert explained.exit_code == 0
    shown = re.findall(r"^(\S+)  \[tier", explained.stdout, re.MULTILINE)
    assert sorted(shown) == sorted(name for name, one in packaged().mitigations.items() if one.matches(issue_type))


def test_the_whole_playbook_is_explained_for_people_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "playbook.yml").write_text(BASE + WHOLE, encoding="utf-8")
    command = ["--home", str(tmp_path), "explain", "playbook"]
    text = CliRunner().invoke(main, command, catch_exceptions=False).stdout
    assert "when    type checkout_failure or payment_failure, the suspect is a flag" in text
    assert "needs   P2 or more urgent, 2 kinds of signal, not text alone, 60% sure of the suspect\n" in text
    content = json.loads(CliRunner().invoke(main, [*command, "--json"], catch_exceptions=False).stdout)
    assert content["mitigations"]["flag-off"]["do"]["set"] == {"enabled": False, "note": "{issue_id}"}
    land = CliRunner().invoke(main, ["--home", str(tmp_path), "explain", "app_crash"], catch_exceptions=False)
    assert land.stdout == "The playbook has no mitigation for issues of type app_crash.\n"
