"""Protocol of an actuator: the adapter of one control system, where a state can be set that limits harm.

An actuator knows one system and nothing of the ledger. An *item* is what has a state there: a flag, a route, a rollout.
Its methods return what they read, or raise ``DeliveryError`` with the outcome; ``Conflict`` and ``AwaitingApproval``
are two such errors with a meaning of their own. The rules (``docs/control_systems.md``):

    read      the state word for word: all that is needed to restore it, with the system's version of it
    apply     "make it so", repeatable; refused as a conflict if the state is no longer the one that was read before.
              By the condition that the system offers (If-Match, resourceVersion), else by reading just before
    restore   the state before, word for word; the same condition, on the state that ``apply`` left
    shows     whether a reading has the desired state; no I/O

Each returns only what it has read back. What else a system can do is a protocol of its own, checked structurally:
``Previews`` (dry run), ``VerifiesEffect`` (a second path), ``Predicts`` (the state that an act leaves).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from dagster_project.automation.outcomes import Deferred, DeliveryError, Rejected

State = Mapping[str, Any]
"""JSON: a desired state as the playbook writes it, or a state as the system has it."""


@dataclass(frozen=True)
class Reading:
    """State of one item, as it was read.

    ``state`` is all that ``restore`` needs, word for word, without what changes by itself (times, counters).
    ``version`` is the system's own word for it (an ETag, a resourceVersion), empty where there is none. ``url`` is for
    people.
    """

    item: str
    state: State
    version: str = ""
    url: str = ""

    @property
    def external_id(self) -> str:
        """The item, as the ledger's id of what was written."""
        return self.item

    @property
    def digest(self) -> str:
        """Hash of the state: equal for equal states, whatever the version."""
        return digest_of(self.state)


def digest_of(state: State) -> str:
    """SHA-256 of canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical(state).encode()).hexdigest()


def canonical(content: Any) -> str:
    """JSON with sorted keys and no spaces: equal text for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class Preflight:
    """Answer to one question that is asked before an act. ``passed`` is None where the system cannot tell.

    ``name`` is one of ``PREFLIGHTS``. ``answer`` is one line for people. An act whose pre-flight failed is not proposed
    for execution; an unknown answer is shown to those who approve.
    """

    name: str
    passed: bool | None
    answer: str


PREFLIGHTS = {
    "target_reachable": "The control system answers, and has the item.",
    "receiver_healthy": "What is to receive the traffic is up.",
    "previous_version": "The version to go back to is known there, and is the one that the plan names.",
    "schema_floor": "The version to go back to can work with the present schema (`rollback_floor` of the release).",
    "no_auto_sync": "Nothing there would undo the act by itself: auto-sync, a running deployment.",
    "no_other_approval": "No change request or approval of that system refuses it.",
    "not_rolled_back": "It was not undone already in this episode (flapping).",
    "dry_run": "The system's own dry run accepts it.",
}
"""Names of pre-flights, each with the question that it answers."""


class Conflict(DeliveryError):
    """The state is no longer the one that was read: somebody changed it. Nothing was written."""

    def __init__(self, reason: str, now: Reading | None = None) -> None:
        super().__init__(Rejected(reason))
        self.now = now


class AwaitingApproval(DeliveryError):
    """The system wants an approval of its own first, at ``url``. Nothing is in force yet; it is never forced round."""

    def __init__(self, reason: str, url: str, wait: timedelta = timedelta(minutes=1)) -> None:
        super().__init__(Deferred(reason, wait))
        self.url = url


class Actuator(Protocol):
    """Adapter of one control system."""

    @property
    def name(self) -> str:
        """The target's name in the playbook."""
        ...

    @property
    def settle_seconds(self) -> float:
        """The settle time: a write may stay invisible to ``read`` for this long."""
        ...

    def read(self, item: str) -> Reading:
        """The state of an item now."""
        ...

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the reading has the desired state."""
        ...

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set the desired state, unless the state is no longer ``before``; returns what is read afterwards.

        ``note`` is one line with the plan and the issue, for the system's own log.

        Raises:
            Conflict: the state is neither ``before`` nor the desired one.
            AwaitingApproval: the system waits for an approval of its own.
        """
        ...

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the state of ``before`` again, unless the state is no longer the one of ``applied``.

        Raises:
            Conflict: the state is neither that of ``applied`` nor that of ``before``.
        """
        ...

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """The pre-flights that this system can answer, without ``target_reachable``, which a reading answers."""
        ...


@runtime_checkable
class Previews(Protocol):
    """A system with a dry run."""

    def dry_run(self, item: str, desired: State, before: Reading) -> None:
        """Let the system validate the change without making it; raises what ``apply`` would raise.

        An approval of the system's own is no refusal: the plan waits for it.
        """
        ...


@runtime_checkable
class VerifiesEffect(Protocol):
    """A system whose effect can be seen by a second path: an evaluated flag, counted traffic, a served version."""

    def effect(self, item: str, desired: State) -> bool | None:
        """True if the effect is seen, False if another is, None if it cannot be told now."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A system where the state that an act leaves follows from the state before it.

    So what somebody changes just after an act, before it is read, is told from the act, and no undo overwrites it.
    """

    def after(self, before: State, desired: State) -> State:
        """The whole state that ``apply`` leaves; no I/O."""
        ...


@runtime_checkable
class Closeable(Protocol):
    """An actuator that holds connections."""

    def close(self) -> None:
        """Release what is held."""
        ...


class Desired(BaseModel):
    """Base of the desired states of one kind of control system: what `set` may say in the playbook."""

    model_config = {"extra": "forbid", "frozen": True}


class FlagState(Desired):
    """A feature flag on or off, with a variant where the system has variants."""

    enabled: bool
    variant: str | None = None


class TrafficState(Desired):
    """Weights by the name of a backend, as the system counts them; what is not named stays as it is."""

    weights: dict[str, int]


class ReleaseState(Desired):
    """A release halted, or gone back to a version."""

    halted: bool | None = None
    version: str | None = None
