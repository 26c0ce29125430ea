"""The eight input tables as assets, with what did not fit beside them in quarantine.

One run lands whatever is new at every configured source. The daily partition is the day of ingestion: readers of files
take all that is new, whatever the day; readers of APIs (Prometheus, GitHub) ask for that day, so a backfill fills a
gap.
"""

from collections.abc import Iterator

from dagster import (
    AssetExecutionContext,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from dagster_project import display, lake
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.sources import load_sources
from dagster_project.resources import HomeResource, now

DAYS = DailyPartitionsDefinition(start_date="2026-01-01", end_offset=1)
"""Days of ingestion; today included."""

DESCRIPTIONS = {
    "feedback": "What customers said, on every channel.",
    "releases": "What was released, when and how far.",
    "flag_changes": "Feature flags switched on and off.",
    "service_metrics": "Requests, errors and latency per service and bucket.",
    "funnel_metrics": "How many entered and completed each step of the journey.",
    "orders": "Orders and refunds.",
    "customers": "Segments and lifetime values.",
    "campaigns": "Marketing campaigns.",
    "quarantine": "What could not be read, with its reason, file, line and raw text.",
}


@multi_asset(
    specs=[
        AssetSpec(["lake", table], description=description, group_name="ingestion", kinds={"polars", "parquet"})
        for table, description in DESCRIPTIONS.items()
    ],
    partitions_def=DAYS,
    backfill_policy=BackfillPolicy.single_run(),
)
def landing(context: AssetExecutionContext, home: HomeResource) -> Iterator[MaterializeResult[None]]:
    """Land what is new at every source."""
    here = home.home()
    span = context.partition_time_window
    report = land(
        here,
        load_sources(home.sources_path()),
        now=now(),
        window=(span.start, span.end),
        progress=context.log.info,
    )
    for problem in report.problems:
        context.log.warning(problem)
    for table in DESCRIPTIONS:
        rows = lake.scan(here, table)
        yield MaterializeResult(
            asset_key=["lake", table],
            metadata={
                **_counts(report, table),
                "rows in the lake": rows.select("known_at").collect().height,
                "preview": MetadataValue.md(display.preview(rows)),
                "folder": MetadataValue.path(str(here.lake / table)),
            },
        )


def _counts(report: LandingReport, table: str) -> dict[str, int]:
    if table == "quarantine":
        return {"new rows": report.quarantined}
    mine = [line for line in report.lines if line.table == table]
    return {
        "new rows": sum(line.landed for line in mine),
        "changed": sum(line.changed for line in mine),
        "unchanged": sum(line.unchanged for line in mine),
        "quarantined": sum(line.quarantined for line in mine),
    }


assert set(TABLES) <= set(DESCRIPTIONS), "every input table is an asset"
