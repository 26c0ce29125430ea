"""A Google Play in this process: edits of one app's tracks, and the tokens of a service account."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.automation.unreliable import Unreliable

EDITS = "/androidpublisher/v3/applications/example.shop/edits"
TOKENS = "https://oauth2.example/token"
ACCESS = "ya29.planted"


@cache
def key() -> rsa.RSAPrivateKey:
    """The key of the service account."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def account() -> str:
    """The key file, on one line."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = key().private_bytes(*form).decode()
    content = {"type": "service_account", "client_email": "fc@example.test", "private_key_id": "k1"}
    return json.dumps({**content, "private_key": pem, "token_uri": TOKENS})


def _releases() -> list[dict[str, Any]]:
    notes = [{"language": "de-DE", "text": "Schneller."}]
    staged = {"name": "5.2.0", "versionCodes": ["520"], "status": "inProgress", "userFraction": 0.2}
    return [
        {**staged, "releaseNotes": notes, "inAppUpdatePriority": 3},
        {"name": "5.1.0", "versionCodes": ["510", "511"], "status": "completed"},
        {"name": "6.0.0", "versionCodes": ["600"], "status": "draft"},
    ]


@dataclass
class FakeGooglePlay(Unreliable):
    """The app ``example.shop``; a commit counts as the write."""

    releases: list[dict[str, Any]] = field(default_factory=_releases)
    edits: dict[str, Any] = field(default_factory=dict)
    made: int = 0
    generation: int = 0
    tokens: int = 0
    overtaken: bool = False
    """Somebody commits an edit between our update and our commit."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Google does."""
        self.requests.append(request)
        if str(request.url) == TOKENS:
            return self._grant(dict(parse_qsl(request.content.decode())))
        if request.headers.get("authorization") != f"Bearer {ACCESS}":
            return httpx.Response(401, json={"error": {"code": 401, "message": "Request had invalid credentials"}})
        path = request.url.path
        if request.method == "POST" and path == EDITS:
            self.made += 1
            self.edits[str(self.made)] = {"releases": copy.deepcopy(self.releases), "of": self.generation}
            return httpx.Response(200, json={"id": str(self.made), "expiryTimeSeconds": "9"})
        name, _, rest = path.removeprefix(f"{EDITS}/").partition("/")
        name, _, verb = name.partition(":")
        if name not in self.edits or rest not in ("", "tracks/production"):
            return httpx.Response(404, json={"error": {"code": 404, "message": "not found"}})
        edit = self.edits[name]
        match request.method, verb:
            case "DELETE", "":
                assert not request.content
                del self.edits[name]
                return httpx.Response(204)
            case "GET", "":
                return httpx.Response(200, json={"track": "production", "releases": edit["releases"]})
            case "PUT", "":
                edit["releases"] = json.loads(request.content)["releases"]
                return httpx.Response(200, json={"track": "production", "releases": edit["releases"]})
            case "POST", "commit":
                if self.overtaken or edit["of"] != self.generation:
                    return httpx.Response(409, json={"error": {"code": 409, "message": "another edit was committed"}})
                return self.unreliably(request, lambda: self._commit(name))
        raise AssertionError(request)

    def state(self) -> list[dict[str, Any]]:
        """The releases of the track."""
        return copy.deepcopy(self.releases)

    def tamper(self) -> None:
        """A person widens the rollout."""
        self.releases[0]["userFraction"] = 0.5
        self.generation += 1

    def _commit(self, name: str) -> httpx.Response:
        self.releases = self.edits.pop(name)["releases"]
        self.generation += 1
        return httpx.Response(200, json={"id": name})

    def _grant(self, form: dict[str, str]) -> httpx.Response:
        self.tokens += 1
        try:
            claims = jwt.decode(form["assertion"], key().public_key(), algorithms=["RS256"], audience=TOKENS)
        except jwt.PyJWTError as error:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": str(error)})
        assert claims["iss"] == "fc@example.test" and claims["exp"] - claims["iat"] == 3600
        assert claims["scope"].endswith("/androidpublisher")
        return httpx.Response(200, json={"access_token": ACCESS, "expires_in": 3599, "token_type": "Bearer"})
