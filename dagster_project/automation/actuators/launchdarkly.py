"""LaunchDarkly: a flag of one environment on or off, by semantic patch.

An item is a flag's key. Off serves the flag's off variation to everybody and leaves targeting as it is, so that on
gives the very state before. LaunchDarkly has no conditional write: the flag is read just before and after. Where the
environment wants approvals it answers 405, and the plan waits there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.actuators.base import AwaitingApproval, Conflict, Desired, Preflight, Reading, State
from dagster_project.automation.actuators.http import HttpActuator, segment, status_of
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home

_KEPT = ("on", "offVariation", "fallthrough", "targets", "contextTargets", "rules", "prerequisites")
"""What decides who gets which variation; the rest counts, or changes by itself."""


class LaunchDarklyState(Desired):
    """A flag on or off."""

    enabled: bool


class LaunchDarklySettings(HttpTargetSettings):
    """A ``kind: launchdarkly`` target; ``flag_environment`` is the key of LaunchDarkly's environment."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "project", "flag_environment")
    DESIRED: ClassVar[type[Desired]] = LaunchDarklyState

    kind: Literal["launchdarkly"] = "launchdarkly"
    base_url: str = "https://app.launchdarkly.com"
    project: str = "default"
    flag_environment: str = "production"
    token_env: str = Field("LAUNCHDARKLY_TOKEN", pattern=VARIABLE)

    def build(self, home: Home) -> LaunchDarkly:
        """The actuator."""
        return LaunchDarkly(self)


class _Flag(BaseModel):
    environments: dict[str, dict[str, Any]]
    variations: list[dict[str, Any]] = []


class LaunchDarkly(ReadBack, HttpActuator):
    """The flags of one project in one environment."""

    def __init__(self, settings: LaunchDarklySettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.token_env, "an access token that may write"), transport=transport)
        self._project, self._environment = settings.project, settings.flag_environment

    def read(self, item: str) -> Reading:
        """Whether the flag is on, with its targeting."""
        return self._reading(item, self._http.read(self._path(item), _Flag, env=self._environment)[0])

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if it is on, or off, as wanted."""
        return bool(reading.state["on"]) is bool(desired["enabled"])

    def dry_run(self, item: str, desired: State, before: Reading) -> None:
        """Let LaunchDarkly validate the patch; an approval of its own is no refusal: the plan waits there."""
        with suppress(AwaitingApproval):
            self._patch(item, bool(desired["enabled"]), "dry run", "?dryRun=true")

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """Whether an approval is asked for, and that off serves something."""
        rows = [self._approval(item, desired)]
        if not desired["enabled"]:
            off = reading.state.get("offVariation")
            none = "no off variation is set: applications get the default in their code, which may be on"
            answer = none if off is None else f"everybody gets variation {off}"
            rows.append(Preflight("receiver_healthy", None if off is None else True, answer))
        return rows

    def _approval(self, item: str, desired: State) -> Preflight:
        """What a dry run says of approvals."""
        try:
            self._patch(item, bool(desired["enabled"]), "dry run", "?dryRun=true")
        except AwaitingApproval as waits:
            return Preflight("no_other_approval", None, f"the plan will wait for an approval at {waits.url}")
        except DeliveryError as error:
            return Preflight("no_other_approval", None, f"cannot be told: {error}")
        return Preflight("no_other_approval", True, "LaunchDarkly's dry run asks for none")

    def _make(self, now: Reading, desired: State, note: str) -> None:
        self._patch(now.item, bool(desired["enabled"]), note)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        self._patch(now.item, bool(wanted["on"]), note)

    def _patch(self, item: str, on: bool, note: str, query: str = "") -> None:
        kind = "turnFlagOn" if on else "turnFlagOff"
        body = {"environmentKey": self._environment, "comment": note, "instructions": [{"kind": kind}]}
        try:
            self._http.write("PATCH", self._path(item) + query, body, _Flag)
        except DeliveryError as error:
            if status_of(error) == 405:
                said = f"LaunchDarkly wants an approval for {item} in {self._environment}: {error}"
                raise AwaitingApproval(said, self._page(item)) from None
            if status_of(error) == 409:
                raise Conflict(f"LaunchDarkly refused the change of {item}: {error}") from None
            raise

    def _reading(self, item: str, flag: _Flag) -> Reading:
        there = flag.environments.get(self._environment)
        if there is None:
            reason = f"{item} has no environment {self._environment}; check flag_environment of target {self.name}"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        kept = {name: there[name] for name in _KEPT if name in there}
        return Reading(item, kept, str(there.get("version", "")), self._page(item))

    def _path(self, item: str) -> str:
        return f"/api/v2/flags/{segment(self._project)}/{segment(item)}"

    def _page(self, item: str) -> str:
        project, environment, flag = segment(self._project), segment(self._environment), segment(item)
        return f"{self._base_url}/{project}/{environment}/features/{flag}"

    def _headers(self, body: bytes) -> Mapping[str, str]:
        secret = self._secret.value() if self._secret else ""
        semantic = {"Content-Type": "application/json; domain-model=launchdarkly.semanticpatch"} if body else {}
        return {"Authorization": secret, **semantic}
