"""GrowthBook: a feature of one environment on or off.

An item is a feature's id. A toggle leaves rules and default value as they are, so that on gives the very state before.
GrowthBook has no conditional write: the feature is read just before and after. A key that may not pass its reviews is
refused, and the plan waits there. What applications are served is read by a second path, the SDK's own endpoint, where
``client_key`` is set: a feature that is off is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.actuators.base import AwaitingApproval, Desired, Preflight, Reading, State
from dagster_project.automation.actuators.http import HttpActuator, segment, status_of
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home

_REVIEWS = ("review", "approv")


class GrowthBookState(Desired):
    """A feature on or off."""

    enabled: bool


class GrowthBookSettings(HttpTargetSettings):
    """A ``kind: growthbook`` target; ``app_url`` is where people see it."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "flag_environment")
    DESIRED: ClassVar[type[Desired]] = GrowthBookState

    kind: Literal["growthbook"] = "growthbook"
    base_url: str = "https://api.growthbook.io"
    app_url: str = "https://app.growthbook.io"
    flag_environment: str = "production"
    client_key: str | None = None
    token_env: str = Field("GROWTHBOOK_TOKEN", pattern=VARIABLE)

    def build(self, home: Home) -> GrowthBook:
        """The actuator."""
        return GrowthBook(self)


class _Feature(BaseModel):
    environments: dict[str, dict[str, Any]]
    revision: dict[str, Any] = {}


class _Answer(BaseModel):
    feature: _Feature


class _Served(BaseModel):
    features: dict[str, Any]


class GrowthBook(ReadBack, HttpActuator):
    """The features of one organization in one environment."""

    def __init__(self, settings: GrowthBookSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.token_env, "a secret API key"), transport=transport)
        self._settings = settings

    def read(self, item: str) -> Reading:
        """Whether the feature is on, with its rules."""
        feature = self._http.read(self._path(item), _Answer)[0].feature
        environment = self._settings.flag_environment
        if (there := feature.environments.get(environment)) is None:
            reason = f"{item} has no environment {environment}; check flag_environment of target {self.name}"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        kept = {name: value for name, value in there.items() if name != "definition"}  # made from the others
        return Reading(item, kept, str(feature.revision.get("version", "")), self._page(item))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if it is on, or off, as wanted."""
        return bool(reading.state["enabled"]) is bool(desired["enabled"])

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """What GrowthBook does not tell: whether this key passes reviews."""
        answer = "not told before the write; an API key passes reviews unless GrowthBook's settings forbid that"
        return (Preflight("no_other_approval", None, answer),)

    def effect(self, item: str, desired: State) -> bool | None:
        """Whether applications are served the feature."""
        if self._settings.client_key is None:
            return None
        served = self._http.read(f"/api/features/{segment(self._settings.client_key)}", _Served)[0].features
        return (item in served) is bool(desired["enabled"])

    def _make(self, now: Reading, desired: State, note: str) -> None:
        self._write(now, desired, note)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        body = {"reason": note, "environments": {self._settings.flag_environment: bool(wanted["enabled"])}}
        try:
            self._http.write("POST", f"{self._path(now.item)}/toggle", body, _Answer)
        except DeliveryError as error:
            if status_of(error) in (400, 403) and any(word in str(error).lower() for word in _REVIEWS):
                said = f"GrowthBook wants a review of {now.item}: {error}"
                raise AwaitingApproval(said, self._page(now.item)) from None
            raise

    def _path(self, item: str) -> str:
        return f"/api/v1/features/{segment(item)}"

    def _page(self, item: str) -> str:
        return f"{self._settings.app_url.rstrip('/')}/features/{segment(item)}"
