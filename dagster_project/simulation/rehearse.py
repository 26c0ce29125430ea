"""Rehearsal: replay a scenario with a known truth in a temporary home."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from dagster_project.home import Home
from dagster_project.replay import ReplayStep, steps
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.catalogue import build_world, scenarios
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import DAYS_AFTER


def rehearse(
    scenario: str, *, seed: int, step: timedelta, progress: Callable[[str], None] = lambda _: None
) -> tuple[str, Iterator[ReplayStep]]:
    """Simulate a scenario in a temporary home and replay it; returns its truth as text, and the steps from the onset.

    Raises:
        ConfigurationError: there is no scenario of that name.
    """
    simulation = Simulation(build_world(scenario, seed))
    plot, onset = simulation.world.plot, simulation.onset_at().replace(minute=0, second=0)
    truth = [f"{scenario}: {scenarios()[scenario].__doc__}", f"begins {simulation.onset_at():%Y-%m-%d %H:%M}"]
    truth.append(f"to blame: {simulation.change_id(plot.culprit)}" if plot.culprit else "no change is to blame")
    truth.append(f"should open: {', '.join(plot.expected) or 'nothing'}")

    def replayed() -> Iterator[ReplayStep]:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder)).marked("replay")
            runner.set_up(home, [simulation])
            yield from steps(home, onset, onset + timedelta(days=DAYS_AFTER - 1), step, progress)

    return "; ".join(truth), replayed()
