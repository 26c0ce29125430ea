"""Quarters: the periods of the pages. A row belongs to the quarter of its instant, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, order=True)
class Quarter:
    """A quarter of a year; ordered by time."""

    year: int
    number: int

    @classmethod
    def of(cls, instant: date | datetime) -> Quarter:
        """The quarter of an instant."""
        return cls(instant.year, (instant.month + 2) // 3)

    @property
    def name(self) -> str:
        """Its name in addresses: ``2026-Q4``."""
        return f"{self.year}-Q{self.number}"

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"quarter {self.number} of {self.year}"

    @property
    def executives(self) -> str:
        """The address of its page for executives."""
        return f"executives-{self.name}.html"

    @property
    def product(self) -> str:
        """The address of its page for product managers."""
        return f"product-{self.name}.html"


def quarters(instants: Iterable[date | datetime | None], present: datetime | None) -> list[Quarter]:
    """The quarters of some instants and the present one, newest first."""
    found = {Quarter.of(one) for one in instants if one is not None}
    return sorted(found | ({Quarter.of(present)} if present else set()), reverse=True)
