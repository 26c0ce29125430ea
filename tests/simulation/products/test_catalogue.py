from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from dagster_project.simulation.products import Scenario, catalogue
from dagster_project.simulation.products.scenario import HISTORY, Failure, World
from dagster_project.simulation.products.texts import TYPE_OF_TOPIC
from models_ml.taxonomy import ISSUE_TYPES

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
QUIET = [one for one in catalogue().values() if one.quiet]
INCIDENTS = [one for one in catalogue().values() if not one.quiet]


def built(scenario: Scenario, seed: int = 1) -> tuple[World, Failure]:
    world = scenario.build(seed, UNTIL)
    assert world.failure
    return world, world.failure


def test_there_are_many_of_both() -> None:
    kinds = Counter(name.rsplit("_", 1)[0] for name in catalogue())
    assert len(QUIET) >= 30
    assert len(INCIDENTS) >= 60
    assert kinds["third_party_outage"] == 12


@pytest.mark.parametrize("scenario", QUIET, ids=lambda one: one.name)
def test_nothing_fails_in_a_quiet_world(scenario: Scenario) -> None:
    assert scenario.build(1, UNTIL).failure is None


@pytest.mark.parametrize("scenario", INCIDENTS, ids=lambda one: one.name)
def test_an_incident_is_consistent(scenario: Scenario) -> None:
    world, failure = built(scenario)
    assert TYPE_OF_TOPIC[failure.topic] in ISSUE_TYPES
    assert 0.05 <= failure.share <= 0.8
    assert UNTIL - timedelta(days=20) < failure.onset < UNTIL - timedelta(days=11)
    assert failure.service in ("", *(one.name for one in world.product.services))
    assert failure.step in ("", *world.product.steps)
    assert failure.country in ("", *world.product.countries)


@pytest.mark.parametrize("scenario", INCIDENTS, ids=lambda one: one.name)
def test_a_cause_is_a_change_that_came_before(scenario: Scenario) -> None:
    world, failure = built(scenario)
    causes = [one for one in world.changes if one.change_id == failure.cause_id]
    if failure.cause_kind in ("release", "flag"):
        (cause,) = causes
        assert timedelta(0) <= failure.onset - cause.at <= timedelta(hours=1)
        assert (cause.kind == "flag") == (failure.cause_kind == "flag")
        assert failure.version in ("", cause.version)
    else:
        assert not causes


@pytest.mark.parametrize("scenario", catalogue().values(), ids=lambda one: one.name)
def test_changes_have_names_of_their_own(scenario: Scenario) -> None:
    world = scenario.build(2, UNTIL)
    assert max(Counter(one.change_id for one in world.changes).values()) == 1
    assert world.until - world.start == HISTORY


def test_an_innocent_release_precedes_the_outage_of_a_third_party() -> None:
    for scenario in INCIDENTS:
        world, failure = built(scenario)
        if failure.cause_kind == "third_party":
            assert any(timedelta(0) < failure.onset - one.at <= timedelta(hours=2) for one in world.changes)


def test_sizes_and_causes_vary() -> None:
    failures = [built(one)[1] for one in INCIDENTS]
    assert {one.cause_kind for one in failures} == {"release", "flag", "third_party", "carrier", "campaign", "none"}
    assert min(one.share for one in failures) <= 0.06
    assert max(one.share for one in failures) >= 0.8
    assert len({one.topic for one in failures}) >= 15
