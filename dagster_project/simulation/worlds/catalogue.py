"""Catalogue of scenarios, and worlds built from them with random sizes and seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dagster_project.errors import ConfigurationError
from dagster_project.simulation.worlds.must_fire import MUST_FIRE
from dagster_project.simulation.worlds.must_not_roll_back import MUST_NOT_ROLL_BACK
from dagster_project.simulation.worlds.scenario import Dice, Plot, World
from dagster_project.simulation.worlds.tempting import TEMPTING

Scenario = Callable[[Dice], Plot]

_TYPICAL_PER_DAY, _SPREAD = 40.0, 0.6
_LEAST, _MOST = 12.0, 160.0


def build_worlds(must_fire: int, must_not: int, seed: int, scale: float = 1.0, tempting: int = 0) -> list[World]:
    """Build worlds of the lists, cycling through the scenarios; deterministic for a seed, at any scale.

    Args:
        must_fire: number of worlds in which an issue must open.
        must_not: number of worlds in which nothing may be rolled back.
        seed: of all random choices.
        scale: factor on traffic and feedback.
        tempting: number of worlds that tempt whoever weighs telemetry; they come last and change no other world.
    """
    fires = [MUST_FIRE[number % len(MUST_FIRE)] for number in range(must_fire)]
    quiet = [MUST_NOT_ROLL_BACK[number % len(MUST_NOT_ROLL_BACK)] for number in range(must_not)]
    others = [TEMPTING[number % len(TEMPTING)] for number in range(tempting)]
    return [_world(scenario, number, seed, scale) for number, scenario in enumerate([*fires, *quiet, *others])]


def build_world(scenario: str, seed: int) -> World:
    """Build one world of a named scenario.

    Raises:
        ConfigurationError: there is no scenario of that name.
    """
    if scenario not in scenarios():
        raise ConfigurationError(f"no scenario '{scenario}'; there are {', '.join(scenarios())}")
    return _world(scenarios()[scenario], 0, seed, 1.0)


def scenarios() -> dict[str, Scenario]:
    """All scenarios by name."""
    return {scenario.__name__: scenario for scenario in (*MUST_FIRE, *MUST_NOT_ROLL_BACK, *TEMPTING)}


def _world(scenario: Scenario, number: int, seed: int, scale: float) -> World:
    rng = np.random.default_rng([seed, number])
    plot = scenario(Dice(rng))
    usual = float(np.clip(_TYPICAL_PER_DAY * rng.lognormal(0.0, _SPREAD), _LEAST, _MOST))
    return World(
        product=f"{scenario.__name__}-{number:04d}",
        scenario=scenario.__name__,
        must_fire=bool(plot.expected),
        seed=int(rng.integers(2**31)),
        per_day=scale * (plot.per_day or usual),
        plot=plot,
    )
