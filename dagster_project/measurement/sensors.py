"""Sensor of retention: old run records of Dagster are deleted, which nothing in Dagster does by itself."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from dagster import (
    DagsterInstance,
    DefaultSensorStatus,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)
from dagster._core.storage.event_log import SqliteEventLogStorage

from dagster_project.dagster_metadata import guarded
from dagster_project.errors import ConfigurationError
from dagster_project.resources import FINISHED_STATUSES, now

KEEP_DAYS = 30
"""Days after which a finished run is deleted, unless ``$FEEDBACK_KEEP_RUNS_DAYS`` says otherwise."""

_AT_ONCE = 200
"""Most runs deleted by one evaluation, so that it ends well within Dagster's limit for a sensor."""


@sensor(
    minimum_interval_seconds=3600,
    default_status=DefaultSensorStatus.RUNNING,
    description=f"Retention: delete finished runs older than {KEEP_DAYS} days ($FEEDBACK_KEEP_RUNS_DAYS) with their"
    " events and logs. The last run of each job stays. Lake, warehouse, tickets and ledger are not touched.",
)
@guarded
def old_runs(context: SensorEvaluationContext) -> SkipReason:
    """Delete a batch of old runs, hourly."""
    days = _days()
    deleted = delete_old_runs(context.instance, now() - timedelta(days=days))
    return SkipReason(f"{deleted} runs older than {days} days were deleted")


def delete_old_runs(instance: DagsterInstance, before: datetime) -> int:
    """Number of finished runs, created before an instant, that were deleted; the oldest first, 200 at most."""
    finished = RunsFilter(statuses=[*FINISHED_STATUSES], created_before=before)
    records = instance.get_run_records(finished, limit=_AT_ONCE, ascending=True)
    jobs = {record.dagster_run.job_name for record in records}
    last = {run.run_id for job in jobs for run in instance.get_runs(RunsFilter(job_name=job), limit=1)}
    old = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in last]
    for run_id in old:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        _delete_events_file(instance, run_id)
    return len(old)


def _delete_events_file(instance: DagsterInstance, run_id: str) -> None:
    """Delete the SQLite file of a run's events, which Dagster empties but leaves at its size."""
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        file = storage.path_for_shard(run_id)
        for path in (file, f"{file}-wal", f"{file}-shm"):
            Path(path).unlink(missing_ok=True)


def _days() -> int:
    said = os.environ.get("FEEDBACK_KEEP_RUNS_DAYS", str(KEEP_DAYS))
    if not said.isdecimal() or int(said) < 1:
        raise ConfigurationError(f"FEEDBACK_KEEP_RUNS_DAYS is {said!r}; make it a number of days, 1 or more")
    return int(said)
