"""Sensor of the loop: a file of a source has appeared or changed."""

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SkipReason, sensor

from dagster_project.ingestion.provenance import sources_of
from dagster_project.ingestion.sources import fingerprint
from dagster_project.resources import HomeResource, now


@sensor(
    job_name="loop",
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.STOPPED,
    description="One turn of the loop when a file of a configured source has appeared, grown or changed.",
)
def new_files(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Compare the files' names, sizes and times with those last seen."""
    seen = fingerprint(sources_of(home.home(), home.sources_path()))
    if seen == context.cursor:
        return SkipReason("no file of any source has changed")
    context.update_cursor(seen)
    return RunRequest(partition_key=f"{now():%Y-%m-%d}", tags={"started_by": "new files"})
