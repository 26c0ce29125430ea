"""The page about the decisions: rivals are compared at our rate of false alarms."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace

import pytest

from benchmarks.decisions import main
from benchmarks.decisions_page import (
    OURS,
    Asked,
    Results,
    all_worlds,
    at_the_same_rate,
    false_rate,
    report,
    threshold_for,
)
from benchmarks.product_scores import Result
from dagster_project.simulation.worlds.scoring import MONTHS_PER_WORLD, Trial, WorldOutcome

FOUND = WorldOutcome("bad_flag", True, 5.0, 3, True, False, 0, 0, 0)
LATE = replace(FOUND, scenario="telemetry_late", delay_hours=30.0, complaints_before=9)
QUIET = WorldOutcome("sale", False, None, None, None, False, 0, 0, 1)


def trials(false: int, hours: float) -> list[Trial]:
    return [Trial(True, hours, 4, 0), Trial(True, hours, 6, 0), Trial(False, None, None, false)]


def results() -> Results:
    found = Results(candidates=[(0.9, True), (0.1, False)])
    found.outcomes[OURS] = [FOUND, LATE, QUIET]
    # A detector that never falls silent has few alarms: the lowest threshold is not the one to take.
    found.trials["rival"] = {1.0: trials(0, 0.0), 2.0: trials(7, 10.0), 3.0: trials(1, 20.0), 4.0: trials(0, 40.0)}
    return found


def test_false_alarms_are_counted_by_product_month() -> None:
    assert false_rate(trials(3, 1.0)) == 1 / MONTHS_PER_WORLD
    assert false_rate([]) == 0.0


def test_the_threshold_is_the_lowest_from_which_on_false_alarms_are_rare_enough() -> None:
    tried = results().trials["rival"]
    assert threshold_for(tried, 0.4) == 3.0
    assert threshold_for(tried, 0.0) == 4.0
    assert threshold_for({2.0: trials(7, 1.0)}, 0.0) == 2.0


def test_a_rival_is_shown_at_our_rate_on_worlds_that_tempt_as_well() -> None:
    tempting = Results()
    tempting.outcomes[OURS], tempting.trials["rival"] = [QUIET], {3.0: trials(6, 1.0)}
    ours, rival = list(at_the_same_rate(results(), tempting))[2:]
    assert ours == f"| {OURS} | – | 0.345 | 2 of 2 (100%) | 18 / 28 | 6 / 8 | 1.034 |"
    assert rival == "| rival | 3 | 0.345 | 2 of 2 (100%) | 20 / 20 | 5 / 6 | 2.069 |"


def test_late_telemetry_is_left_out_where_telemetry_must_be_in_time() -> None:
    _, _, every, in_time = all_worlds(results())
    assert "| 18 / 28 |" in every
    assert "| 5 / 5 |" in in_time


PRODUCT = Result("plain_01", 1, "shop", True, "", "", 1.0)


def page_of(asked: Asked) -> str:
    return report(results(), Results(), [PRODUCT], {}, asked)


@pytest.mark.parametrize("asked", [Asked(), Asked(2, 1, 0, 12, batches=0, every_hours=96, conditions=False)])
def test_the_command_on_the_page_asks_for_that_very_page(asked: Asked) -> None:
    (line,) = (line for line in page_of(asked).splitlines() if line.startswith("Written by"))
    words = shlex.split(line.split("`")[1])
    assert words[:3] == ["python", "-m", "benchmarks.decisions"]
    parsed = main.make_context("decisions", words[3:]).params
    assert {name: parsed[name] for name in asdict(asked)} == asdict(asked)


def test_a_command_without_options_asks_for_the_defaults() -> None:
    parsed = main.make_context("decisions", []).params
    assert {name: parsed[name] for name in asdict(Asked())} == asdict(Asked())


@pytest.mark.parametrize(("batches", "said"), [(2, "2 of the 4"), (4, "All 4")])
def test_the_page_says_how_much_of_the_second_set_was_run(batches: int, said: str) -> None:
    page = " ".join(page_of(Asked(batches=batches, every_hours=96)).split())
    assert f"{said} batches of each half were run" in page
    assert "a decision every 96 hours" in page


def test_the_page_shows_both_sets() -> None:
    page = report(results(), Results(), [PRODUCT], {"More": ["a table"]}, Asked(2, 1, 0, 11))
    assert "## Fictional products, end to end" in page
    assert "| development | 1 |" in page
    assert page.endswith("## More\n\na table\n")
    assert "Worlds that tempt" not in page.replace("worlds that tempt", "")
