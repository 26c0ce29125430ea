"""The code location loads, and holds what the design says: five stages, their checks, two jobs, one writer."""

from __future__ import annotations

import pytest
from dagster import AssetKey, DefaultScheduleStatus, DefaultSensorStatus, Definitions


@pytest.fixture(scope="module")
def defs() -> Definitions:
    from dagster_project.definitions import defs

    return defs


def test_every_stage_is_a_group(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.materializable_asset_keys}
    assert groups == {"ingestion", "enrichment", "decisioning", "automation", "measurement"}


def test_lineage_runs_from_feedback_to_the_report(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    upstream = graph.get_ancestor_asset_keys(AssetKey("closed_loop_report"))
    for name in (
        ["lake", "feedback"],
        ["lake", "labels"],
        ["lake", "ticket_events"],
        ["lake", "baseline_exclusions"],
        ["int_baseline"],
        ["fct_issues"],
        ["out_tickets"],
        ["published_warehouse"],
        ["tickets"],
    ):
        assert AssetKey(name) in upstream


def test_every_data_test_of_dbt_is_an_asset_check(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    names = {key.name for key in graph.asset_check_keys}
    assert {
        "promotion",
        "no_drift",
        "abstentions",
        "quarantine_share",
        "playbook_reviewed",
        "no_dead_letters",
        "pushes_succeed",
    } <= names
    assert sum(name.startswith(("unique_", "not_null_")) for name in names) > 20


def test_whatever_writes_or_reads_the_warehouse_file_takes_its_pool(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("fct_issues", "stg_feedback", "published_warehouse"):
        assert graph.get(AssetKey(name)).pools == {"warehouse"}


def test_nothing_starts_by_itself(defs: Definitions) -> None:
    assert all(s.default_status == DefaultScheduleStatus.STOPPED for s in defs.schedules or [])
    assert all(s.default_status == DefaultSensorStatus.STOPPED for s in defs.sensors or [])


def test_the_loop_sends_nothing_and_push_decides_nothing(defs: Definitions) -> None:
    loop = defs.resolve_job_def("loop").asset_layer.executable_asset_keys
    push = defs.resolve_job_def("push").asset_layer.executable_asset_keys
    assert AssetKey("tickets") not in loop
    assert {AssetKey(["lake", "ticket_events"]), AssetKey(["lake", "baseline_exclusions"])} <= set(loop)
    assert push == {AssetKey("tickets"), AssetKey("closed_loop_report")}
    weekly = defs.resolve_job_def("drift").asset_layer.executable_asset_keys
    assert weekly == {AssetKey("drift_report"), AssetKey("label_queue")}
    assert not set(weekly) & set(loop)
