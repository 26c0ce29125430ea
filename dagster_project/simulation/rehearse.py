"""A rehearsal: a scenario with a known truth, acted out in a home of its own and replayed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from dagster_project.home import Home
from dagster_project.replay import Step, steps
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.catalogue import one, scenarios
from dagster_project.simulation.worlds.simulate import Drawing
from dagster_project.simulation.worlds.timeline import DAYS_AFTER


def rehearse(
    scenario: str, *, seed: int, step: timedelta, progress: Callable[[str], None] = lambda _: None
) -> tuple[str, Iterator[Step]]:
    """Act a scenario out in a home of its own, labels given: its truth in words, and the steps from its onset on.

    Raises:
        ConfigurationError: there is no scenario of that name.
    """
    drawing = Drawing(one(scenario, seed))
    plot, onset = drawing.world.plot, drawing.onset_at().replace(minute=0, second=0)
    truth = [f"{scenario}: {scenarios()[scenario].__doc__}", f"begins {drawing.onset_at():%Y-%m-%d %H:%M}"]
    truth.append(f"to blame: {drawing.change_id(plot.culprit)}" if plot.culprit else "no change is to blame")
    truth.append(f"should open: {', '.join(plot.expected) or 'nothing'}")

    def act() -> Iterator[Step]:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            runner.set_up(home, [drawing])
            yield from steps(home, onset, onset + timedelta(days=DAYS_AFTER - 1), step, progress)

    return "; ".join(truth), act()
