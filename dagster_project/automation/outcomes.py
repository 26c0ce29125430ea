"""Outcomes of one outbound write: confirmed, rejected, unknown, not sent or deferred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from dagster_project.automation.ticket import ExternalTicket
from dagster_project.errors import DestinationError


@dataclass(frozen=True)
class Confirmed:
    """The tool has it."""

    ticket: ExternalTicket


@dataclass(frozen=True)
class Rejected:
    """Refused for good; ``whole_destination`` when any other ticket would be refused the same way."""

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
Outcome = Confirmed | Failure


class DeliveryError(DestinationError):
    """A destination could not confirm; ``outcome`` says what is known."""

    def __init__(self, outcome: Failure) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def outcome_of(call: Callable[[], ExternalTicket]) -> Outcome:
    """Make the call and classify what happened.

    Whatever a destination did not foresee counts as unknown: the request may have been sent before the error.
    """
    try:
        return Confirmed(call())
    except DeliveryError as error:
        return error.outcome
    except Exception as error:
        return Unknown(f"unforeseen {type(error).__name__}: {error}")
