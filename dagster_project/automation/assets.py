"""Tickets: what the queue asks for, in the team's own tracker, exactly once."""

from dagster import AssetExecutionContext, MaterializeResult, MetadataValue, asset

from dagster_project import display
from dagster_project.automation.destinations import load_outlets
from dagster_project.automation.push import push
from dagster_project.decisioning.assets import published_warehouse
from dagster_project.resources import HomeResource, now


@asset(deps=[published_warehouse], group_name="automation", pool="push")
def tickets(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """Open, update and resolve tickets through the ledger; an unchanged queue sends nothing."""
    here = home.home()
    report = push(here, now=now(), outlets=load_outlets(here), progress=context.log.info)
    for problem in report.problems:
        context.log.warning(problem)
    return MaterializeResult(
        metadata={
            "created": report.created,
            "updated": report.updated,
            "resolved": report.resolved,
            "unchanged": report.unchanged,
            "rejected": report.rejected,
            "unknown": report.unknown,
            "deferred": report.deferred,
            "tickets": MetadataValue.md(
                display.markdown_table([{"ticket": link} for link in report.links]) or "None changed."
            ),
        }
    )
