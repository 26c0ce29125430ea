"""Settings shared by all destinations: policy, name, and the HTTP options.

A destination's own settings extend one of these two, name their ``kind`` and build the destination. ``fields`` fills
further fields of the target, and ``template`` replaces the brief; both are Jinja, rendered in a sandbox, over the
issue's columns (``tickets.issues.Issue``).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dagster_project.automation.secret_url import safe_for_a_secret

Priority = Literal["P1", "P2", "P3", "P4"]
NAME = r"^[a-z0-9][a-z0-9_-]{0,49}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Policy(BaseModel):
    """Policy of a destination: the issues it gets, and the template of its tickets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priorities: tuple[Priority, ...] = ("P1", "P2", "P3", "P4")
    mode: Literal["mirror", "upsert"] = "mirror"
    reopen: bool = True
    template: Path | None = None
    fields: dict[str, str] = {}


class DestinationSettings(Policy):
    """Options of every entry in destinations.yml; ``name`` is the destination's name in the ledger.

    ``environment`` says which kind of home may write there (``borders.py``). ``PLACE`` names the settings that say
    where it is, beside its kind: another value is another place.
    """

    PLACE: ClassVar[tuple[str, ...]] = ()

    name: str = Field(pattern=NAME)
    environment: Literal["production", "staging", "simulated"] = "production"

    @property
    def place(self) -> str:
        """Its kind and place, as text."""
        values = (getattr(self, name) for name in ("kind", *self.PLACE))
        return " ".join(str(value).rstrip("/") for value in values if value)


class HttpSettings(DestinationSettings):
    """Further options of every destination with an HTTP API."""

    base_url: str
    settle_seconds: float = Field(60, ge=0, le=3600)
    timeout_seconds: float = Field(20, gt=0, le=25)  # several requests have to fit into the ledger's lease
    pace_seconds: float = Field(1, ge=0, le=10)

    _safe_for_a_secret = field_validator("base_url")(safe_for_a_secret)
