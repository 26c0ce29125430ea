"""Shared by the assets: the home they work in, dbt, and the owners, retry and freshness policies of the stages."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from dagster import (
    Backoff,
    ConfigurableResource,
    DagsterInstance,
    DagsterRunStatus,
    FreshnessPolicy,
    InitLoggerContext,
    Jitter,
    RetryPolicy,
    RunsFilter,
    logger,
)
from dagster_dbt import DbtProject

from dagster_project.home import DBT_PROJECT, Home

OWNERS = {
    "ingestion": ["team:data-engineering"],
    "enrichment": ["team:machine-learning"],
    "decisioning": ["team:analytics-engineering"],
    "automation": ["team:on-call"],
    "measurement": ["team:product"],
}
"""Owners of a stage's assets, as Dagster shows and filters them."""

FINISHED_STATUSES = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)

EACH_TURN = FreshnessPolicy.time_window(warn_window=timedelta(hours=2), fail_window=timedelta(hours=26))
"""For assets that each turn of the loop renews: eight turns missed, then a day and a margin."""

EACH_DAY = FreshnessPolicy.time_window(warn_window=timedelta(hours=25), fail_window=timedelta(hours=26))
"""For assets that a push renews: pushes follow changes of the queue, and come once a day without any."""

EACH_WEEK = FreshnessPolicy.cron(deadline_cron="0 9 * * 1", lower_bound_delta=timedelta(hours=4))
"""For assets of the job ``drift``, which runs on Mondays at six."""

RETRY = RetryPolicy(max_retries=2, delay=10, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS)
"""For steps that talk to other systems; all of them are idempotent."""


class HomeResource(ConfigurableResource[Home]):
    """The installation that the assets work on; empty settings have the command line's defaults."""

    root: str = ""
    sources: str = ""

    def home(self) -> Home:
        """The home, made and marked with its kind if it is not there yet."""
        return Home.locate(self.root or None).marked()

    def sources_path(self) -> Path:
        """The ``sources.yml`` of this installation."""
        return self.home().sources(self.sources or None)


def unfinished(instance: DagsterInstance, job: str, since: datetime | None = None) -> str:
    """Id of a run of the job that is queued or under way; empty if there is none. Sensors ask for one at a time.

    A run that was created before ``since`` counts as stuck, and not at all.
    """
    statuses = [status for status in DagsterRunStatus if status not in FINISHED_STATUSES]
    runs = instance.get_runs(RunsFilter(job_name=job, statuses=statuses, created_after=since), limit=1)
    return runs[0].run_id if runs else ""


def now() -> datetime:
    """The current instant, to the second: what an unpinned run uses as its as-of."""
    return datetime.now(UTC).replace(microsecond=0)


@cache
def dbt_project() -> DbtProject:
    """The dbt project with its manifest; it is parsed when the manifest is missing or older than the models."""
    _put_dbt_on_path()
    os.environ.setdefault("FEEDBACK_HOME", str(Home.locate().root))
    project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)
    folders = ("models", "seeds", "macros", "tests")
    sources = [path for folder in folders for path in (DBT_PROJECT / folder).rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in [DBT_PROJECT / "dbt_project.yml", *sources])
    if not project.manifest_path.exists() or project.manifest_path.stat().st_mtime < newest:
        project.preparer.prepare(project)
    return project


def _put_dbt_on_path() -> None:
    """Put this environment's ``dbt`` first: Dagster calls it by name, and the environment may not be activated."""
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])


def _meta(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "dagster_meta", {})


class _Plain(logging.Formatter):
    """The message alone; Dagster puts run and step before it, which the event log has anyway."""

    def format(self, record: logging.LogRecord) -> str:
        meta = _meta(record)
        return (
            f"{record.levelname.lower()}: {meta['orig_message']}"
            if record.levelno > logging.INFO
            else meta["orig_message"]
        )


@logger
def plain_console(init_context: InitLoggerContext) -> logging.Logger:
    """Console logger for runs started from a terminal: the stages' own lines, without Dagster's events."""
    console = logging.Logger("feedback-control", logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain())
    handler.addFilter(lambda record: _meta(record).get("dagster_event") is None)
    console.addHandler(handler)
    return console
