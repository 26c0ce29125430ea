"""Worlds from scenarios: so many of each list, with sizes, seeds and names of their own."""

from __future__ import annotations

import numpy as np

from dagster_project.measurement.scenarios.must_fire import MUST_FIRE
from dagster_project.measurement.scenarios.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.measurement.scenarios.worlds import Dice, World

_TYPICAL_PER_DAY, _SPREAD = 40.0, 0.6
_LEAST, _MOST = 12.0, 160.0


def cast(must_fire: int, must_not: int, seed: int, scale: float = 1.0) -> list[World]:
    """So many worlds of both lists, all scenarios in turn; the same seed gives the same worlds, at any scale.

    Args:
        must_fire: how many worlds in which an issue must open.
        must_not: how many in which nothing may be rolled back.
        seed: of everything that is left to chance.
        scale: how many times the usual traffic and feedback.
    """
    worlds = []
    for number in range(must_fire + must_not):
        fires = number < must_fire
        scenarios = MUST_FIRE if fires else MUST_NOT_ROLL_BACK
        scenario = scenarios[(number if fires else number - must_fire) % len(scenarios)]
        rng = np.random.default_rng([seed, number])
        plot = scenario(Dice(rng))
        usual = float(np.clip(_TYPICAL_PER_DAY * rng.lognormal(0.0, _SPREAD), _LEAST, _MOST))
        worlds.append(
            World(
                product=f"{scenario.__name__}-{number:04d}",
                scenario=scenario.__name__,
                must_fire=fires,
                seed=int(rng.integers(2**31)),
                per_day=scale * (plot.per_day or usual),
                plot=plot,
            )
        )
    return worlds
