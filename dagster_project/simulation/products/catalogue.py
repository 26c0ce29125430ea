"""Every scenario by its name: a kind of quiet world or of incident, acted out in several trades and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from dagster_project.simulation.products import incidents_outside, incidents_releases, quiet
from dagster_project.simulation.products.draft import Act, Draft
from dagster_project.simulation.products.scenario import Scenario, World


@cache
def catalogue() -> Mapping[str, Scenario]:
    """All scenarios, quiet ones first; names end in the number of the variant."""
    return {one.name: one for one in (*_quiet(), *_incidents())}


def _quiet() -> Iterator[Scenario]:
    for act, trades in quiet.VARIANTS.items():
        for number, trade in enumerate(trades, start=1):
            yield _scenario(act, number, trade, (), is_quiet=True)


def _incidents() -> Iterator[Scenario]:
    for act, variants in (*incidents_releases.VARIANTS.items(), *incidents_outside.VARIANTS.items()):
        for number, (trade, *arguments) in enumerate(variants, start=1):
            yield _scenario(act, number, trade, tuple(arguments), is_quiet=False)


def _scenario(act: Act, number: int, trade: str, arguments: tuple[Any, ...], *, is_quiet: bool) -> Scenario:
    name = f"{act.__name__}_{number:02d}"

    def build(seed: int, until: datetime) -> World:
        draft = Draft(name, seed, until, trade)
        act(draft, *arguments)
        return draft.world()

    return Scenario(name, is_quiet, build)
