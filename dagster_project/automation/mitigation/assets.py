"""Mitigation assets: one per target of the playbook, the control systems themselves, and what became of the plans.

The control loop closes outside this graph, as it does for tickets: a turn acts on a control system, people act there
too, and the next turn reads back what became of each plan. So the control system is an external asset, of which an act
or an undo reports an observation, and ``lake/plan_events`` depends on it.

    published_warehouse -> mitigations/control -> tickets/jira
    control_systems/control -> lake/plan_events -> fct_mitigations

A turn is over all plans: a stop, a limit and a breaker hold for all targets. So one step makes all these assets.
Targets come from the home's playbook when the code location is loaded.
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
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import ProposalEvent, ProposalState
from dagster_project.automation.mitigation.checks import check_results, check_specs, mitigation_key
from dagster_project.automation.mitigation.export import TABLE
from dagster_project.automation.mitigation.mitigate import MitigationReport, mitigate
from dagster_project.automation.mitigation.plans import KIND, Plan
from dagster_project.automation.mitigation.telling import facts_of
from dagster_project.clock import check_clock
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.decisioning.assets import published_warehouse
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.published import present_of
from dagster_project.errors import ConfigurationError, said_of
from dagster_project.home import Home
from dagster_project.lake_tables import LAKE_TABLES
from dagster_project.resources import EACH_DAY, OWNERS, RETRY, HomeResource

_ACTS = ("applied", "undone")


def _targets() -> dict[str, str]:
    """Kind of each target by its name; of a playbook that is wrong those of the packaged one, and the step says why."""
    try:
        playbook = load_playbook(Home.locate().playbook)
    except ConfigurationError:
        playbook = load_playbook()
    return {name: one.kind for name, one in playbook.targets.items()}


TARGETS = _targets()
"""Kind of each target by its name."""


def control_system_key(target: str) -> AssetKey:
    """Asset key of the control system itself, which this system does not own."""
    return AssetKey(["control_systems", target])


control_systems = [
    AssetSpec(
        control_system_key(name),
        group_name="automation",
        description=f"The control system {name} itself: mitigations act on it, people do too, and each turn reads it.",
        kinds={kind},
        owners=OWNERS["automation"],
    )
    for name, kind in TARGETS.items()
]

plan_events = AssetSpec(
    ["lake", TABLE],
    deps=[control_system_key(name) for name in TARGETS],
    group_name="automation",
    description=f"{LAKE_TABLES[TABLE].description} Written by each mitigation turn; the next decision reads it back.",
    kinds={"parquet"},
    owners=OWNERS["automation"],
)


@multi_asset(
    specs=[
        AssetSpec(
            mitigation_key(name),
            deps=[published_warehouse],
            group_name="automation",
            description=f"Mitigations at {name}: plans made, approved, carried out, watched and undone, by the"
            " playbook. In shadow nothing is done.",
            kinds={kind},
            owners=OWNERS["automation"],
            freshness_policy=EACH_DAY,
            skippable=True,
        )
        for name, kind in TARGETS.items()
    ],
    check_specs=[spec for name in TARGETS for spec in check_specs(name)],
    pool="mitigate",  # apart from the pushes: a tracker that hangs must not hold up an act, or its undoing
    retry_policy=RETRY,
)
@guarded
def mitigations(
    context: AssetExecutionContext, home: HomeResource
) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
    """Take every plan one step further; a target that cannot be read leaves its own asset unmade, and the step red."""
    here = home.home()
    check_clock(here, datetime.now(UTC))
    before = Ledger.of(here).proposals.newest_event()
    try:
        _warn_of_other_targets(context, here)
        report = mitigate(here, now=present_of(here, datetime.now(UTC)), progress=context.log.info)
    except Exception as error:
        report = MitigationReport(problems=[said_of(error)])
    for problem in report.problems:
        context.log.warning(problem)
    ledger = Ledger.of(here)
    _log_side_effects(context, here, ledger, before)
    for name in TARGETS:
        results = list(check_results(here, name))
        yield from results
        if all(one.passed for one in results if one.check_name == "target_readable"):
            yield MaterializeResult(asset_key=mitigation_key(name), metadata=_metadata(ledger, name, report))
    if report.problems:
        raise Failure("; ".join(report.problems))


def _warn_of_other_targets(context: AssetExecutionContext, home: Home) -> None:
    """The turn is over the playbook's targets, whichever have an asset."""
    if set(load_playbook(home.playbook).targets) != set(TARGETS):
        context.log.warning("playbook.yml has other targets than this code location: reload it")


def _log_side_effects(context: AssetExecutionContext, home: Home, ledger: Ledger, before: int) -> None:
    """Report what a turn wrote besides: the control systems, and the events of plans in the lake."""
    events = ledger.proposals.events_after(before)
    for name in TARGETS:
        acts = [one for one in events if one.event in _ACTS and _plan(ledger, one).target == name]
        if acts:
            done = {f"{one.event} {_plan(ledger, one).short_id}": _plan(ledger, one).title for one in acts}
            context.log_event(AssetObservation(control_system_key(name), metadata=done))
    if events:
        rows = MetadataValue.int(lake.scan(home, TABLE).select("known_at").collect().height)
        context.log_event(AssetMaterialization(["lake", TABLE], metadata={"dagster/row_count": rows}))


def _plan(ledger: Ledger, event: ProposalEvent) -> Plan:
    return Plan.of(ledger.proposals.get(event.proposal_id))


def _metadata(ledger: Ledger, target: str, report: MitigationReport) -> dict[str, int | MetadataValue]:
    plans = [(one, Plan.of(one)) for one in ledger.proposals.all(KIND)]
    here = [(one, plan) for one, plan in plans if plan.target == target]
    facts = [facts_of(one, ledger.proposals.events(one.proposal_id)) for one, _ in here[-_SHOWN:]]
    rows = [
        {"plan": one.short_id, "state": one.state, "what": one.title, "waits for": one.waits_for or None}
        for one in reversed(facts)
    ]
    return {
        "in force": sum(one.state is ProposalState.IN_FORCE for one, _ in here),
        "waiting for people": sum(one.state is ProposalState.PROPOSED for one, _ in here),
        "in shadow": sum(one.state is ProposalState.SHADOW for one, _ in here),
        "problems of the turn": len(report.problems),
        "latest plans": markdown(display.markdown_table(rows) or "None yet."),
    }


_SHOWN = 10
"""Number of plans that an asset shows."""
