"""Simulated control system: flags, traffic weights and releases in memory, behind the protocol of an actuator.

Every call is a step. ``tick`` is called before each, so that a scenario can change something just then: set the stop
switch, move the clock, let a person act. ``faults`` says at which steps what goes wrong. ``journal`` has every write
that reached the system, whatever its caller was told: by it a test sees that each act happened once, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal

from dagster_project.automation.actuators.base import (
    AwaitingApproval,
    Conflict,
    Desired,
    Preflight,
    Reading,
    State,
    canonical,
)
from dagster_project.automation.actuators.config import Target
from dagster_project.automation.actuators.local import LocalState
from dagster_project.automation.actuators.settings import TargetSettings
from dagster_project.automation.outcomes import Deferred, DeliveryError, NotSent, Rejected, Unknown
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

Tick = Callable[[int], None]


class Fault(StrEnum):
    """Something that goes wrong in one call.

    ``DOWN`` also fails a reading; the others fail writes alone, and a step with another call goes well.
    """

    DOWN = "down"
    """No connection: nothing was sent."""
    BUSY = "busy"
    """Asks to wait a minute."""
    REFUSED = "refused"
    """Refuses for good."""
    LOST_REQUEST = "lost request"
    """The connection breaks before the write arrives."""
    LOST_ANSWER = "lost answer"
    """The write arrives, and its answer does not."""
    SLOW = "slow"
    """The write arrives, and shows only after the settle time."""
    CHANGED = "changed"
    """A person changes the state just before the write."""
    AWAITING_APPROVAL = "awaiting approval"
    """The system wants an approval of its own."""
    REVERTED = "reverted"
    """The write arrives, is read back, and a reload then restores what was before: drift."""


@dataclass(frozen=True)
class Write:
    """A write that reached the control system."""

    step: int
    at: datetime
    item: str
    before: State
    after: State
    note: str


@dataclass
class SimulatedControl:
    """Control system with these items; ``faults`` by step, ``outage`` while it is down altogether."""

    items: dict[str, State]
    name: str = "control"
    clock: Callable[[], datetime] = lambda: datetime(2026, 1, 1, tzinfo=UTC)
    settle_seconds: float = 0.0
    faults: Mapping[int, Fault] = field(default_factory=dict)
    tick: Tick = lambda _: None
    outage: bool = False
    step: int = 0
    journal: list[Write] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._coming: list[tuple[datetime, str, State]] = []

    # ---------- the actuator

    def read(self, item: str) -> Reading:
        """The state of an item; one that is not there is refused."""
        self._begin()
        return self._reading(item)

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if all that is named has the wanted value."""
        return _merged(reading.state, desired) == dict(reading.state)

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set what is named."""
        return self._write(before, _merged(before.state, desired), note)

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the whole state before."""
        return self._write(applied, dict(before.state), note)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That some traffic is left to somebody, where traffic is shifted."""
        weights = _merged(reading.state, desired).get("weights")
        if not weights:
            return ()
        up = sum(weights.values()) > 0
        return (Preflight("receiver_healthy", up, "some backend gets traffic" if up else "no backend would"),)

    def effect(self, item: str, desired: State) -> bool | None:
        """The second path: what users meet now; None while the system is down."""
        return None if self.outage else self.shows(self._reading(item), desired)

    # ---------- the world around it

    def person_sets(self, item: str, **state: Any) -> None:
        """A person changes a state, by the system's own means."""
        self.items[item] = _merged(self.items[item], state)

    def writes(self, item: str) -> int:
        """The number of writes that reached an item."""
        return sum(write.item == item for write in self.journal)

    # ---------- inside

    def _begin(self) -> Fault | None:
        """Begin a step; returns the fault of a write."""
        self.step += 1
        self.tick(self.step)
        fault = Fault.DOWN if self.outage else self.faults.get(self.step)
        if fault is Fault.DOWN:
            raise DeliveryError(NotSent(f"{self.name} cannot be reached"))
        return fault

    def _write(self, expected: Reading, wanted: State, note: str) -> Reading:
        fault, item = self._begin(), expected.item
        if fault is Fault.CHANGED:
            self.person_sets(item, changed_by="a person")
        if refusal := self._refusal(fault):
            raise refusal
        now = self._reading(item)
        if now.state == wanted:
            return now
        if now.state != expected.state:
            raise Conflict(f"{item} is {canonical(now.state)}, no longer {canonical(expected.state)}", now)
        self.journal.append(Write(self.step, self.clock(), item, now.state, wanted, note))
        if fault is Fault.SLOW:
            self._coming.append((self.clock() + timedelta(seconds=self.settle_seconds), item, wanted))
            raise DeliveryError(Unknown("it was sent, and does not show yet"))
        self.items[item] = wanted
        if fault is Fault.LOST_ANSWER:
            raise DeliveryError(Unknown("the connection broke before the answer"))
        after = self._reading(item)
        if fault is Fault.REVERTED:
            self.items[item] = now.state
        return after

    def _refusal(self, fault: Fault | None) -> DeliveryError | None:
        """The error of a write that does not arrive."""
        match fault:
            case Fault.BUSY:
                return DeliveryError(Deferred("asks to wait", timedelta(minutes=1)))
            case Fault.REFUSED:
                return DeliveryError(Rejected("refused"))
            case Fault.LOST_REQUEST:
                return DeliveryError(Unknown("the connection broke"))
            case Fault.AWAITING_APPROVAL:
                return AwaitingApproval("a change request waits", f"https://control.example.com/{self.name}/1")
        return None

    def _reading(self, item: str) -> Reading:
        for due in [one for one in self._coming if one[0] <= self.clock()]:
            self._coming.remove(due)
            self.items[due[1]] = due[2]
        if item not in self.items:
            raise DeliveryError(Rejected(f"{self.name} has no {item}"))
        state = dict(self.items[item])
        return Reading(item, state, url=f"https://control.example.com/{self.name}/{item}")


class SimulatedSettings(TargetSettings):
    """Settings of a simulated target; its actuator is handed over, never built."""

    DESIRED: ClassVar[type[Desired]] = LocalState

    kind: Literal["simulated"] = "simulated"

    def build(self, home: Home) -> SimulatedControl:
        """No actuator of its own: whoever plays a scenario has it.

        Raises:
            ConfigurationError: always; a playbook cannot name this kind.
        """
        raise ConfigurationError(f"target {self.name}: kind simulated is for rehearsals in tests; name another kind")


def target_of(control: SimulatedControl, **settings: Any) -> Target:
    """A simulated control system as a configured target."""
    return Target(control.name, SimulatedSettings(name=control.name, **settings), control)


def _merged(state: State, desired: State) -> dict[str, Any]:
    """The state with what is desired in it; weights of backends that are not named stay."""
    named = {name: value for name, value in desired.items() if value is not None}
    if "weights" in named:
        named["weights"] = {**state.get("weights", {}), **named["weights"]}
    return {**state, **named}
