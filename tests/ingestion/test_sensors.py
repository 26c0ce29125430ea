"""The sensor of new files: one run at a time, and a file counts as seen only once landing has noted it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from dagster import (
    MAX_RUNTIME_SECONDS_TAG,
    DagsterInstance,
    DagsterRunStatus,
    RunRequest,
    SkipReason,
    build_sensor_context,
)
from dagster._core.test_utils import create_run_for_test

from dagster_project.home import REPOSITORY, Home
from dagster_project.ingestion import sensors
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sensors import new_files
from dagster_project.ingestion.sources import load_sources
from dagster_project.resources import HomeResource, now
from tests.ingestion.exports import HEADER, NOW, row


@pytest.fixture
def instance() -> DagsterInstance:
    return DagsterInstance.ephemeral()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    (tmp_path / "sources.yml").write_text("sources: [{name: shop, table: feedback, path: a.csv}]")
    return Home(tmp_path)


def look(
    home: Home, instance: DagsterInstance, cursor: str | None = None
) -> tuple[RunRequest | SkipReason, str | None]:
    context = build_sensor_context(
        instance=instance, cursor=cursor, resources={"home": HomeResource(root=str(home.root))}
    )
    asked = new_files(context)
    assert isinstance(asked, RunRequest | SkipReason)
    return asked, context.cursor


def landed(home: Home) -> None:
    land(home, load_sources(home.root / "sources.yml"), now=NOW)


def ended(instance: DagsterInstance, status: DagsterRunStatus) -> None:
    create_run_for_test(instance, job_name="loop", status=status)


def test_a_new_file_asks_for_a_run_until_one_has_landed_it(home: Home, instance: DagsterInstance) -> None:
    asked, cursor = look(home, instance)
    assert isinstance(asked, RunRequest)
    assert asked.tags["started_by"] == "new files: shop"
    again, _ = look(home, instance, cursor)  # the run that was asked for was lost
    assert isinstance(again, RunRequest)
    landed(home)
    assert isinstance(look(home, instance, cursor)[0], SkipReason)
    assert isinstance(look(home, instance)[0], SkipReason), "the very first look at files that have landed"
    (home.root / "a.csv").write_text(HEADER + row(1) + row(2))
    assert isinstance(look(home, instance, cursor)[0], RunRequest)


@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])
def test_no_second_run_is_asked_for_while_one_is_not_finished(
    home: Home, instance: DagsterInstance, status: DagsterRunStatus
) -> None:
    ended(instance, status)
    asked, cursor = look(home, instance)
    assert isinstance(asked, SkipReason)
    assert "is not finished" in str(asked.skip_message)
    assert cursor is None


def test_a_run_of_another_job_does_not_count(home: Home, instance: DagsterInstance) -> None:
    create_run_for_test(instance, job_name="push", status=DagsterRunStatus.STARTED)
    assert isinstance(look(home, instance)[0], RunRequest)


def test_a_turn_that_failed_is_tried_again_after_a_pause_although_its_files_landed(
    home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cursor = look(home, instance)
    landed(home)
    ended(instance, DagsterRunStatus.FAILURE)
    asked, cursor = look(home, instance, cursor)
    assert isinstance(asked, SkipReason)
    assert "the last turn failed" in str(asked.skip_message)
    monkeypatch.setattr(sensors, "now", lambda: now() + timedelta(minutes=16))
    assert isinstance(look(home, instance, cursor)[0], RunRequest)
    ended(instance, DagsterRunStatus.SUCCESS)
    assert isinstance(look(home, instance, cursor)[0], SkipReason)


def test_a_source_that_cannot_be_read_does_not_ask_for_runs_for_ever(home: Home, instance: DagsterInstance) -> None:
    (home.root / "a.csv").unlink()
    (home.root / "a.csv").mkdir()
    landed(home)
    assert isinstance(look(home, instance)[0], SkipReason)


def test_a_damaged_note_of_landing_makes_everything_new(home: Home, instance: DagsterInstance) -> None:
    landed(home)
    (home.lake / "_landed" / "files.seen").write_text("{")
    assert isinstance(look(home, instance)[0], RunRequest)


def test_a_stuck_run_of_one_job_leaves_places_for_the_others(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    with DagsterInstance.from_config(str(tmp_path)) as configured:
        queue = configured.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.tag_concurrency_limits == [
            {"key": "feedback_control/job", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]
        assert queue.max_concurrent_runs > 3
        monitoring = configured.run_monitoring_settings
    assert monitoring["enabled"]
    assert monitoring["free_slots_after_run_end_seconds"] == 60


def test_each_job_has_its_own_place_and_its_own_longest_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FEEDBACK_HOME", str(tmp_path / "home"))
    from dagster_project.definitions import defs

    jobs = {name: defs.resolve_job_def(name) for name in ("loop", "push", "drift")}
    assert {name: job.tags["feedback_control/job"] for name, job in jobs.items()} == {name: name for name in jobs}
    assert int(jobs["push"].tags[MAX_RUNTIME_SECONDS_TAG]) < int(jobs["loop"].tags[MAX_RUNTIME_SECONDS_TAG]) <= 3600
    pools = {name: {pool for node in job.nodes for pool in node.definition.pools} for name, job in jobs.items()}
    assert not pools["loop"] & pools["push"], "a step of a stuck turn would hold the pool of the pushes"
