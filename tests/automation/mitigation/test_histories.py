"""Randomised histories of mitigations: nothing acts but what may, and whatever happens the ledger tells the truth.

Hypothesis drives the decision, people, clocks, the stop switch and two processes of ours at once, over control systems
that refuse, lose answers, answer late or are down; processes die at any step. ``Oracle`` judges each write as it leaves
and each history when all is quiet again.

    python -m pytest tests/automation/mitigation/test_histories.py            # some hundred, in every test run
    HISTORIES=10000 python -m pytest tests/automation/mitigation/test_histories.py    # others each time
    python -m pytest tests/automation/mitigation/test_histories.py -m soak            # ten thousand, always the same
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dagster_project.automation.ledger.proposals import HOLDING, ProposalState
from dagster_project.automation.mitigation.plans import Plan
from tests.automation.mitigation.in_memory import fresh_world
from tests.automation.mitigation.oracle import APPROVERS
from tests.automation.mitigation.world import CATALOG, FAULTS, ITEMS, PEOPLE, Process, playbook

HISTORIES = int(os.environ.get("HISTORIES", "300"))

SETTINGS = settings(
    max_examples=HISTORIES,
    stateful_step_count=14,
    deadline=None,
    derandomize="HISTORIES" not in os.environ,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

WHICH = st.integers(0, len(CATALOG) - 1)
ITEM = st.sampled_from(sorted(ITEMS))
PERSON = st.sampled_from(PEOPLE)
DEATH = st.none() | st.none() | st.integers(1, 40)
AT = st.integers(1, 30)

Action = tuple[Any, ...]
BETWEEN_STEPS = st.one_of(
    st.tuples(st.just("worker"), st.none() | st.integers(1, 30)),
    st.tuples(st.sampled_from(["stop", "resume"])),
    st.tuples(st.just("person"), ITEM, st.integers(0, 3)),
    st.tuples(st.just("vote"), PERSON, st.integers(0, 5)),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("jump"), st.sampled_from([-20, 5, 20])),
)
"""What happens at a step of a process."""
MODE = st.sampled_from(["shadow", "approve", "auto", "auto"])
VERDICT = st.sampled_from(["regression", "regression", "inconclusive"])
CHANGES = st.one_of(
    st.tuples(st.just("decide"), WHICH, MODE, VERDICT, st.booleans()),
    st.tuples(st.just("decide"), WHICH, MODE, VERDICT, st.booleans()),
    st.tuples(st.just("withhold"), WHICH),
    st.tuples(st.just("move"), st.sampled_from(["control", "edge"])),
    st.tuples(st.just("health"), ITEM),
    st.tuples(st.just("over"), WHICH),
    st.tuples(st.just("effect"), st.integers(0, 5), st.sampled_from(["effective", "ineffective"])),
    st.tuples(st.just("propose"), WHICH, st.sampled_from(APPROVERS)),
    st.tuples(st.sampled_from(["stop", "resume"])),
    st.tuples(st.just("person"), ITEM, st.integers(0, 3)),
    st.tuples(st.just("jump"), st.sampled_from([-600, -20, -5, 5, 20, 600])),
)
"""What happens between turns."""
MEANWHILE = st.dictionaries(AT, BETWEEN_STEPS, max_size=3)
WRITES = st.lists(st.sampled_from(("ok", "ok", *FAULTS)), max_size=4)


class History(RuleBasedStateMachine):
    """One stretch of life of two issues and two control systems."""

    @initialize(
        asked=st.lists(WHICH, unique=True, max_size=3),
        mode=st.sampled_from(["approve", "auto"]),
        most=st.sampled_from([1, 5]),
    )
    def begin(self, asked: list[int], mode: str, most: int) -> None:
        self.world = fresh_world()
        self.world.playbook = playbook(most)
        for which in asked:
            self.world.asked[which] = replace(CATALOG[which], mode=mode)

    @rule(change=CHANGES)
    def something_changes(self, change: Action) -> None:
        self._action(*change)()

    @rule(seconds=st.sampled_from([1, 20, 61, 200, 900, 3600, 30_000, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_(seconds=seconds)

    @rule(
        person=PERSON,
        number=st.integers(0, 5),
        approves=st.sampled_from([True, True, True, False]),
        writes=WRITES,
        meanwhile=MEANWHILE,
        dies_at=DEATH,
    )
    def a_vote(
        self,
        person: str,
        number: int,
        approves: bool,
        writes: list[str],
        meanwhile: dict[int, Action],
        dies_at: int | None,
    ) -> None:
        self.world.faults = iter(writes)
        for plan in self._one(self._waiting(), number):
            self.world.vote(person, plan, approves=approves, process=self._process(meanwhile, dies_at))

    @rule(person=PERSON, number=st.integers(0, 5), writes=WRITES, meanwhile=MEANWHILE, dies_at=DEATH)
    def an_undo(
        self, person: str, number: int, writes: list[str], meanwhile: dict[int, Action], dies_at: int | None
    ) -> None:
        self.world.faults = iter(writes)
        for plan in self._one(self._held(), number):
            self.world.undo(plan, person, self._process(meanwhile, dies_at))

    @rule(
        seconds=st.sampled_from([1, 61, 900]),
        writes=WRITES,
        down=st.sampled_from([False, False, True]),
        meanwhile=MEANWHILE,
        dies_at=DEATH,
    )
    def a_turn(
        self, seconds: int, writes: list[str], down: bool, meanwhile: dict[int, Action], dies_at: int | None
    ) -> None:
        self.world.pass_(seconds=seconds)
        self.world.faults, self.world.is_down = iter(writes), down
        self.world.run(self._process(meanwhile, dies_at))
        self.world.is_down = False

    def teardown(self) -> None:
        world = self.world
        world.faults, world.is_down = iter(()), False
        world.jump(0)
        world.resume()
        for hours in (1, 26, 1):
            world.pass_(hours=hours)
            assert world.run() == []
        world.oracle.everything_agrees()
        world.oracle.everything_can_be_undone()

    # ---------- what the rules name by numbers

    def _process(self, meanwhile: dict[int, Action], dies_at: int | None) -> Process:
        return Process({at: self._action(*action) for at, action in meanwhile.items()}, dies_at)

    def _action(self, kind: str, *given: Any) -> Callable[[], object]:
        world = self.world

        def act() -> None:
            match kind, *given:
                case "worker", dies_at:
                    world.run(Process(dies_at=dies_at))
                case ("stop" | "resume" as way,):
                    getattr(world, way)()
                case "person", item, which:
                    world.person_changes(item, which)
                case "vote", person, number:
                    for plan in self._one(self._waiting(), number):
                        world.vote(person, plan, approves=True)
                case "undo", number:
                    for plan in self._one(self._held(), number):
                        world.undo(plan, "dana")
                case "jump", minutes:
                    world.jump(minutes)
                case "decide", which, mode, verdict, critical:
                    world.asked[which] = replace(CATALOG[which], mode=mode, verdict=verdict, critical=critical)
                case "withhold", which:
                    world.asked.pop(which, None)
                case "move", name if all(plan.target != name for plan in world.in_state(*HOLDING)):
                    world.places[name] = f"{name}.json" if world.places[name] == "b.json" else "b.json"
                case "health", item:
                    world.unhealthy ^= {item}
                case "over", which:
                    world.over ^= {CATALOG[which].issue_id}
                case "effect", number, effect:
                    for plan in self._one(world.in_state(ProposalState.IN_FORCE), number):
                        world.told[plan.plan_id] = effect
                case "propose", which, person:
                    world.propose(which, person)

        return act

    def _waiting(self) -> list[Plan]:
        return self.world.in_state(ProposalState.PROPOSED, ProposalState.APPROVED)

    def _held(self) -> list[Plan]:
        return self.world.in_state(ProposalState.IN_FORCE, ProposalState.UNDOING)

    def _one(self, plans: list[Plan], number: int) -> list[Plan]:
        return [plans[number % len(plans)]] if plans else []


@pytest.mark.long
@pytest.mark.usefixtures("in_memory")
def test_nothing_acts_but_what_may() -> None:
    run_state_machine_as_test(History, settings=SETTINGS)


BETWEEN = [
    pytest.param(None, id="death", marks=pytest.mark.long),
    pytest.param(("worker", None), id="another run", marks=pytest.mark.long),
    pytest.param(("stop",), id="stop", marks=pytest.mark.soak),
    pytest.param(("undo", 0), id="undo", marks=pytest.mark.soak),
    pytest.param(("person", "flags/new-checkout", 2), id="a person", marks=pytest.mark.soak),
    pytest.param(("jump", -20), id="clock back", marks=pytest.mark.soak),
]


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("between", BETWEEN)
def test_another_run_a_stop_or_death_at_each_step_of_an_act(fault: str, between: Action | None) -> None:
    at_each_step_of_an_act(fault, between)


def at_each_step_of_an_act(fault: str, between: Action | None) -> None:
    """Histories of one act whose first write goes wrong, with something between each two steps of it."""
    for meanwhile, dies_at in _at_each_step(between):
        history = History()
        history.begin(asked=[0], mode="auto", most=5)
        history.a_turn(seconds=61, writes=[fault, "ok"], down=False, meanwhile=meanwhile, dies_at=dies_at)
        history.teardown()


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("between", BETWEEN)
def test_another_run_a_stop_or_death_at_each_step_of_an_undo(fault: str, between: Action | None) -> None:
    for meanwhile, dies_at in _at_each_step(between):
        history = History()
        history.begin(asked=[0], mode="auto", most=5)
        history.a_turn(seconds=61, writes=[], down=False, meanwhile={}, dies_at=None)
        history.an_undo(person="dana", number=0, writes=[fault, "ok"], meanwhile=meanwhile, dies_at=dies_at)
        history.teardown()


@pytest.mark.usefixtures("in_memory")
def test_a_stop_and_soon_a_resume_at_each_step_of_an_act() -> None:
    for step in range(1, 31):
        history = History()
        history.begin(asked=[0], mode="auto", most=5)
        meanwhile: dict[int, Action] = {step: ("stop",), step + 2: ("resume",)}
        history.a_turn(seconds=61, writes=[], down=False, meanwhile=meanwhile, dies_at=None)
        world = history.world
        assert world.is_stopped == (world.ledger.switch.stopped() is not None), (
            f"step {step}: the oracle and the ledger differ"
        )
        history.teardown()


def _at_each_step(between: Action | None) -> Iterator[tuple[dict[int, Action], int | None]]:
    """What happens at one step of a process, for each step; without it, the step at which the process dies."""
    for step in range(1, 31):
        yield ({step: between}, None) if between else ({}, step)


@pytest.mark.soak
@pytest.mark.usefixtures("in_memory")
def test_nothing_acts_but_what_may_in_ten_thousand_histories() -> None:
    run_state_machine_as_test(History, settings=settings(SETTINGS, max_examples=10_000))
