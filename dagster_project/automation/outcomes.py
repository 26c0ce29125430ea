"""Outcomes of one outbound write: confirmed, rejected, unknown, not sent or deferred.

Shared by destinations (tickets), actuators (states of control systems) and the ledger, and independent of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from dagster_project.errors import DestinationError


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
class Rejected:
    """Refused for good; ``whole_destination`` when any other write would be refused the same way."""

    reason: str
    whole_destination: bool = False


@dataclass(frozen=True)
class Unknown:
    """Sent, and the answer was lost."""

    reason: str


@dataclass(frozen=True)
class NotSent:
    """Certainly not there: no connection was made."""

    reason: str


@dataclass(frozen=True)
class Deferred:
    """Certainly not there: the tool asked to wait this long."""

    reason: str
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
