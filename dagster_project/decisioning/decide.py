"""The decision step: build every model as of one instant, then publish the result for everyone else."""

from __future__ import annotations

from datetime import datetime

from dagster_project.decisioning.dbt_build import build
from dagster_project.decisioning.published import DecisionReport, Progress, publish
from dagster_project.home import Home


def decide(home: Home, *, as_of: datetime, progress: Progress = lambda _: None) -> DecisionReport:
    """Build every model as of one instant and publish the result.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the message names the model or test and dbt's own reason.
    """
    progress("deciding: dbt builds the models")
    build(home, as_of=as_of)
    return publish(home, progress=progress)
