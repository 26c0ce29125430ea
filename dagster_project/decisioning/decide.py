"""The decision step: build every model as of one instant and publish the result, as one act under one lock."""

from __future__ import annotations

from datetime import datetime

from dagster_project.decisioning.dbt_build import build
from dagster_project.decisioning.published import DecisionReport, Progress, publish, writing
from dagster_project.home import Home


def decide(home: Home, *, as_of: datetime, progress: Progress = lambda _: None) -> DecisionReport:
    """Build every model as of one instant and publish the result; two decisions on one home take turns.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the message names the model or test and dbt's own reason.
    """
    with writing(home, progress):
        progress("deciding: dbt builds the models")
        build(home, as_of=as_of)
        return publish(home, progress=progress)
