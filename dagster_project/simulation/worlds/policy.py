"""Policy player: the whole ladder over many worlds at once, each of which obeys its part of one control system.

At each tick the decision is built and published, a turn of the ladder acts upon it, and the worlds in which something
came into force react before the next tick. Tiers 1 and 2 are in mode ``auto``; tier 3 is approved at once by a person
who always agrees, so what the policy does is what its evidence asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import yaml

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import ProposalState
from dagster_project.automation.mitigation.approvals import Vote
from dagster_project.automation.mitigation.mitigate import Turn
from dagster_project.automation.mitigation.plans import KIND, Plan
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.errors import DecisionError
from dagster_project.files import write_json, write_text
from dagster_project.home import PLAYBOOK, Home
from dagster_project.simulation.shop.story import PLATFORMS
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.baselines import alarms, blamed, error_rate
from dagster_project.simulation.worlds.reactions import Act, react
from dagster_project.simulation.worlds.scenario import Flag
from dagster_project.simulation.worlds.simulate import Simulation

_FALLBACK = "payment-fallback"
_PERSON = "somebody"
_NO_LIMIT = 1_000_000
"""One home holds a hundred products: what limits one of them must not limit the others."""
_MOST_ROLLBACKS = 5


@dataclass(frozen=True)
class Treated:
    """A world, and what became of it: the acts in force, in order, and the world as it went with them."""

    untreated: Simulation
    acts: tuple[Act, ...]
    treated: Simulation


def play(
    home: Home, simulations: Sequence[Simulation], looks: Sequence[datetime], progress: runner.Progress = lambda _: None
) -> list[Treated]:
    """Play the policy over these worlds, in a home of their own.

    Raises:
        DecisionError: a plan could not be made or carried out: nothing here goes wrong by itself.
    """
    worlds = {simulation.world.product: simulation for simulation in simulations}
    acts: dict[str, tuple[Act, ...]] = dict.fromkeys(worlds, ())
    runner.set_up(home, simulations)
    write_text(home.root / "playbook.yml", yaml.safe_dump(_playbook(), sort_keys=False))
    write_json(home.control, _control(simulations))
    seen: set[str] = set()
    for look in runner.decisions(home, looks, progress):
        in_force = _turn(home, look, seen)
        for plan in in_force:
            product = plan.product
            act = _act_of(plan, (look - worlds[product].onset_at()) / timedelta(hours=1))
            worlds[product], acts[product] = react(worlds[product], act), (*acts[product], act)
            progress(f"{look:%d %b %H:%M} {product}: {act.kind} {act.change}")
        if in_force:
            runner.set_up(home, list(worlds.values()))
    return [Treated(one, acts[one.world.product], worlds[one.world.product]) for one in simulations]


def roll_back_at_errors(simulation: Simulation, threshold: float, since: datetime) -> Treated:
    """The rival: whenever the error rate is so many times the usual one, the latest release is rolled back.

    It may act from an instant on, the first at which the policy may.
    """
    world, acts = simulation, tuple[Act, ...]()
    first = (since - simulation.onset_at()) / timedelta(hours=1)
    while len(acts) < _MOST_ROLLBACKS:
        done, last = {act.change for act in acts}, acts[-1].hour if acts else first
        raised = [hour for hour in alarms(world, error_rate(world), threshold).hours if hour >= last]
        blames = [(hour, (blamed(world, hour) or "").rpartition(":")[2]) for hour in raised]
        new = next(((hour, version) for hour, version in blames if version and version not in done), None)
        if new is None:
            break
        acts = (*acts, Act("roll back", *new))
        world = react(world, acts[-1])
    return Treated(simulation, acts, world)


def _turn(home: Home, now: datetime, seen: set[str]) -> list[Plan]:
    """One turn of the ladder; returns the plans that came into force."""
    ledger = Ledger.of(home, now=now)
    turn = Turn(home, ledger, load_playbook(home.playbook), now, lambda _: None)
    report = turn.run()
    for proposal in ledger.proposals.live():
        if proposal.state is ProposalState.PROPOSED:
            turn.cast(Vote(True, proposal.proposal_id, _PERSON, "cli", "agreed"))
    turn.close()
    if report.problems:
        raise DecisionError("; ".join(report.problems))
    in_force = [one for one in ledger.proposals.all(KIND) if one.state is ProposalState.IN_FORCE]
    new = [one for one in in_force if one.proposal_id not in seen]
    seen.update(one.proposal_id for one in new)
    return [Plan.of(one) for one in new]


def _act_of(plan: Plan, hour: float) -> Act:
    """What a plan changes in its world."""
    if "halted" in plan.desired:
        return Act("halt", hour, plan.evidence["suspect_version"])
    if "version" in plan.desired:
        return Act("roll back", hour, plan.evidence["suspect_version"])
    if plan.item.endswith(_FALLBACK):
        return Act("fallback", hour)
    return Act("flag off", hour, plan.evidence["suspect_flag"])


def _playbook() -> dict[str, Any]:
    """The packaged playbook, all of it on, with an item for each product."""
    content: dict[str, Any] = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
    content["approvals"] |= {"max_automatic_per_day": _NO_LIMIT, "breaker_after": _NO_LIMIT}
    content["approvers"] = {_PERSON: {}}
    for mitigation in content["mitigations"].values():
        group, _, name = mitigation["do"]["item"].partition("/")
        mitigation["do"]["item"] = f"{group}/{{product}}/{name}"
        mitigation["mode"] = "approve" if mitigation["tier"] == 3 else "auto"
        mitigation["max_per_day"] = _NO_LIMIT
    return content


def _control(simulations: Sequence[Simulation]) -> dict[str, dict[str, Any]]:
    """The control system of all worlds: their flags, a fallback, and the newest version of each platform."""
    flags: dict[str, Any] = {}
    releases: dict[str, Any] = {}
    for simulation in simulations:
        product = simulation.world.product
        keys = [change.key for change in simulation.world.plot.changes if isinstance(change, Flag)]
        for key in (*keys, *(f"trial_{number}" for number in range(4))):
            flags[f"{product}/{key}"] = {"enabled": True}
        flags[f"{product}/{_FALLBACK}"] = {"enabled": False}
        for platform in PLATFORMS:
            out = [version for version, one in simulation.releases if one.platform == platform and one.hour <= 0]
            releases[f"{product}/{platform}"] = {"version": out[-1], "halted": False}
    return {"flags": flags, "releases": releases}
