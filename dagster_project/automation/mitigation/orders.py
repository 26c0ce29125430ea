"""Order: the payload of one act, or of its undoing, as the ledger's intents carry it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from dagster_project.automation.actuators.base import canonical
from dagster_project.automation.mitigation.plans import KIND, Plan

_AT = "target:"


class Act(StrEnum):
    """What an order does to its item."""

    APPLY = "apply"
    UNDO = "undo"


@dataclass(frozen=True)
class Order:
    """One act for one plan; a ``Payload`` of the ledger."""

    plan: Plan
    act: Act

    @property
    def kind(self) -> str:
        """The kind of its intents."""
        return KIND

    @property
    def subject_id(self) -> str:
        """The plan, as the ledger's subject."""
        return self.plan.plan_id

    @property
    def marker(self) -> str:
        """Idempotency key, for systems that keep one: part of the note in their log."""
        return hashlib.sha256(f"{self.plan.plan_id} {self.act}".encode()).hexdigest()[:24]

    @property
    def owner(self) -> str:
        """The person or team of the issue."""
        return self.plan.owner

    @property
    def title(self) -> str:
        """One line for people."""
        return self.plan.title if self.act is Act.APPLY else f"undo {self.plan.title}"

    @property
    def content_hash(self) -> str:
        """Equal for orders that ask for the same state."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()

    @property
    def is_final(self) -> bool:
        """True for undoing: nothing is due afterwards."""
        return self.act is Act.UNDO

    @property
    def note(self) -> str:
        """One line for the control system's own log."""
        return f"feedback-control: {self.act} plan {self.plan.short_id} for issue {self.plan.issue_id} [{self.marker}]"

    def as_json(self) -> str:
        """The order as the ledger stores it."""
        return canonical({"plan_id": self.plan.plan_id, "act": self.act, "item": self.plan.item})


def destination_of(target: str) -> str:
    """Name of a target among the ledger's destinations, apart from those of tickets."""
    return _AT + target
