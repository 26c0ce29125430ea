"""App Store Connect: the phased release of an app's version paused, or resumed.

An item is the app's id. A pause lasts 30 days at most in all, and people can still update by hand: to pause is tier
2, and never a rollback. There is no conditional write: the phased release is read just before and after. Requests
carry a token signed by ES256 for less than 20 minutes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.actuators.base import Conflict, Desired, Preflight, Reading, State
from dagster_project.automation.actuators.http import HttpActuator, segment, status_of
from dagster_project.automation.actuators.read_back import WholeState
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.actuators.tokens import pem_of, signed_token
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home

_LIFETIME = 15 * 60
_MOST_DAYS = 30
_PHASED = "appStoreVersionPhasedReleases"


class PhasedState(Desired):
    """The phased release paused or resumed."""

    halted: bool


class AppStoreSettings(HttpTargetSettings):
    """A ``kind: app_store`` target.

    The secret is the private key that Apple gave as a ``.p8`` file: the lines between BEGIN and END, joined.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "issuer_id")
    DESIRED: ClassVar[type[Desired]] = PhasedState

    kind: Literal["app_store"] = "app_store"
    base_url: str = "https://api.appstoreconnect.apple.com"
    issuer_id: str
    key_id: str
    platform: Literal["IOS", "MAC_OS", "TV_OS", "VISION_OS"] = "IOS"
    key_env: str = Field("APP_STORE_KEY", pattern=VARIABLE)

    def build(self, home: Home) -> AppStore:
        """The actuator."""
        return AppStore(self)


class _Resource(BaseModel):
    type: str
    id: str
    attributes: dict[str, Any] = {}
    relationships: dict[str, Any] = {}

    @property
    def phased_id(self) -> str:
        """The id of the phased release of a version; empty where it has none."""
        return str(((self.relationships.get("appStoreVersionPhasedRelease") or {}).get("data") or {}).get("id", ""))


class _Versions(BaseModel):
    data: list[_Resource]
    included: list[_Resource] = []


class _Changed(BaseModel):
    data: _Resource


class AppStore(WholeState, HttpActuator):
    """The apps of one team."""

    def __init__(self, settings: AppStoreSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        self._key = Secret(settings.key_env, "the private key of App Store Connect, on one line,")
        super().__init__(settings, self._key, transport=transport)
        self._settings = settings

    def read(self, item: str) -> Reading:
        """The state of the phased release of the version that is going out."""
        version, phased = self._going_out(item)
        kept = {"version": version.attributes.get("versionString"), "phased_release": phased.id}
        state = {**kept, "state": phased.attributes["phasedReleaseState"]}
        return Reading(item, state, url=f"https://appstoreconnect.apple.com/apps/{segment(item)}/distribution")

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if it is paused, or goes on."""
        return bool(reading.state["state"] == _state(desired))

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """How long it may be paused."""
        if not desired["halted"]:
            return ()
        _, phased = self._going_out(item)
        left = _MOST_DAYS - int(phased.attributes.get("totalPauseDuration") or 0)
        answer = f"a pause ends by itself after {left} more days; people can still update by hand"
        return (Preflight("no_auto_sync", left > 0, answer),)

    def _with(self, state: State, desired: State) -> dict[str, Any]:
        return {**state, "state": _state(desired)}

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        phased = now.state["phased_release"]
        changed = {"type": _PHASED, "id": phased, "attributes": {"phasedReleaseState": wanted["state"]}}
        try:
            self._http.write("PATCH", f"/v1/{_PHASED}/{segment(phased)}", {"data": changed}, _Changed)
        except DeliveryError as error:
            if status_of(error) == 409:
                raise Conflict(f"App Store Connect refused the change of {now.item}: {error}") from None
            raise

    def _going_out(self, item: str) -> tuple[_Resource, _Resource]:
        """The version with a phased release that is neither over nor begun, and that phased release."""
        path = f"/v1/apps/{segment(item)}/appStoreVersions"
        asked = {"filter[platform]": self._settings.platform, "include": "appStoreVersionPhasedRelease", "limit": 20}
        versions = self._http.read(path, _Versions, **asked)[0]
        phased = {one.id: one for one in versions.included if one.type == _PHASED}
        for version in versions.data:
            found = phased.get(version.phased_id)
            if found and found.attributes.get("phasedReleaseState") in ("ACTIVE", "PAUSED"):
                return version, found
        raise DeliveryError(Rejected(f"no version of app {item} is going out in phases"))

    def _headers(self, body: bytes) -> Mapping[str, str]:
        now = int(time.time())
        claims = {"iss": self._settings.issuer_id, "iat": now, "exp": now + _LIFETIME, "aud": "appstoreconnect-v1"}
        token = signed_token(self._key, pem_of(self._key.value()), "ES256", claims, self._settings.key_id)
        return {"Authorization": f"Bearer {token}"}


def _state(desired: State) -> str:
    return "PAUSED" if desired["halted"] else "ACTIVE"
