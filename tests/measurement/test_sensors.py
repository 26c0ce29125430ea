"""Retention of Dagster's run records: what is old goes with all its files, and the last run of each job stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, SkipReason, build_sensor_context, job, op

from dagster_project.errors import ConfigurationError
from dagster_project.measurement import sensors
from dagster_project.measurement.sensors import delete_old_runs, old_runs


@op
def work() -> None:
    print("done")


@job
def loop() -> None:
    work()


@job
def drift() -> None:
    work()


def runs(instance: DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def said(instance: DagsterInstance) -> str:
    result = old_runs(build_sensor_context(instance=instance))
    assert isinstance(result, SkipReason)
    return str(result.skip_message)


def test_finished_runs_that_are_old_go_with_their_events_and_logs(tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        ids = [one.execute_in_process(instance=instance).run_id for one in (drift, loop, loop, loop)]
        waiting = instance.create_run_for_job(loop, status=DagsterRunStatus.STARTED).run_id
        assert delete_old_runs(instance, datetime.now(UTC) - timedelta(hours=1)) == 0
        assert runs(instance) == {*ids, waiting}
        # The last run of a job stays, also a waiting one, and nothing that is not finished goes.
        assert delete_old_runs(instance, datetime.now(UTC) + timedelta(hours=1)) == 3
        assert runs(instance) == {ids[0], waiting}
        assert instance.all_logs(ids[0])
        left = {path.name for path in tmp_path.rglob("*") if any(gone in path.as_posix() for gone in ids[1:])}
        assert left == set()


def test_the_sensor_keeps_as_many_days_as_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        for _ in range(2):
            loop.execute_in_process(instance=instance)
        assert said(instance) == "0 runs older than 30 days were deleted"
        monkeypatch.setattr(sensors, "now", lambda: datetime.now(UTC) + timedelta(days=8))
        monkeypatch.setenv("FEEDBACK_KEEP_RUNS_DAYS", "7")
        assert said(instance) == "1 runs older than 7 days were deleted"
        monkeypatch.setenv("FEEDBACK_KEEP_RUNS_DAYS", "never")
        with pytest.raises(ConfigurationError, match="make it a number of days"):
            said(instance)
