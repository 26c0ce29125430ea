"""Sensor of the loop: a file of a source has appeared or changed."""

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SkipReason, sensor

from dagster_project.dagster_metadata import guarded
from dagster_project.ingestion.sources import fingerprint, load_sources
from dagster_project.resources import HomeResource, now


@sensor(
    job_name="loop",
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.STOPPED,
    description="One turn of the loop when a file of a configured source has appeared, grown or changed.",
)
@guarded
def new_files(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Compare the files' names, sizes and times with those last seen."""
    seen = fingerprint(load_sources(home.sources_path()))
    if seen == context.cursor:
        return SkipReason("no file of any source has changed")
    context.update_cursor(seen)
    return RunRequest(partition_key=f"{now():%Y-%m-%d}", tags={"started_by": "new files"})
