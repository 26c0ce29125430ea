"""Signed tokens (JSON Web Token) that Apple's and Google's interfaces ask for: ES256 and RS256, by PyJWT."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from dagster_project.automation.actuators.http import changing_nothing
from dagster_project.automation.http import HttpTarget, Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected

_EARLY = 60.0
"""Seconds before its end at which a token is made anew."""


def signed_token(secret: Secret, pem: str, algorithm: str, claims: Mapping[str, Any], key_id: str) -> str:
    """A token signed by the private key of a secret.

    Raises:
        DeliveryError: that is no such key; the message names the variable.
    """
    import jwt

    try:
        return jwt.encode(dict(claims), pem, algorithm=algorithm, headers={"kid": key_id})
    except (ValueError, TypeError, jwt.PyJWTError):
        reason = f"environment variable {secret.variable} holds no private key for {algorithm}"
        raise DeliveryError(Rejected(reason, whole_destination=True)) from None


def pem_of(line: str) -> str:
    """The PEM text of a private key that was put on one line: the lines between BEGIN and END, joined."""
    try:
        base64.b64decode(line, validate=True)
    except binascii.Error:
        return line
    return f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"


class _Account(BaseModel):
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"


class _Granted(BaseModel):
    access_token: str
    expires_in: int = 3600


class GoogleTokens:
    """Access tokens of a Google service account, each used until shortly before its end.

    The secret is the account's JSON key file, on one line.
    """

    def __init__(self, secret: Secret, scope: str, transport: httpx.BaseTransport | None) -> None:
        self._secret, self._scope, self._transport = secret, scope, transport
        self._token, self._ends = "", 0.0  # on the monotonic clock

    def value(self) -> str:
        """A token that is good for another minute at least."""
        if time.monotonic() >= self._ends - _EARLY:
            granted = self._ask()
            self._token, self._ends = granted.access_token, time.monotonic() + granted.expires_in
        return self._token

    def _ask(self) -> _Granted:
        account, now = self._account(), int(time.time())
        claims = {"iss": account.client_email, "scope": self._scope, "aud": account.token_uri}
        key, times = account.private_key, {"iat": now, "exp": now + 3600}
        assertion = signed_token(self._secret, key, "RS256", {**claims, **times}, account.private_key_id)
        form = httpx.QueryParams(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        http = HttpTarget(
            base_url=account.token_uri, headers=lambda _: {}, refusal=self._refusal, transport=self._transport
        )
        try:
            with changing_nothing():
                return http.write_content("POST", "", str(form).encode(), _Granted, headers)
        finally:
            http.close()

    def _account(self) -> _Account:
        value = self._secret.value()
        try:
            account = _Account.model_validate(json.loads(value))
        except (ValueError, ValidationError):
            reason = f"environment variable {self._secret.variable} holds no key file of a service account"
            raise DeliveryError(Rejected(reason, whole_destination=True)) from None
        if not account.token_uri.startswith("https://"):
            reason = f"token_uri in {self._secret.variable} must begin with https://, because a secret is sent there"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        return account

    def _refusal(self, response: httpx.Response) -> Rejected | None:
        if response.status_code in (400, 401):
            reason = f"Google gives no token (answered {response.status_code}); the key in {self._secret.variable}"
            return Rejected(f"{reason} is wrong, or was revoked", whole_destination=True)
        return None
