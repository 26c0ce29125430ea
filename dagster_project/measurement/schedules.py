"""The loop and the look at drift, unattended."""

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, schedule


@schedule(job_name="loop", cron_schedule="*/15 * * * *", default_status=DefaultScheduleStatus.STOPPED)
def every_quarter_hour(context: ScheduleEvaluationContext) -> RunRequest:
    """One turn of the loop a quarter of an hour, whether or not a file changed: time alone resolves issues."""
    return RunRequest(partition_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags={"started_by": "schedule"})


@schedule(job_name="drift", cron_schedule="0 6 * * 1", default_status=DefaultScheduleStatus.STOPPED)
def every_monday(context: ScheduleEvaluationContext) -> RunRequest:
    """Drift of the week that ended, for ML owners, and what they had best label next."""
    as_of = context.scheduled_execution_time.isoformat()
    ops = {name: {"config": {"as_of": as_of}} for name in ("drift_report", "label_queue")}
    return RunRequest(run_key=as_of, run_config={"ops": ops}, tags={"started_by": "schedule"})
