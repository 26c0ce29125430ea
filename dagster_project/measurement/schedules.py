"""Schedules: the loop each quarter of an hour, the drift report each Monday."""

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, schedule

from dagster_project.dagster_metadata import guarded


@schedule(
    job_name="loop",
    cron_schedule="*/15 * * * *",
    default_status=DefaultScheduleStatus.STOPPED,
    description="One turn of the loop each quarter of an hour, also without a new file: time alone resolves issues.",
)
@guarded
def every_quarter_hour(context: ScheduleEvaluationContext) -> RunRequest:
    """Request the partition of the day."""
    return RunRequest(partition_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags={"started_by": "schedule"})


@schedule(
    job_name="drift",
    cron_schedule="0 6 * * 1",
    default_status=DefaultScheduleStatus.STOPPED,
    description="Drift report of the week that ended, and the feedback to label next, for ML owners.",
)
@guarded
def every_monday(context: ScheduleEvaluationContext) -> RunRequest:
    """Pin both assets to the scheduled instant."""
    as_of = context.scheduled_execution_time.isoformat()
    ops = {name: {"config": {"as_of": as_of}} for name in ("drift_report", "label_queue")}
    return RunRequest(run_key=as_of, run_config={"ops": ops}, tags={"started_by": "schedule"})
