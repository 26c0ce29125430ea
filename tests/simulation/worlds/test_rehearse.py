"""Rehearsal of a scenario from the command line: its truth, then the decisions step by step."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dagster_project.cli.main import main
from dagster_project.simulation.worlds.catalogue import scenarios


@pytest.mark.long
def test_a_bad_release_is_announced_and_then_found() -> None:
    done = CliRunner().invoke(
        main, ["replay", "--scenario", "bad_release_on_one_platform", "--seed", "3", "--every-hours", "60"]
    )
    assert done.exit_code == 0, done.output
    truth, *events = done.stdout.splitlines()
    blamed = truth.partition("to blame: ")[2].partition(";")[0]
    version = blamed.partition(":")[2]
    assert any(f"regression (suspect {version})" in event for event in events)


def test_scenarios_can_be_listed_and_an_unknown_one_says_which_there_are() -> None:
    listed = CliRunner().invoke(main, ["replay", "--scenario", "list"]).stdout
    assert all(f"{name}: " in listed for name in scenarios())
    unknown = CliRunner().invoke(main, ["replay", "--scenario", "end_of_the_world"])
    assert unknown.exit_code == 2
    assert "bad_flag" in unknown.output


@pytest.mark.parametrize("arguments", [[], ["--from", "2026-01-01"]])
def test_without_a_scenario_both_ends_are_needed(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, ["replay", *arguments]).exit_code == 2
