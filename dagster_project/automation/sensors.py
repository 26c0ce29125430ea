"""Sensor that starts a push when the queue has changed, and only then."""

import hashlib

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SkipReason, sensor

from dagster_project.resources import HomeResource


@sensor(job_name="push", minimum_interval_seconds=30, default_status=DefaultSensorStatus.STOPPED)
def queue_changed(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Send tickets when the published outbound rows differ from those last sent."""
    rows = home.home().outbound / "out_tickets.jsonl"
    if not rows.exists():
        return SkipReason("nothing has been decided yet")
    seen = hashlib.sha256(rows.read_bytes()).hexdigest()
    if seen == context.cursor:
        return SkipReason("the queue is as it was last sent")
    context.update_cursor(seen)
    return RunRequest(tags={"started_by": "queue changed"})
