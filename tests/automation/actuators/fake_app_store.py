"""An App Store Connect in this process: one app with a version that is going out in phases."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.automation.unreliable import Unreliable


@cache
def key() -> ec.EllipticCurvePrivateKey:
    """The key of the team."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def line() -> str:
    """The key as it stands in the variable."""
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(key().private_bytes(*form)).decode()


@dataclass
class FakeAppStore(Unreliable):
    """The app ``1234``: 5.2.0 goes out, 5.1.0 is out, 6.0.0 is being prepared."""

    phase: str = "ACTIVE"
    number: str = "ph-2"
    paused_days: int = 2
    conflict: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as App Store Connect does."""
        self.requests.append(request)
        if not self._is_authorized(request.headers.get("authorization", "")):
            return httpx.Response(401, json={"errors": [{"status": "401", "code": "NOT_AUTHORIZED"}]})
        if request.method == "GET":
            if request.url.path != "/v1/apps/1234/appStoreVersions":
                return httpx.Response(404, json={"errors": [{"status": "404", "code": "NOT_FOUND"}]})
            assert request.url.params["filter[platform]"] == "IOS"
            return httpx.Response(200, json=self._versions())
        assert request.url.path == f"/v1/appStoreVersionPhasedReleases/{self.number}"
        if self.conflict:
            return httpx.Response(409, json={"errors": [{"status": "409", "code": "STATE_ERROR"}]})
        return self.unreliably(request, lambda: self._change(json.loads(request.content)["data"]))

    def state(self) -> tuple[str, str]:
        """The phased release."""
        return self.number, self.phase

    def tamper(self) -> None:
        """A person sends another version out."""
        self.number, self.phase = "ph-4", "ACTIVE"

    def _change(self, data: dict[str, Any]) -> httpx.Response:
        assert (data["type"], data["id"]) == ("appStoreVersionPhasedReleases", self.number)
        self.phase = data["attributes"]["phasedReleaseState"]
        return httpx.Response(200, json={"data": self._phased(self.number, self.phase)})

    def _phased(self, number: str, phase: str) -> dict[str, Any]:
        attributes = {"phasedReleaseState": phase, "currentDayNumber": 3, "totalPauseDuration": self.paused_days}
        return {"type": "appStoreVersionPhasedReleases", "id": number, "attributes": attributes}

    def _versions(self) -> dict[str, Any]:
        def version(number: str, phased: str | None) -> dict[str, Any]:
            data = {"type": "appStoreVersionPhasedReleases", "id": phased} if phased else None
            related = {"appStoreVersionPhasedRelease": {"data": data}}
            return {
                "type": "appStoreVersions",
                "id": f"v-{number}",
                "attributes": {"versionString": number},
                "relationships": related,
            }

        included = [
            self._phased("ph-3", "INACTIVE"),
            self._phased(self.number, self.phase),
            self._phased("ph-1", "COMPLETE"),
        ]
        return {
            "data": [
                version("6.0.0", "ph-3"),
                version("5.2.0", self.number),
                version("5.1.0", "ph-1"),
                version("5.0.0", None),
            ],
            "included": included,
        }

    def _is_authorized(self, header: str) -> bool:
        token = header.removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, key().public_key(), algorithms=["ES256"], audience="appstoreconnect-v1")
        except jwt.PyJWTError:
            return False
        known = (claims["iss"], jwt.get_unverified_header(token)["kid"]) == ("issuer-1", "KEY1")
        return known and claims["exp"] - claims["iat"] <= 20 * 60
