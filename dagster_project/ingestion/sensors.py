"""Sensor of the loop: a file of a source has appeared or changed, or the last turn failed."""

import json
from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from dagster_project.dagster_metadata import guarded
from dagster_project.ingestion.landing import seen_by_landing
from dagster_project.ingestion.provenance import sources_of
from dagster_project.ingestion.sources import fingerprint
from dagster_project.resources import HomeResource, now, unfinished

RETRY_AFTER = timedelta(minutes=15)
"""Pause after a turn that failed: what made it fail rarely goes away within a minute."""


@sensor(
    job_name="loop",
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.STOPPED,
    description="One turn of the loop when a file of a configured source has appeared, grown or changed since landing"
    " last saw it, or a quarter of an hour after a turn that failed. Never two turns at a time.",
)
@guarded
def new_files(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Compare the files' names, sizes and times with those that landing has noted.

    The sensor remembers no request: a run that was lost or failed has noted nothing, so its files stay new.
    """
    if running := unfinished(context.instance, "loop"):
        return SkipReason(f"run {running} of this job is not finished")
    present = {source.name: fingerprint([source]) for source in sources_of(home.home(), home.sources_path(), [])}
    noted = seen_by_landing(home.home())
    changed = sorted(name for name, files in present.items() if noted.get(name) != files)
    failed_at = _failed_at(context.instance)
    if not changed and failed_at is None:
        return SkipReason("no file of any source has changed")
    if failed_at is not None and now() - failed_at < RETRY_AFTER and context.cursor == json.dumps(present):
        return SkipReason(f"the last turn failed at {failed_at:%H:%M} UTC over these same files; next try 15 min later")
    context.update_cursor(json.dumps(present))
    return RunRequest(
        partition_key=f"{now():%Y-%m-%d}",
        tags={"started_by": f"new files: {', '.join(changed)}"[:200] if changed else "the last turn failed"},
    )


def _failed_at(instance: DagsterInstance) -> datetime | None:
    """End of the last turn if it failed; None if it succeeded, or there was none."""
    last = next(iter(instance.get_run_records(RunsFilter(job_name="loop"), limit=1)), None)
    if last is None or last.dagster_run.status == DagsterRunStatus.SUCCESS:
        return None
    return datetime.fromtimestamp(last.end_time, UTC) if last.end_time else last.create_timestamp
