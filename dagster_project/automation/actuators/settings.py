"""Settings shared by all targets: environment, product, service, criticality, and the HTTP options.

A target's own settings extend one of these two, name their ``kind`` and build the actuator.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dagster_project.automation.actuators.base import Actuator, Desired
from dagster_project.automation.borders import Environment
from dagster_project.automation.secret_url import safe_for_a_secret
from dagster_project.home import Home

NAME = r"^[a-z0-9][a-z0-9_-]{0,49}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class TargetSettings(BaseModel):
    """Options of every target of the playbook.

    ``environment`` says which kind of home may act there (``borders.py``). A ``critical`` target wants two approvals.
    ``PLACE`` names the settings that say where it is, beside its kind. ``DESIRED`` is the form of `set` for this kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    PLACE: ClassVar[tuple[str, ...]] = ()
    DESIRED: ClassVar[type[Desired]]

    name: str = Field(pattern=NAME)
    environment: Environment = "production"
    product: str | None = None
    service: str | None = None
    critical: bool = False

    @property
    def place(self) -> str:
        """Its kind and place, as text; part of a plan's hash."""
        values = (getattr(self, name) for name in ("kind", *self.PLACE))
        return " ".join(str(value).rstrip("/") for value in values if value)

    def where(self, home: Home) -> Path | str:
        """The file or folder that is written, or the host that is asked, for the borders of homes."""
        url = str(getattr(self, "base_url", ""))
        return urlsplit(url).hostname or url

    @abstractmethod
    def build(self, home: Home) -> Actuator:
        """The actuator."""


class HttpTargetSettings(TargetSettings):
    """Further options of every control system with an HTTP API."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url",)

    base_url: str
    settle_seconds: float = Field(5, ge=0, le=3600)
    timeout_seconds: float = Field(15, gt=0, le=25)

    _safe_for_a_secret = field_validator("base_url")(safe_for_a_secret)
