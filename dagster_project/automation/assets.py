"""Automation assets: one per configured destination, the lake tables of the ledger, and what people did to tickets.

The control loop closes outside this graph. A push writes to a tracker, people act there, and the next turn reads it
back. As a graph of assets has no cycles, the tracker itself is an external asset: a push reports an observation of it,
and ``lake/ticket_events`` depends on it.

    published_warehouse, mitigations/control -> tickets/jira -> lake/sync_runs, lake/sync_attempts, lake/sync_snapshot
    trackers/jira -> lake/ticket_events, lake/baseline_exclusions -> fct_issue_lifecycle, int_baseline

Destinations come from the home's ``destinations.yml`` when the code location is loaded; without one there is ``local``.
Those that the home's kind may not write to are no assets: ``ticket_changes`` names them in its log.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetSpec,
    Failure,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from dagster_project import display, lake
from dagster_project.automation.checks import check_results, check_specs, ticket_key
from dagster_project.automation.destinations import (
    ConfiguredDestination,
    load_destinations,
    refused_destinations,
)
from dagster_project.automation.destinations.base import ReportsChanges
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation.assets import TARGETS
from dagster_project.automation.mitigation.checks import mitigation_key
from dagster_project.automation.tickets.event_delivery import sinks_of
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.clock import check_clock
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.decisioning.assets import AsOf, published_warehouse
from dagster_project.decisioning.published import present_of
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import Home, parse_instant
from dagster_project.lake_tables import LAKE_TABLES
from dagster_project.resources import EACH_DAY, EACH_TURN, OWNERS, RETRY, HomeResource

_CONFIGURED = load_destinations(Home.locate())

DESTINATIONS = {one.name: getattr(one.policy, "kind", "local") for one in _CONFIGURED}
"""Kind of each destination by its name."""

READ_BACK = [one.name for one in _CONFIGURED if isinstance(one.destination, ReportsChanges)]
"""Destinations that a pull reads; mail, chat pages and event sinks report no changes."""

PULLED_TABLES = ("ticket_events", "baseline_exclusions")
SYNC_TABLES = ("sync_runs", "sync_attempts", "sync_snapshot")


def tracker_key(destination: str) -> AssetKey:
    """Asset key of the tracker itself, which this system does not own."""
    return AssetKey(["trackers", destination])


trackers = [
    AssetSpec(
        tracker_key(name),
        group_name="automation",
        description=f"The tracker {name} itself: pushes write to it"
        + (", people act there, pulls read it." if name in READ_BACK else "."),
        kinds={kind},
        owners=OWNERS["automation"],
    )
    for name, kind in DESTINATIONS.items()
]

sync_tables = [
    AssetSpec(
        ["lake", table],
        deps=[ticket_key(name) for name in DESTINATIONS],
        group_name="automation",
        description=f"{LAKE_TABLES[table].description} Written by each push.",
        kinds={"parquet"},
        owners=OWNERS["automation"],
    )
    for table in SYNC_TABLES
]


@multi_asset(
    specs=[
        AssetSpec(
            ["lake", table],
            deps=[tracker_key(name) for name in READ_BACK],
            group_name="automation",
            description=LAKE_TABLES[table].description,
            kinds={"parquet"},
            owners=OWNERS["automation"],
            freshness_policy=EACH_TURN,
        )
        for table in PULLED_TABLES
    ],
    pool="pull",  # apart from the pushes: a tracker that hangs while it is read must not hold them up
    retry_policy=RETRY,
)
@guarded
def ticket_changes(
    context: AssetExecutionContext, home: HomeResource, config: AsOf
) -> Iterator[MaterializeResult[None]]:
    """Pull what people did to our tickets, before the next decision; nothing is written to the trackers."""
    here = home.home()
    pinned = here.is_rehearsal and config.as_of
    present = parse_instant(config.as_of) if pinned else datetime.now(UTC)
    report = pull(here, now=present, destinations=load_destinations(here), progress=context.log.info)
    for problem in (*report.problems, *refused_destinations(here)):
        context.log.warning(problem)
    counts: dict[str, dict[str, int]] = {
        "ticket_events": {f"new: {kind}": count for kind, count in report.acts.items()} | {"rejected": report.rejected},
        "baseline_exclusions": {"issues changed": report.exclusions},
    }
    for table in PULLED_TABLES:
        shown = markdown(display.preview(lake.scan(here, table)))
        problems = {"destinations not read": len(report.problems)}
        yield MaterializeResult(asset_key=["lake", table], metadata={**counts[table], **problems, "preview": shown})


@multi_asset(
    specs=[
        AssetSpec(
            ticket_key(name),
            deps=[published_warehouse, *map(mitigation_key, TARGETS)],
            group_name="automation",
            description=f"Tickets at {name}, opened, updated and resolved through the ledger. An unchanged queue sends"
            " nothing.",
            kinds={kind},
            owners=OWNERS["automation"],
            freshness_policy=EACH_DAY,
            skippable=True,
        )
        for name, kind in DESTINATIONS.items()
    ],
    check_specs=[spec for name in DESTINATIONS for spec in check_specs(name)],
    can_subset=True,
    pool="push",
    retry_policy=RETRY,
)
@guarded
def tickets(context: AssetExecutionContext, home: HomeResource) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
    """Push the queue to each chosen destination; one that fails leaves its own asset unmade, and the step red.

    Sinks of events come last, so that they hear of the tickets that the others have just opened.
    """
    here = home.home()
    check_clock(here, datetime.now(UTC))
    configured = load_destinations(here)
    sinks = sinks_of(configured)
    chosen = _chosen(context, sorted(configured, key=lambda one: one.name in sinks))
    failed: list[str] = []
    for one in chosen:
        try:
            present = present_of(here, datetime.now(UTC))
            report = push(here, now=present, destinations=[one], sinks=sinks, progress=context.log.info)
        except FeedbackControlError as error:  # no queue or no ledger: told for each destination, and with its checks
            report = PushReport()
            report.stop(one.name, str(error))
        for problem in report.problems:
            context.log.warning(problem)
        failed += report.failures
        try:
            _log_side_effects(context, here, one.name, report, is_sink=one.name in sinks)
        except Exception as error:
            failed.append(f"{one.name}: what was sent could not be shown: {type(error).__name__}: {error}")
        yield from check_results(lambda: Ledger.of(here), one.name)
        if not report.stopped:
            yield MaterializeResult(asset_key=ticket_key(one.name), metadata=_metadata(report))
    if failed:
        raise Failure("; ".join(failed))


def _chosen(context: AssetExecutionContext, configured: list[ConfiguredDestination]) -> list[ConfiguredDestination]:
    """The destinations of the selected assets.

    Raises:
        ConfigurationError: destinations.yml has changed since the code location was loaded.
    """
    chosen = [one for one in configured if ticket_key(one.name) in context.selected_asset_keys]
    gone = {key.path[-1] for key in context.selected_asset_keys} - {one.name for one in chosen}
    if gone or {one.name for one in configured} - set(DESTINATIONS):
        raise ConfigurationError("destinations.yml has other destinations than this code location: reload it")
    return chosen


def _log_side_effects(
    context: AssetExecutionContext, home: Home, destination: str, report: PushReport, *, is_sink: bool
) -> None:
    """Report what a push wrote besides its tickets: the tracker, and the ledger's tables in the lake.

    Tickets of an event sink are no rows of ``ticket_events``.
    """
    if not any(count for name, count in report.tally.items() if name != "unchanged"):
        return
    confirmed = report.created + report.updated + report.resolved
    if confirmed:
        context.log_event(AssetObservation(tracker_key(destination), metadata=dict(report.counts)))
    for table in (*SYNC_TABLES, *(["ticket_events"] if confirmed and not is_sink else [])):
        rows = MetadataValue.int(lake.scan(home, table).select("known_at").collect().height)
        context.log_event(AssetMaterialization(["lake", table], metadata={"dagster/row_count": rows}))


def _metadata(report: PushReport) -> dict[str, int | MetadataValue]:
    links = display.markdown_table([{"ticket": display.Link(link)} for link in report.links])
    return {**report.counts, "problems": len(report.problems), "tickets": markdown(links or "None changed.")}
