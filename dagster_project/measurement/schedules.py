"""The loop, unattended."""

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, schedule


@schedule(job_name="loop", cron_schedule="*/15 * * * *", default_status=DefaultScheduleStatus.STOPPED)
def every_quarter_hour(context: ScheduleEvaluationContext) -> RunRequest:
    """One turn of the loop a quarter of an hour, whether or not a file changed: time alone resolves issues."""
    return RunRequest(partition_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags={"started by": "schedule"})
