"""Destinations as assets: each has its own status, and one that fails stops no other."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest
from dagster import AssetKey, DagsterInstance, RetryPolicy, materialize

from dagster_project import resources
from dagster_project.automation import assets
from dagster_project.home import Home
from dagster_project.resources import HomeResource
from tests.automation.support import CHECKOUT, publish


@pytest.fixture
def two(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The automation assets of a home with two destinations, one of which has no secret."""
    (home.root / "destinations.yml").write_text(
        "version: 1\ndestinations:\n- {kind: github, repository: a/b, token_env: UNSET_TOKEN}\n- {kind: local}\n"
    )
    with monkeypatch.context() as patch:
        patch.setenv("FEEDBACK_HOME", str(home.root))
        patch.delenv("UNSET_TOKEN", raising=False)
        patch.setattr(resources, "RETRY", RetryPolicy(max_retries=1))
        yield importlib.reload(assets)
    importlib.reload(assets)


def test_a_destination_that_fails_is_red_and_the_other_is_made(two: ModuleType, home: Home) -> None:
    publish(home, [CHECKOUT])
    assert two.DESTINATIONS == {"github": "github", "local": "local"}
    with DagsterInstance.ephemeral() as instance:
        result = materialize(
            [two.tickets],
            resources={"home": HomeResource(root=str(home.root))},
            instance=instance,
            raise_on_error=False,
        )
        assert instance.fetch_observations(AssetKey(["trackers", "local"]), 1).records
        assert not instance.fetch_observations(AssetKey(["trackers", "github"]), 1).records
    assert not result.success
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert made == {"tickets/local", "lake/sync_runs", "lake/sync_attempts", "lake/sync_snapshot", "lake/ticket_events"}
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "UNSET_TOKEN is not set" in str(failure.step_failure_data.error)
    assert len(result.get_asset_check_evaluations()) == 2 * 6  # tried again once


def test_an_event_sink_is_written_to_and_never_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.root / "destinations.yml").write_text("version: 1\ndestinations:\n- {kind: events}\n")
    monkeypatch.setenv("FEEDBACK_HOME", str(home.root))
    publish(home, [CHECKOUT])
    try:
        of_sink = importlib.reload(assets)
        (pulled,) = {frozenset(spec.deps) for spec in of_sink.ticket_changes.specs}
        result = materialize([of_sink.tickets], resources={"home": HomeResource(root=str(home.root))})
    finally:
        monkeypatch.undo()
        importlib.reload(assets)
    assert (list(pulled), result.success) == ([], True)
    made = {one.asset_key.to_user_string() for one in result.get_asset_materialization_events() if one.asset_key}
    assert made == {"tickets/events", "lake/sync_runs", "lake/sync_attempts", "lake/sync_snapshot"}


def test_one_destination_can_be_pushed_alone(two: ModuleType, home: Home) -> None:
    publish(home, [CHECKOUT])
    result = materialize(
        [two.tickets],
        selection=[AssetKey(["tickets", "local"])],
        resources={"home": HomeResource(root=str(home.root))},
    )
    assert result.success
    assert {one.asset_key.path[-1] for one in result.get_asset_check_evaluations()} == {"local"}
