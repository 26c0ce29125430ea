"""Game days: staging targets only, hops with deadlines, reports, and what was not rehearsed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.decisioning.playbook import load_playbook
from dagster_project.errors import ConfigurationError
from dagster_project.home import PLAYBOOK, Home
from dagster_project.rehearsed import not_rehearsed, rehearsals
from dagster_project.simulation.game_day import APPROVERS, GameDay, MissedError, expect, staging_playbook
from dagster_project.simulation.game_day_report import write_report

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def home_with(tmp_path: Path, **changes: Any) -> Home:
    """A home whose playbook has these settings instead of the packaged ones."""
    home = Home(tmp_path / "home")
    home.root.mkdir()
    content = {**yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8")), **changes}
    (home.root / "playbook.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return home


def test_the_rehearsed_playbook_asks_people_and_uses_staging_targets(tmp_path: Path) -> None:
    twin = {"kind": "local", "environment": "staging", "file": "trial.json"}
    home = home_with(tmp_path, targets={"control": {"kind": "local"}, "control-staging": twin})
    played = tmp_path / "played.yml"
    played.write_text(staging_playbook(home), encoding="utf-8")
    playbook = load_playbook(played)
    assert {one.do.target for one in playbook.mitigations.values()} == {"control-staging"}
    assert {one.mode for one in playbook.mitigations.values()} == {"approve"}
    assert tuple(playbook.approvers) == APPROVERS


def test_a_production_target_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    unleash = {"kind": "unleash", "base_url": "https://unleash.example.com", "token_env": "UNLEASH_TOKEN"}
    home = home_with(tmp_path, targets={"control": unleash})
    day = GameDay(Home(tmp_path / "day"), home, NOW, lambda _: None)
    with pytest.raises(ConfigurationError, match="control-staging"):
        day.set_up()
    assert not day.home.root.exists()


def test_a_missed_hop_and_a_late_one_fail_the_day_and_are_in_the_report(tmp_path: Path) -> None:
    day = GameDay(Home(tmp_path / "day"), home_with(tmp_path), NOW, lambda _: None)
    with day.hop("early", "something", 60) as seen:
        seen("it was there", "somewhere")
    with day.hop("late", "something", -1) as seen:
        seen("too late", "somewhere")
    assert [hop.passed for hop in day.hops] == [True, False]
    assert not day.passed
    with pytest.raises(MissedError, match="hop missed: it was not there"), day.hop("missed", "something", 60):
        expect(False, "it was not there")
    page = write_report(tmp_path / "reports", day, "bad-release", "target-down", NOW)
    text = page.read_text(encoding="utf-8")
    assert "| missed | no | something | it was not there |" in text
    assert "| early | yes |" in text
    assert "Failed." in text
    (entry,) = rehearsals(tmp_path / "reports")
    assert [hop["passed"] for hop in entry["hops"]] == [True, False, False]


def test_what_passed_within_a_quarter_counts_as_rehearsed(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    lines = [
        '{"began_at": "2026-05-01T00:00:00+00:00", "passed": true, "mitigation": "flag-off"}',
        '{"began_at": "2026-05-01T00:00:00+00:00", "passed": false, "mitigation": "rollout-halt"}',
        '{"began_at": "2026-01-01T00:00:00+00:00", "passed": true, "mitigation": "release-rollback"}',
        "damaged",
    ]
    (folder / "history.jsonl").write_text("\n".join(lines), encoding="utf-8")
    every = ("flag-off", "rollout-halt", "release-rollback")
    assert not_rehearsed(folder, every, NOW) == ["release-rollback", "rollout-halt"]
    assert not_rehearsed(tmp_path / "nowhere", every, NOW + timedelta(days=1)) == sorted(every)
