"""Decisioning assets: the playbook, the dbt models grouped by their folders, and the published copy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetSpec,
    Config,
    MaterializeResult,
    MetadataValue,
    asset,
    multi_asset,
)
from dagster_dbt import DagsterDbtTranslator, dbt_assets
from pydantic import Field

from dagster_project import display, lake
from dagster_project.clock import is_past
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.decisioning.dbt_build import build
from dagster_project.decisioning.decide import standing_decision
from dagster_project.decisioning.explain import queue
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.decisioning.published import publish, read_mart, writing
from dagster_project.errors import ConfigurationError
from dagster_project.files import telling_repairs
from dagster_project.home import parse_instant
from dagster_project.lake_tables import LAKE_TABLES, PLAYBOOK_TABLES
from dagster_project.resources import EACH_TURN, OWNERS, HomeResource, dbt_project, now

WAREHOUSE_POOL = "warehouse"
"""Mutex of the DuckDB file: every step that writes it takes this pool, which holds one."""


class AsOf(Config):
    """As-of instant of a build."""

    as_of: str = Field(
        default="",
        description="ISO 8601, UTC; empty means now. Nothing known later is read. A past instant is refused but in a"
        " demo or replay home: `feedback-control run --as-of` decides it in a view of its own.",
    )


_GROUPS = {
    **dict.fromkeys(("seeds", "staging"), "staging"),
    **dict.fromkeys(("feedback", "activity"), "activity"),
    **dict.fromkeys(("issues", "causes", "impact", "mitigations", "outcomes", "roi"), "issues"),
    **dict.fromkeys(("marts", "outbound"), "marts"),
}
"""The group of each folder of the dbt project. Rooms that read each other are one, so the groups stand in a row."""


class _Translator(DagsterDbtTranslator):
    """Asset groups are dbt's folders: seeds, staging, those of the intermediate models, marts, outbound."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        folders = dbt_resource_props.get("fqn", [])[1:-1]
        return next((_GROUPS[folder] for folder in reversed(folders) if folder in _GROUPS), _GROUPS["seeds"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        return super().get_owners(dbt_resource_props) or OWNERS["decisioning"]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        folders = dbt_resource_props.get("fqn", [])[1:-1]
        return {"dbt_layer": folders[0]} if folders else {}


@multi_asset(
    specs=[
        AssetSpec(
            ["lake", table],
            group_name=_GROUPS["staging"],
            description=LAKE_TABLES[table].description,
            kinds={"yaml", "parquet"},
            owners=OWNERS["decisioning"],
        )
        for table in PLAYBOOK_TABLES
    ]
)
@guarded
def playbook(home: HomeResource) -> Iterator[MaterializeResult[None]]:
    """The playbook, validated and landed where dbt reads it."""
    here = home.home()
    loaded = load_playbook(here.playbook)
    land_playbook(here, loaded)
    for table in PLAYBOOK_TABLES:
        yield MaterializeResult(
            asset_key=["lake", table],
            metadata={
                "review by": str(loaded.review_by),
                "rows": markdown(display.preview(lake.scan(here, table), 30)),
            },
        )


@dbt_assets(
    manifest=dbt_project().manifest_path,
    project=dbt_project(),
    dagster_dbt_translator=_Translator(),
    pool=WAREHOUSE_POOL,
)
@guarded
def warehouse(context: AssetExecutionContext, home: HomeResource, config: AsOf) -> Iterator[Any]:
    """Build every model and run every data test, as of one instant; nothing, while the last decision stands."""
    here, as_of = home.home(), parse_instant(config.as_of) if config.as_of else now()
    if is_past(here, as_of, now()):
        raise ConfigurationError(
            f"as of {config.as_of} is past, and {here.root} is a {here.kind} home: its queue is of the present;"
            f" `feedback-control --home {here.root} run --as-of {config.as_of}` decides it in a view of its own"
        )
    chosen = [key.path[-1] for key in context.selected_asset_keys] if context.is_subset else []
    results: dict[str, dict[str, Any]] = {}
    with writing(here, context.log.info), telling_repairs(context.log.warning):
        # Of a decision that stands nothing is materialized, and Dagster skips the steps after this one.
        if not chosen and standing_decision(here, as_of, context.log.info):
            return
        try:
            # In this process, as on the command line: what dbt has parsed before is used again whatever the instant.
            build(here, as_of=as_of, select=sorted(chosen), told=partial(_keep_result, results))
        finally:
            yield from _dagster_events(context, results.values())


def _keep_result(results: dict[str, dict[str, Any]], event: Any) -> None:
    """Keep what dbt says at the end of a model, seed or test; of a node that is built again, the last."""
    if event.info.name in _RESULTS:
        from dbt_common.events.functions import msg_to_dict

        results[event.data.node_info.unique_id] = msg_to_dict(event)


_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogTestResult"})


def _dagster_events(context: AssetExecutionContext, results: Iterable[dict[str, Any]]) -> Iterator[Any]:
    """Materializations and check results of what dbt did, as dagster-dbt makes them of dbt's log."""
    from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

    for result in results:
        event = DbtCoreCliEventMessage(raw_event=result, event_history_metadata={})
        yield from event.to_default_asset_events(
            manifest=dbt_project().manifest_path, dagster_dbt_translator=_Translator(), context=context
        )


_AFTER_PUSH = {AssetKey("fct_sync_days")}
"""Marts about pushes of earlier turns: an edge from them would make the loop a cycle, which no graph can show."""


@asset(
    deps=sorted(
        key
        for key, group in warehouse.group_names_by_key.items()
        if group == _GROUPS["marts"] and key not in _AFTER_PUSH
    ),
    group_name=_GROUPS["marts"],
    kinds={"duckdb"},
    owners=OWNERS["decisioning"],
    freshness_policy=EACH_TURN,
    pool=WAREHOUSE_POOL,
)
@guarded
def published_warehouse(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """The read-only copy for analysts and the automation, swapped atomically, and the outbound rows as JSON Lines."""
    here = home.home()
    report = publish(here, progress=context.log.info)
    shown = {
        "issue_id": "issue",
        "priority": "priority",
        "issue_title": "what",
        "verdict": "verdict",
        "suspect_version": "suspect",
    }
    issues = [{short: row[name] for name, short in shown.items()} for row in queue(here)]
    actionable = read_mart(here, "taxonomy", ["issue_type"], where={"actionable": True})["issue_type"].to_list()
    counted = read_mart(here, "fct_feedback", ["counted_at"], where={"is_counted": True, "issue_type": actionable})
    activity = counted.group_by(day=pl.col("counted_at").dt.strftime("%Y-%m-%d")).len("complaints")
    return MaterializeResult(
        metadata={
            "open issues": report.issues_open,
            "tied to a release": report.regressions,
            "resolved issues": report.issues_resolved,
            "queue": markdown(display.markdown_table(issues) if issues else "Nothing is open."),
            "complaints a day": markdown(display.bar_chart(activity.sort("day", descending=True).head(21))),
            "published copy": MetadataValue.path(str(here.published)),
        }
    )
