"""Unleash: a feature flag on or off in one environment.

An item is the key of a flag. Its state is the whole environment of the flag: on or off, strategies with constraints,
segments and variants. Only on and off is ever written, so that nothing else can be lost. Unleash has no condition on a
write: the state is read just before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field

from dagster_project.automation.actuators.base import AwaitingApproval, Desired, Preflight, Reading, State
from dagster_project.automation.actuators.conditional import set_state
from dagster_project.automation.actuators.http import HttpActuator
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import HttpTarget, Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, Rejected
from dagster_project.home import Home

_KEPT = ("enabled", "strategies", "variants")
"""What of an environment is its state; the rest (last seen, counts) changes by itself."""


class UnleashState(Desired):
    """On or off: variants belong to strategies, which are never changed."""

    enabled: bool


class UnleashSettings(HttpTargetSettings):
    """A ``kind: unleash`` target: one project and one of its environments.

    ``token_env`` names the variable with an admin or service account's token; ``client_token_env`` that with a client's
    token for the same environment, by which the effect is seen as applications see it.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "project", "flag_environment")
    DESIRED: ClassVar[type[Desired]] = UnleashState

    kind: Literal["unleash"] = "unleash"
    project: str = "default"
    flag_environment: str = "production"
    token_env: str = Field("UNLEASH_TOKEN", pattern=VARIABLE)
    client_token_env: str | None = Field(None, pattern=VARIABLE)

    def build(self, home: Home) -> Unleash:
        """The actuator."""
        return Unleash(self)


class Unleash(HttpActuator):
    """The flags of one project in one environment of Unleash."""

    def __init__(self, settings: UnleashSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.token_env, "an API token of Unleash"), transport=transport)
        self._project, self._environment = settings.project, settings.flag_environment
        self._client: HttpTarget | None = None
        if settings.client_token_env:
            client = Secret(settings.client_token_env, "a client token of Unleash")
            self._client = HttpTarget(
                base_url=settings.base_url,
                headers=lambda _: {"Authorization": client.value(), "User-Agent": "feedback-control"},
                refusal=lambda _: None,
                timeout_seconds=settings.timeout_seconds,
                transport=transport,
            )

    def read(self, item: str) -> Reading:
        """The environment of a flag, word for word."""
        # The path of the environment itself leaves the segments of strategies out.
        flag, _ = self._http.read(self._path(item), dict[str, Any], variantEnvironments="true")
        found = [one for one in flag.get("environments", ()) if one.get("name") == self._environment]
        if not found:
            raise DeliveryError(Rejected(f"flag {item} has no environment {self._environment}"))
        return Reading(item, {name: found[0].get(name, []) for name in _KEPT}, url=self._page(item))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the flag is on or off as wanted."""
        return bool(reading.state["enabled"] == desired["enabled"])

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Switch the flag; Unleash's log names the owner of the token, and takes no note."""
        return self._set(before, {**before.state, "enabled": desired["enabled"]})

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Switch the flag back."""
        return self._set(applied, before.state)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """Change requests, of which Unleash tells only when it is asked to write."""
        answer = "Unleash tells so only when it is asked to write"
        return (Preflight("no_other_approval", None, answer),)

    def effect(self, item: str, desired: State) -> bool | None:
        """What Unleash tells its clients, up to a second behind; None without a client's token."""
        if self._client is None:
            return None
        try:
            seen, _ = self._client.read("/api/client/features", dict[str, Any], namePrefix=item)
        except DeliveryError:
            return None
        enabled = {one["name"]: one["enabled"] for one in seen["features"]}
        return enabled[item] == desired["enabled"] if item in enabled else None

    def close(self) -> None:
        """Let the connections go."""
        super().close()
        if self._client is not None:
            self._client.close()

    def _set(self, expected: Reading, wanted: State) -> Reading:
        def write(now: Reading) -> None:
            if wanted["enabled"] and all(one.get("disabled") for one in now.state["strategies"]):
                reason = f"flag {now.item} has no active strategy, and Unleash would add one that is on for everybody"
                raise DeliveryError(Rejected(reason))
            switch = "on" if wanted["enabled"] else "off"
            path = f"{self._path(now.item)}/environments/{quote(self._environment, safe='')}/{switch}"
            try:
                self._http.send("POST", path, {})
            except AwaitingApproval as error:
                raise AwaitingApproval(str(error), self._page(now.item)) from None

        return set_state(self.read, write, expected, wanted)

    def _headers(self, body: bytes) -> Mapping[str, str]:
        """Unleash takes the token by itself, without a scheme."""
        return {"Authorization": self._secret.value()} if self._secret else {}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        if response.status_code == 403 and "SKIP_CHANGE_REQUEST" in response.text:
            reason = f"{self._environment} takes changes by change request only: make and approve one there"
            raise AwaitingApproval(reason, self._base_url)
        return super()._refusal(response)

    def _path(self, item: str) -> str:
        return f"/api/admin/projects/{quote(self._project, safe='')}/features/{quote(item, safe='')}"

    def _page(self, item: str) -> str:
        return f"{self._base_url}/projects/{quote(self._project, safe='')}/features/{quote(item, safe='')}"
