"""The decision step: build every model as of one instant and publish the result, as one act under one lock."""

from __future__ import annotations

from datetime import datetime

from dagster_project.decisioning.dbt_build import build
from dagster_project.decisioning.incremental import standing_since
from dagster_project.decisioning.published import DecisionReport, Progress, ensure_published, publish, writing
from dagster_project.home import Home


def decide(home: Home, *, as_of: datetime, progress: Progress = lambda _: None) -> DecisionReport:
    """Build every model as of one instant and publish the result; two decisions on one home take turns.

    Where a build would know nothing that the published decision did not know, that one stands, for an hour at most.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the message names the model or test and dbt's own reason.
    """
    with writing(home, progress):
        if report := standing_decision(home, as_of, progress):
            return report
        progress("deciding: dbt builds the models")
        build(home, as_of=as_of)
        return publish(home, progress=progress)


def standing_decision(home: Home, as_of: datetime, progress: Progress) -> DecisionReport | None:
    """The last decision, published, if it still stands; else None. Call it with the warehouse's lock held."""
    since = standing_since(home, as_of)
    if since is None:
        return None
    progress(f"nothing new is known: the decision of {since:%H:%M} UTC stands")
    return ensure_published(home, progress)
