"""Sequential tests: hand-computed scores, and what they see in worlds."""

from __future__ import annotations

import numpy as np
import pytest

from dagster_project.simulation.worlds.baselines import Detector, alarms
from dagster_project.simulation.worlds.catalogue import build_world
from dagster_project.simulation.worlds.scoring import trial
from dagster_project.simulation.worlds.sequential import SEQUENTIAL, cusum_of, error_alarm, glr, glr_of, ideal
from dagster_project.simulation.worlds.simulate import Simulation

COUNTS = np.array([[1.0, 0.0], [1.0, 0.0], [5.0, 0.0], [0.0, 1.0]])
EXPECTED = np.ones((4, 2))


def test_cusum_adds_up_what_speaks_for_a_doubling() -> None:
    up = 5 * np.log(2) - 1
    np.testing.assert_allclose(cusum_of(COUNTS, EXPECTED), [0.0, 0.0, up, up - 1])


def test_glr_takes_the_window_in_which_the_rise_is_clearest() -> None:
    # 5 against 1 in the last hour; then 5 against 2 in the last two: 7 against 4 in all four says less.
    np.testing.assert_allclose(glr_of(COUNTS, EXPECTED), [0.0, 0.0, 5 * np.log(5) - 4, 5 * np.log(2.5) - 3])


@pytest.mark.parametrize("test", SEQUENTIAL, ids=lambda one: one.name)
def test_all_see_a_strong_failure_after_its_onset(test: Detector) -> None:
    simulation = Simulation(build_world("bad_flag", 5))
    scores = test.score(simulation)
    assert scores is not None
    found = trial(simulation, alarms(simulation, scores, 8.0))
    assert found.delay_hours is not None
    assert 0 <= found.delay_hours < 48
    assert found.false_alarms == 0


def test_a_backfill_and_copies_do_not_count() -> None:
    for scenario in ("data_backfill", "duplicate_delivery"):
        simulation = Simulation(build_world(scenario, 5))
        assert glr(simulation).max() < 16


def test_nothing_to_see_without_telemetry_or_without_a_failure() -> None:
    assert not error_alarm(Simulation(build_world("telemetry_missing", 5))).any()
    assert ideal(Simulation(build_world("sale", 5))) is None
