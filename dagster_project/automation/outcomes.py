"""Outcomes of one outbound write: confirmed, rejected, unknown, not sent or deferred.

Shared by destinations (tickets), actuators (states of control systems) and the ledger, and independent of all of them.
A reason may repeat what a tool answered: it is redacted, masked and put on one line when the outcome is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from dagster_project.errors import DestinationError
from dagster_project.outgoing import excerpt

_LONGEST = 1_000
"""Characters of a reason; cut after it was cleaned."""


class Written(Protocol):
    """The object that a confirmed write left outside: a ticket, the state of a flag."""

    @property
    def external_id(self) -> str:
        """Its id there."""
        ...

    @property
    def url(self) -> str:
        """Its address, for people."""
        ...


W_co = TypeVar("W_co", bound=Written, covariant=True)


@dataclass(frozen=True)
class Confirmed(Generic[W_co]):
    """The tool has it."""

    written: W_co


@dataclass(frozen=True)
class _Reasoned:
    """An outcome with a reason for people."""

    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", excerpt(self.reason, _LONGEST))


@dataclass(frozen=True)
class Rejected(_Reasoned):
    """Refused for good; ``whole_destination`` when any other write would be refused the same way.

    ``status`` is the HTTP status that said so, 0 where there was none.
    """

    whole_destination: bool = False
    status: int = 0


@dataclass(frozen=True)
class Unknown(_Reasoned):
    """Sent, and the answer was lost."""


@dataclass(frozen=True)
class NotSent(_Reasoned):
    """Certainly not there: no connection was made."""


@dataclass(frozen=True)
class Deferred(_Reasoned):
    """Certainly not there: the tool asked to wait this long."""

    wait: timedelta


Failure = Rejected | Unknown | NotSent | Deferred
Outcome = Confirmed[W_co] | Failure


class DeliveryError(DestinationError):
    """A tool could not confirm a write; ``outcome`` says what is known."""

    def __init__(self, outcome: Failure) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def outcome_of(call: Callable[[], W_co]) -> Outcome[W_co]:
    """Make the call and classify its outcome.

    An unforeseen exception counts as unknown: the request may have been sent before the error.
    """
    try:
        return Confirmed(call())
    except DeliveryError as error:
        return error.outcome
    except Exception as error:
        return Unknown(f"unforeseen {type(error).__name__}: {error}")
