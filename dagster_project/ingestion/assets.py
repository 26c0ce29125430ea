"""The input tables as assets, one per lake table, with the quarantine of unreadable records beside them.

One step lands whatever is new at the sources of the chosen tables. The daily partition is the day of ingestion: readers
of files take all that is new, whatever the day; readers of APIs (Prometheus, GitHub) ask for that day, so a backfill
fills a gap.
"""

import os
from collections.abc import Iterator

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetExecutionContext,
    AssetMaterialization,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from dagster_project import display, lake
from dagster_project.clock import check_clock
from dagster_project.clock_repair import repair_future
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.files import telling_repairs
from dagster_project.home import Home, parse_instant
from dagster_project.ingestion.checks import check_results, check_specs, source_table
from dagster_project.ingestion.contracts import TABLES
from dagster_project.ingestion.isolation import one_line
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.provenance import sources_of
from dagster_project.ingestion.source_freshness import first_day
from dagster_project.ingestion.sources import WrongEntry
from dagster_project.lake_tables import LAKE_TABLES
from dagster_project.resources import EACH_TURN, OWNERS, RETRY, HomeResource, now


def first_partition() -> str:
    """Day on which the partitions begin: ``$FEEDBACK_FIRST_DAY``, else that of the home's first landing."""
    named = os.environ.get("FEEDBACK_FIRST_DAY")
    return f"{parse_instant(named) if named else first_day(Home.locate()):%Y-%m-%d}"


DAYS = DailyPartitionsDefinition(start_date=first_partition(), end_offset=1)
"""Days of ingestion; today included."""

INPUTS = {name: table for name, table in LAKE_TABLES.items() if table.writer == "ingestion"}
_RARELY_NEW = {"customers", "campaigns", "quarantine"}


@multi_asset(
    specs=[
        AssetSpec(
            ["lake", table],
            description=lake_table.description,
            group_name="ingestion",
            kinds={"polars", "parquet"},
            owners=OWNERS["ingestion"],
            freshness_policy=None if table in _RARELY_NEW else EACH_TURN,
            skippable=True,
        )
        for table, lake_table in INPUTS.items()
    ],
    check_specs=list(check_specs()),
    can_subset=True,
    partitions_def=DAYS,
    backfill_policy=BackfillPolicy.single_run(),
    retry_policy=RETRY,
)
@guarded
def landing(context: AssetExecutionContext, home: HomeResource) -> Iterator[MaterializeResult[None]]:
    """Land what is new at every source of the chosen tables."""
    here = home.home()
    chosen = {key.path[-1] for key in context.selected_asset_keys}
    span, present = context.partition_time_window, now()
    wrong: list[WrongEntry] = []
    sources = [source for source in sources_of(here, home.sources_path(), wrong) if source.target in chosen]
    check_clock(here, present)
    for line in repair_future(here, present):
        context.log.warning(line)
    with telling_repairs(context.log.warning):
        report = land(here, sources, now=present, window=(span.start, span.end), progress=context.log.info)
    report.note_wrong(entry for entry in wrong if entry.table in chosen)
    for problem in (*report.problems, *report.silent):
        context.log.warning(problem)
    if "quarantine" not in chosen and report.quarantined:
        context.log_event(AssetMaterialization(["lake", "quarantine"], metadata={"new rows": report.quarantined}))
    for table in (name for name in INPUTS if name in chosen):
        results = check_results(table, report) if table in TABLES else []
        yield MaterializeResult(
            asset_key=["lake", table],
            metadata=_shown(context, here, report, table),
            check_results=[one for one in results if _key(one) in context.selected_asset_check_keys],
        )


def _key(result: AssetCheckResult) -> AssetCheckKey:
    assert result.asset_key
    assert result.check_name
    return AssetCheckKey(result.asset_key, result.check_name)


def _shown(
    context: AssetExecutionContext, home: Home, report: LandingReport, table: str
) -> dict[str, int | str | MetadataValue]:
    """Metadata of a table; one whose rows cannot be shown has landed all the same, and so have the others."""
    try:
        return _metadata(home, report, table)
    except Exception as error:
        problem = f"lake/{table} cannot be shown ({type(error).__name__}: {one_line(str(error), 200)})"
        context.log.warning(problem)
        return {**_counts(report, table), "not shown": problem}


def _metadata(home: Home, report: LandingReport, table: str) -> dict[str, int | str | MetadataValue]:
    rows = lake.scan(home, table)
    lines = report.lines if table == "quarantine" else [line for line in report.lines if line.table == table]
    return {
        **_counts(report, table),
        "dagster/row_count": MetadataValue.int(rows.select("known_at").collect().height),
        "sources": markdown(source_table(lines)),
        "preview": markdown(display.preview(rows)),
        "folder": MetadataValue.path(str(home.lake / table)),
    }


def _counts(report: LandingReport, table: str) -> dict[str, int]:
    if table == "quarantine":
        return {"new rows": report.quarantined}
    mine = [line for line in report.lines if line.table == table]
    return {
        "new rows": sum(line.landed for line in mine),
        "changed": sum(line.changed for line in mine),
        "unchanged": sum(line.unchanged for line in mine),
        "quarantined": sum(line.quarantined for line in mine),
        "sources not read": sum(line.state != "read" for line in mine),
        "sources silent": sum(line.silent_since is not None for line in mine),
    }
