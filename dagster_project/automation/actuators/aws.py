"""AWS: Signature Version 4, credentials from the environment, and the base of actuators of AWS services.

Every request is a POST to ``/`` of the service, signed over its headers and body. The signature is written out here
because nothing else of AWS' own libraries is needed; the tests hold it against the vectors that AWS published.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
from pydantic import Field, model_validator

from dagster_project.automation.actuators.http import HttpActuator, changing_nothing
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import DEFAULT_WAIT, Secret
from dagster_project.automation.outcomes import Deferred, Failure, Rejected

_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded")
_CREDENTIALS = (
    "InvalidClientTokenId",
    "UnrecognizedClient",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidSignature",
)


class AwsSettings(HttpTargetSettings):
    """Options of the AWS kinds; ``base_url`` follows from the region unless it is set."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "region")
    SERVICE: ClassVar[str]

    base_url: str = ""
    region: str = Field(pattern=r"^[a-z0-9-]+$")
    access_key_env: str = Field("AWS_ACCESS_KEY_ID", pattern=VARIABLE)
    secret_key_env: str = Field("AWS_SECRET_ACCESS_KEY", pattern=VARIABLE)
    session_token_env: str | None = Field(None, pattern=VARIABLE)

    @model_validator(mode="before")
    @classmethod
    def _public_address(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("base_url") and "region" in values:
            return {**values, "base_url": f"https://{cls.SERVICE}.{values['region']}.amazonaws.com"}
        return values


class AwsActuator(ReadBack, HttpActuator):
    """Signed requests to one AWS service; ``SIGNED_AS`` is the service's name in signatures."""

    SIGNED_AS: ClassVar[str]

    def __init__(self, settings: AwsSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.secret_key_env, "the secret access key"), transport=transport)
        self._region, self._host = settings.region, urlsplit(settings.base_url).netloc
        self._access_key = Secret(settings.access_key_env, "the access key id")
        session = settings.session_token_env
        self._session_token = Secret(session, "the session token") if session else None

    def _ask(self, content: bytes, headers: Mapping[str, str]) -> bytes:
        """A request that changes nothing: if it fails, nothing is unknown."""
        with changing_nothing():
            return self._tell(content, headers)

    def _tell(self, content: bytes, headers: Mapping[str, str]) -> bytes:
        """A request that changes something."""
        return self._http.write_content("POST", "/", content, bytes, headers)

    def _signed(self, headers: Mapping[str, str], content: bytes, now: datetime) -> Mapping[str, str]:
        access_key, secret_key = self._access_key.value(), self._secret.value() if self._secret else ""
        token = {"X-Amz-Security-Token": self._session_token.value()} if self._session_token else {}
        return sign(
            {"Host": self._host, **headers, **token}, content, access_key, secret_key, self._region, self.SIGNED_AS, now
        )

    def _refusal(self, response: httpx.Response) -> Failure | None:
        """AWS tells in the body what is wrong, by status 400 or 403."""
        said = response.text
        if any(code in said for code in _THROTTLED):
            return Deferred(f"answered {response.status_code}: too many requests", DEFAULT_WAIT)
        if any(code in said for code in _CREDENTIALS):
            names = f"{self._access_key.variable} and {self._secret.variable if self._secret else ''}"
            return Rejected(f"{self._http.message(response)}; the keys in {names} are wrong or have expired", True)
        return super()._refusal(response)


def sign(
    headers: Mapping[str, str],
    content: bytes,
    access_key: str,
    secret_key: str,
    region: str,
    service: str,
    now: datetime,
) -> Mapping[str, str]:
    """The headers of a POST to ``/``, with its signature; ``Host`` must be among them."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    full = {**headers, "X-Amz-Date": stamp}
    lowered = sorted((name.lower(), " ".join(value.split())) for name, value in full.items())
    names = ";".join(name for name, _ in lowered)
    canonical = "\n".join(
        [
            "POST",
            "/",
            "",
            *(f"{name}:{value}" for name, value in lowered),
            "",
            names,
            hashlib.sha256(content).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    signed = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()
    credential = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}"
    return {**full, "Authorization": f"{credential}, SignedHeaders={names}, Signature={signature}"}
