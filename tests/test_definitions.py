"""The code location loads, and holds what the design says: five stages, their checks, four jobs, one writer."""

from __future__ import annotations

import pytest
from dagster import AssetKey, DefaultScheduleStatus, DefaultSensorStatus, Definitions

from dagster_project.home import DBT_PROJECT

CHECKS = {
    "abstentions",
    "approvers_suffice",
    "every_source_was_read",
    "held_states_hold",
    "no_dead_letters",
    "no_drift",
    "nothing_stale",
    "plans_move_on",
    "playbook_reviewed",
    "promotion",
    "pushes_succeed",
    "quarantine_share",
    "rehearsed",
    "source_freshness",
    "target_readable",
}
"""The checks that are not tests of dbt."""

TIMELY = {
    "closed_loop_report",
    "drift_report",
    "label_queue",
    "lake/baseline_exclusions",
    "lake/feedback",
    "lake/flag_changes",
    "lake/funnel_metrics",
    "lake/labels",
    "lake/orders",
    "lake/releases",
    "lake/service_metrics",
    "lake/ticket_events",
    "mitigations/control",
    "pages",
    "published_warehouse",
    "tickets/local",
}
"""The assets that promise a time."""


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    """The definitions as they load without a home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEEDBACK_HOME", str(tmp_path_factory.mktemp("nowhere") / "home"))
        from dagster_project.definitions import defs

        return defs


def test_the_groups_stand_in_a_row_and_only_tickets_lead_back(defs: Definitions) -> None:
    row = ["ingestion", "enrichment", "staging", "activity", "issues", "marts", "automation", "measurement"]
    graph = defs.resolve_asset_graph()
    group = {key: str(graph.get(key).group_name) for key in graph.get_all_asset_keys()}
    assert {*group.values()} == {*row}
    edges = {(group[parent], group[key]) for key in group for parent in graph.get(key).parent_keys}
    assert {edge for edge in edges if row.index(edge[0]) > row.index(edge[1])} == {("automation", "staging")}


def test_every_asset_says_what_it_is_and_whose(defs: Definitions) -> None:
    """The snapshot of the graph: what an asset lacks is named here."""
    graph = defs.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    models = [*(DBT_PROJECT / "models").rglob("*.sql"), *(DBT_PROJECT / "seeds").glob("*.csv")]
    assert {node.key.path[-1] for node in nodes if not node.description} == set()
    assert {node.key.path[-1] for node in nodes if not node.owners} == set()
    assert {node.key.path[-1] for node in nodes if not node.kinds} == set()
    assert {node.key.to_user_string() for node in nodes if node.freshness_policy} == TIMELY
    external = {node.key.to_user_string() for node in nodes if not node.is_materializable}
    tables = {f"lake/{name}" for name in ("plan_events", "sync_runs", "sync_attempts", "sync_snapshot")}
    assert external == {"trackers/local", "control_systems/control", *tables}
    assert len(nodes) == len(models) + len(external) + 25


def test_whatever_talks_to_other_systems_is_retried(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in (["lake", "releases"], ["lake", "ticket_events"], ["mitigations", "control"], ["tickets", "local"]):
        assert graph.get(AssetKey(name)).assets_def.op.retry_policy is not None


def test_jobs_schedules_and_sensors_say_what_they_do(defs: Definitions) -> None:
    assert all(defs.resolve_job_def(name).description for name in ("loop", "mitigate", "push", "drift"))
    assert all(schedule.description for schedule in defs.schedules or [])
    assert all(sensor.description for sensor in defs.sensors or [])


def test_lineage_runs_from_feedback_to_the_tickets(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    upstream = graph.get_ancestor_asset_keys(AssetKey(["tickets", "local"]))
    for name in (
        ["lake", "feedback"],
        ["lake", "labels"],
        ["lake", "baseline_exclusions"],
        ["int_baseline"],
        ["fct_issues"],
        ["out_tickets"],
        ["out_mitigations"],
        ["published_warehouse"],
        ["mitigations", "control"],
    ):
        assert AssetKey(name) in upstream


def test_lineage_closes_the_loop_by_the_tracker(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert AssetKey(["trackers", "local"]) in graph.get_ancestor_asset_keys(AssetKey("fct_issue_lifecycle"))
    assert AssetKey(["tickets", "local"]) in graph.get_ancestor_asset_keys(AssetKey("fct_sync_days"))
    upstream = graph.get_ancestor_asset_keys(AssetKey("out_mitigations"))
    assert {AssetKey(["control_systems", "control"]), AssetKey(["lake", "plan_events"])} <= upstream


def test_the_graph_has_no_cycle_with_its_external_assets(defs: Definitions) -> None:
    """The UI draws no graph with a cycle, and Dagster itself looks for one only among what it materializes."""
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        assert key not in graph.get_ancestor_asset_keys(key), key.to_user_string()


def test_every_data_test_of_dbt_is_an_asset_check(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    names = {key.name for key in graph.asset_check_keys}
    assert names >= CHECKS
    assert sum(name.startswith(("unique_", "not_null_")) for name in names) > 20


def test_whatever_writes_or_reads_the_warehouse_file_takes_its_pool(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("fct_issues", "stg_feedback", "published_warehouse"):
        assert graph.get(AssetKey(name)).pools == {"warehouse"}


def test_nothing_starts_by_itself(defs: Definitions) -> None:
    assert all(s.default_status == DefaultScheduleStatus.STOPPED for s in defs.schedules or [])
    started = {s.name for s in defs.sensors or [] if s.default_status != DefaultSensorStatus.STOPPED}
    assert started == {"old_runs"}  # it deletes records of Dagster, and starts nothing


def test_the_loop_sends_nothing_and_push_decides_nothing(defs: Definitions) -> None:
    loop = defs.resolve_job_def("loop").asset_layer.executable_asset_keys
    push = defs.resolve_job_def("push").asset_layer.executable_asset_keys
    assert {AssetKey(["lake", "ticket_events"]), AssetKey(["lake", "baseline_exclusions"])} <= set(loop)
    assert push == {AssetKey(["tickets", "local"]), AssetKey("closed_loop_report"), AssetKey("pages")}
    mitigate = defs.resolve_job_def("mitigate").asset_layer.executable_asset_keys
    assert mitigate == {AssetKey(["mitigations", "control"])}
    assert not set(mitigate) & set(loop)
    weekly = defs.resolve_job_def("drift").asset_layer.executable_asset_keys
    assert weekly == {AssetKey("drift_report"), AssetKey("label_queue")}
    assert not set(weekly) & set(loop)
    assert not set(push) & set(loop)
