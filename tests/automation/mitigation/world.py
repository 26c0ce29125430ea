"""World of the mitigation histories: control systems in memory, people, a decision, processes of ours that may die.

Every transaction of the ledger and every call of a control system is a step of the process that makes it. At a step the
process may die, or something else may happen first: another process of ours, a vote, a person at the control system,
the stop switch. ``Oracle`` (``oracle.py``) sees all that reaches a control system and holds it against the promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.automation.actuators.base import AwaitingApproval, Conflict, Preflight, Reading, State, canonical
from dagster_project.automation.actuators.config import Target
from dagster_project.automation.actuators.local import LocalControlSettings
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal, ProposalState
from dagster_project.automation.mitigation.approvals import Vote
from dagster_project.automation.mitigation.execution import Author
from dagster_project.automation.mitigation.mitigate import Turn
from dagster_project.automation.mitigation.planner import Targets
from dagster_project.automation.mitigation.plans import KIND, Plan, Wanted
from dagster_project.automation.outcomes import Deferred, DeliveryError, NotSent, Rejected, Unknown
from dagster_project.decisioning.mitigations import Approvals, Approver
from dagster_project.decisioning.playbook import Playbook, load_playbook
from dagster_project.errors import ConfigurationError
from dagster_project.home import PLAYBOOK, Home
from tests.automation.mitigation.oracle import Oracle
from tests.automation.mitigation.support import FLAG, ROLLBACK
from tests.automation.support import NOW, KilledError

FAULTS = (
    *("down", "busy", "refused", "awaits approval"),
    *("lost before", "lost after", "late", "broken after", "slow", "changed before", "changed after"),
)
"""What may go wrong with one write; ``late`` arrives within the settle time, and ``slow`` outlives its lease."""

SETTLE_SECONDS = 30.0

PEOPLE = ("dana", "kim", "mallory")
"""Two approvers, and somebody who is none."""

CATALOG: tuple[Wanted, ...] = (
    FLAG,
    ROLLBACK,
    replace(FLAG, issue_id="ISS-2", mitigation="variant", desired='{"enabled":false,"variant":"b"}', undo="auto"),
    replace(
        FLAG,
        issue_id="ISS-2",
        mitigation="shift",
        tier=2,
        target="edge",
        item="traffic/checkout",
        desired='{"weights":{"canary":0}}',
        undo="auto",
    ),
)

ITEMS: Mapping[str, State] = {
    "flags/new-checkout": {"enabled": True, "rollout": 50},
    "releases/android": {"version": "5.2.0", "halted": False},
    "traffic/checkout": {"weights": {"stable": 90, "canary": 10}},
}

PATCHES: Mapping[str, tuple[State, ...]] = {
    "flags/new-checkout": ({"enabled": True}, {"enabled": False}, {"rollout": 80}, {"enabled": True, "rollout": 50}),
    "releases/android": ({"version": "5.2.0"}, {"version": "5.3.0"}, {"halted": True}),
    "traffic/checkout": ({"weights": {"stable": 90, "canary": 10}}, {"weights": {"stable": 50, "canary": 50}}),
}
"""What people do at the control systems."""


@dataclass
class Process:
    """One process of ours, with what happens at its steps, by their number."""

    meanwhile: dict[int, Callable[[], object]] = field(default_factory=dict)
    dies_at: int | None = None
    steps: int = 0
    dead: bool = False
    offset: timedelta = timedelta()

    def step(self, *, alone: bool = False) -> None:
        """One more step; ``alone`` where nothing else can come between."""
        self.steps += 1
        if self.dead or self.steps == self.dies_at:
            self.dead = True
            raise KilledError
        due = min(self.meanwhile, default=None)
        if due is not None and due <= self.steps and not alone:
            self.meanwhile.pop(due)()


class Control:
    """A control system in memory; a write is conditional on the state that it was decided on."""

    settle_seconds = SETTLE_SECONDS
    is_conditional = True

    def __init__(self, name: str, world: World) -> None:
        self.name, self._world = name, world

    def read(self, item: str) -> Reading:
        """The state of an item now."""
        self._world.step()
        if self._world.is_down:
            raise DeliveryError(NotSent("no connection"))
        self._world.oracle.was_read(item)
        return self._world.reading(item)

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the desired state changes nothing."""
        return merged(reading.state, desired) == reading.state

    def after(self, before: State, desired: State) -> State:
        """The state that the act leaves."""
        return merged(before, desired)

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set what is named."""
        return self._write("apply", before, merged(before.state, desired), note)

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the whole state before."""
        return self._write("undo", applied, dict(before.state), note)

    def preflights(self, item: str, desired: State, reading: Reading) -> list[Preflight]:
        """That the side that receives is healthy."""
        healthy = item not in self._world.unhealthy
        return [Preflight("receiver_healthy", healthy, "it is healthy" if healthy else "it is down")]

    def _write(self, act: str, expected: Reading, wanted: State, note: str) -> Reading:
        world, item = self._world, expected.item
        world.step(alone=True)
        plan = world.plan_of(note)
        fault = "down" if world.is_down else next(world.faults, "ok")
        if fault == "down":
            raise DeliveryError(NotSent("no connection"))
        world.oracle.was_sent(act, plan)
        if fault == "changed before":
            world.person_changes(item, 0)
        refusals: dict[str, DeliveryError] = {
            "busy": DeliveryError(Deferred("slow down", timedelta(seconds=90))),
            "refused": DeliveryError(Rejected("refused")),
            "awaits approval": AwaitingApproval("change request 7 waits", "https://control.example.com/7"),
        }
        if fault in refusals:
            world.oracle.did_not_arrive(act, plan)
            raise refusals[fault]
        if fault == "lost before":
            raise DeliveryError(Unknown("timed out"))
        if fault == "late" and world.processes[-1].offset == world.offset:  # else no clock of ours can tell how late
            world.on_the_way.append((world.truth + timedelta(seconds=20), lambda: self._late(act, plan, wanted)))
            raise DeliveryError(Unknown("timed out"))
        if fault == "slow":
            world.pass_(seconds=130)
        self._arrive(act, plan, expected.state, wanted)
        if fault == "changed after":
            world.person_changes(item, 2)
        world.step()
        if fault in ("lost after", "late"):
            raise DeliveryError(Unknown("timed out"))
        if fault == "broken after":
            raise KeyError("state")
        seen = world.reading(item)
        if not (self.shows(seen, plan.desired) if act == "apply" else seen.state == wanted):
            raise DeliveryError(Unknown(f"written, but it is {canonical(seen.state)}"))
        return seen

    def _late(self, act: str, plan: Plan, wanted: State) -> None:
        expected = plan.before.state if act == "apply" else self._world.oracle.left_by(plan)
        try:
            self._arrive(act, plan, expected, wanted)
        except DeliveryError:
            self._world.oracle.did_not_arrive(act, plan)

    def _arrive(self, act: str, plan: Plan, expected: State, wanted: State) -> None:
        world, now = self._world, self._world.items[plan.item]
        if now == wanted:
            world.oracle.was_there(act, plan, now)
            return
        if now != expected and self.is_conditional:
            world.oracle.did_not_arrive(act, plan)
            raise Conflict(f"it is {canonical(now)}", world.reading(plan.item))
        world.set_state(plan.item, wanted)
        world.oracle.took_effect(act, plan, now, wanted)


class TargetsInMemory(Targets):
    """The targets of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, name: str) -> Target:
        """One target."""
        settings = LocalControlSettings(name=name, file=Path(self._world.places[name]))
        return Target(name, settings, self._world.controls[name])

    def close(self) -> None:
        """Nothing is held."""


class World:
    """Everything that a history plays in. Time passes in ``truth``; our clock may differ from it."""

    current: World

    def __init__(self, home: Home, ledger: Ledger) -> None:
        World.current = self
        self.home, self.ledger = home, ledger
        self.truth, self.offset = NOW, timedelta()
        self.items = {item: dict(state) for item, state in ITEMS.items()}
        self.versions = dict.fromkeys(ITEMS, 1)
        self.controls = {name: Control(name, self) for name in ("control", "edge")}
        self.places = {name: f"{name}.json" for name in self.controls}
        self.playbook = playbook(1)
        self.asked: dict[int, Wanted] = {}
        self.over: set[str] = set()
        self.told: dict[str, str] = {}
        self.unhealthy: set[str] = set()
        self.is_down = self.is_stopped = False
        self.faults: Iterator[str] = iter(())
        self.on_the_way: list[tuple[datetime, Callable[[], None]]] = []
        self.processes: list[Process] = []
        self.lake: list[dict[str, object]] = []
        self.oracle = Oracle(self)

    # ---------- time

    @property
    def now(self) -> datetime:
        """Our clock."""
        return self.truth + self.offset

    def turn_now(self) -> datetime:
        """The clock of the process that runs now."""
        return self.truth + self.processes[-1].offset

    def pass_(self, **duration: float) -> None:
        """Let time go by."""
        self.truth += timedelta(**duration)
        self.arrive()

    def jump(self, minutes: int) -> None:
        """Our clock jumps; whatever was on its way has arrived by then."""
        self.offset += timedelta(minutes=minutes)
        self.arrive(everything=True)

    def arrive(self, *, everything: bool = False) -> None:
        """Let the writes arrive that are due."""
        for due in [one for one in self.on_the_way if everything or one[0] <= self.truth]:
            self.on_the_way.remove(due)
            due[1]()

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps."""
        return (self.truth - NOW).total_seconds()

    # ---------- processes of ours

    def step(self, *, alone: bool = False) -> None:
        """One step of the process that runs now."""
        if self.processes:
            self.processes[-1].step(alone=alone)

    @contextmanager
    def process(self, process: Process) -> Iterator[None]:
        """A block that is a process of its own; death ends it."""
        process.offset = self.offset  # a clock that jumps later is not its own: it counts on
        self.processes.append(process)
        try:
            yield
        except KilledError:
            pass
        finally:
            self.processes.pop()

    def turn(self) -> Turn:
        """A turn as it begins now."""
        settings = {"decided": self, "targets": TargetsInMemory(self)}
        return Turn(self.home, self.ledger, self.playbook, self.now, lambda _: None, **settings)  # type: ignore[arg-type]

    def run(self, process: Process | None = None) -> list[str]:
        """One turn; returns its problems."""
        turn = self.turn()
        with self.process(process or Process()):
            turn.run()
        return turn.report.problems

    def vote(self, person: str, plan: Plan, *, approves: bool, process: Process | None = None) -> None:
        """A person votes, and the plan is acted upon at once if that was the last vote that it needed."""
        self.oracle.was_voted(plan, person, approves=approves)
        with self.process(process or Process()):
            self.turn().cast(Vote(approves, plan.plan_id, person, "cli", "because"))

    def undo(self, plan: Plan, person: str, process: Process | None = None) -> None:
        """A person undoes a plan."""
        self.oracle.undo_was_asked(plan)
        with self.process(process or Process()):
            try:
                self.turn().undo(self.ledger.proposals.get(plan.plan_id), Author(person, "cli"))
            except (ConfigurationError, DeliveryError):
                return  # it was not in force, or cannot be reached

    def propose(self, which: int, person: str) -> None:
        """A person proposes a mitigation."""
        with self.process(Process()):
            try:
                self.turn().propose(*CATALOG[which].key, person)
            except ConfigurationError:
                return

    def stop(self) -> None:
        """A person stops all acts, by a process of their own: nothing comes between the ledger and the oracle."""
        with self.process(Process()):
            self.ledger.switch.stop("kim", "wait", self.now)
        self.is_stopped = True

    def resume(self) -> None:
        """A person lets acts go on, likewise."""
        with self.process(Process()):
            self.ledger.switch.resume("kim", "fine", self.now)
        self.is_stopped = False

    # ---------- the control systems

    def reading(self, item: str) -> Reading:
        """The true state of an item."""
        return Reading(item, dict(self.items[item]), version=str(self.versions[item]))

    def set_state(self, item: str, state: State) -> None:
        """Change an item."""
        self.items[item] = dict(state)
        self.versions[item] += 1

    def person_changes(self, item: str, which: int) -> None:
        """A person changes an item, by the control system's own means."""
        patches = PATCHES[item]
        state = {**self.items[item], **patches[which % len(patches)]}
        if state != self.items[item]:
            self.set_state(item, state)
            self.oracle.person_changed(item, state)

    # ---------- the plans

    def proposals(self) -> list[Proposal]:
        """Every plan, oldest first."""
        return self.ledger.proposals.all(KIND)

    def in_state(self, *states: ProposalState) -> list[Plan]:
        """The plans that are in one of these states."""
        return [Plan.of(one) for one in self.proposals() if one.state in states]

    def plan_of(self, note: str) -> Plan:
        """The plan that a note to a control system names."""
        (proposal,) = self.ledger.proposals.named(note.split("plan ")[1].split(" ", maxsplit=1)[0])
        return Plan.of(proposal)

    # ---------- the decision (``Decided``)

    def wanted(self) -> list[Wanted]:
        """What is asked for now."""
        return [self.asked[which] for which in sorted(self.asked)]

    def candidate(self, issue_id: str, mitigation: str) -> Wanted:
        """What a person may propose now."""
        found = [one for one in self.asked.values() if one.key == (issue_id, mitigation)]
        if not found:
            raise ConfigurationError("the evidence is too thin")
        return replace(found[0], mode="approve")

    def issue_states(self) -> dict[str, str]:
        """The status of the issues."""
        return {one.issue_id: "resolved" if one.issue_id in self.over else "open" for one in CATALOG}

    def effects(self) -> dict[str, str]:
        """What is known of the effects."""
        return self.told

    # ---------- the lake

    def land(self, _home: Home, _table: str, rows: list[dict[str, object]]) -> None:
        """Append to the exported events; before and after it the process may die."""
        self.step(alone=True)
        self.lake += rows
        self.step(alone=True)


def merged(state: State, desired: State) -> dict[str, Any]:
    """The state with what is desired in it."""
    wanted = dict(desired)
    if "weights" in wanted:
        wanted["weights"] = {**state.get("weights", {}), **wanted["weights"]}
    return {**state, **wanted}


@cache
def playbook(most_a_day: int) -> Playbook:
    """The packaged playbook with two approvers, so many automatic acts a day, and a breaker after one."""
    approvals = Approvals(max_automatic_per_day=most_a_day, breaker_after=1)
    approvers = {name: Approver() for name in PEOPLE[:2]}
    return load_playbook(PLAYBOOK).model_copy(update={"approvals": approvals, "approvers": approvers})
