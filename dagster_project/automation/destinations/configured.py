"""A configured destination: the tool, and the policy for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.automation.destinations.base import TicketDestination
from dagster_project.automation.destinations.settings import Policy


@dataclass(frozen=True)
class ConfiguredDestination:
    """A destination of destinations.yml with its policy, ready to use."""

    destination: TicketDestination
    policy: Policy = field(default_factory=Policy)

    @property
    def name(self) -> str:
        """Its name in the ledger."""
        return self.destination.name
