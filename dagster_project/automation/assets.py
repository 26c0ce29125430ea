"""Tickets: what the queue asks for, in the team's own tracker, exactly once; and what people did to them there."""

from collections.abc import Iterator

from dagster import AssetExecutionContext, AssetSpec, MaterializeResult, MetadataValue, asset, multi_asset

from dagster_project import display, lake
from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import push
from dagster_project.decisioning.assets import published_warehouse
from dagster_project.resources import HomeResource, now


@multi_asset(
    specs=[
        AssetSpec(["lake", table], group_name="automation", description=description, kinds={"parquet"})
        for table, description in {
            "ticket_events": "What happened to tickets: what was confirmed outside, and what people did there.",
            "baseline_exclusions": "Which days stay out of baselines because people rejected their issue.",
        }.items()
    ],
    pool="push",
)
def ticket_changes(context: AssetExecutionContext, home: HomeResource) -> Iterator[MaterializeResult[None]]:
    """Read what people did to our tickets, before the next decision; nothing is written there."""
    here = home.home()
    report = pull(here, now=now(), destinations=load_destinations(here), progress=context.log.info)
    for problem in report.problems:
        context.log.warning(problem)
    told: dict[str, dict[str, int]] = {
        "ticket_events": {f"new: {kind}": count for kind, count in report.acts.items()} | {"rejected": report.rejected},
        "baseline_exclusions": {"issues changed": report.exclusions},
    }
    for table, counts in told.items():
        shown = MetadataValue.md(display.preview(lake.scan(here, table)))
        problems = {"destinations not read": len(report.problems)}
        yield MaterializeResult(asset_key=["lake", table], metadata={**counts, **problems, "preview": shown})


@asset(deps=[published_warehouse], group_name="automation", pool="push")
def tickets(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """Open, update and resolve tickets through the ledger; an unchanged queue sends nothing."""
    here = home.home()
    report = push(here, now=now(), destinations=load_destinations(here), progress=context.log.info)
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
