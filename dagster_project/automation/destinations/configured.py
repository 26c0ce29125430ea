"""A configured destination: the tool, and what is sent there."""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.automation.destinations.base import TicketDestination
from dagster_project.automation.destinations.settings import Policy


@dataclass(frozen=True)
class ConfiguredDestination:
    """One entry of destinations.yml, ready to use."""

    destination: TicketDestination
    policy: Policy = field(default_factory=Policy)

    @property
    def name(self) -> str:
        """What the ledger knows the destination by."""
        return self.destination.name
