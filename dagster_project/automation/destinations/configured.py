"""A configured destination: the tool, the policy for it, and its place."""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.automation.destinations.base import TicketDestination
from dagster_project.automation.destinations.settings import Policy


@dataclass(frozen=True)
class ConfiguredDestination:
    """A destination of destinations.yml with its policy, ready to use.

    ``place`` is its kind and address, by which a renamed or moved one is noticed (empty: not checked), ``beside`` are
    the names of all destinations of the file, and ``broken`` is the reason why this one cannot be used.
    """

    destination: TicketDestination
    policy: Policy = field(default_factory=Policy)
    place: str = ""
    beside: tuple[str, ...] = ()
    broken: str = ""

    @property
    def name(self) -> str:
        """Its name in the ledger."""
        return self.destination.name
