"""Webhook: signed events about issues and their tickets, for any tool that takes a webhook.

Events are CloudEvents 1.0 in the JSON format (``cloudevents.py`` lists them), signed by Standard Webhooks: HMAC-SHA256
over id, time and body. Event ids are stable and consumers deduplicate on them, so an unknown delivery is simply
retried.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from dagster_project.automation.destinations.event_sink import EventSink
from dagster_project.automation.destinations.http import HttpDestination
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, Rejected
from dagster_project.home import Home

_PREFIX = "whsec_"


class WebhookSettings(HttpSettings):
    """A ``kind: webhook`` entry of destinations.yml; ``base_url`` is the whole address that events are posted to.

    The secret is ``whsec_`` and at least 24 bytes in base64; the receiver has the same.
    """

    kind: Literal["webhook"]
    name: str = Field("webhook", pattern=NAME)
    secret_env: str = Field("WEBHOOK_SECRET", pattern=VARIABLE)

    @property
    def place(self) -> str:
        """Its host, and a hash of the whole address, which may hold a secret."""
        return f"webhook {urlsplit(self.base_url).netloc} {hashlib.sha256(self.base_url.encode()).hexdigest()[:12]}"

    def build(self, home: Home) -> Webhook:
        """The destination."""
        return Webhook(self)


class Webhook(EventSink, HttpDestination):
    """An event sink behind one webhook address."""

    def __init__(self, settings: WebhookSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.secret_env, f"the secret shared with the receiver, {_PREFIX}…,")
        super().__init__(settings, secret, transport=transport)
        self.place = settings.base_url

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Post the event."""
        self._http.write("POST", "", event, bytes)

    def _headers(self) -> Mapping[str, str]:
        return {"Content-Type": "application/cloudevents+json; charset=utf-8"}

    def _signature(self, body: bytes) -> Mapping[str, str]:
        event_id, now = str(json.loads(body)["id"]), str(int(time.time()))
        return {
            "webhook-id": event_id,
            "webhook-timestamp": now,
            "webhook-signature": signature(self._key(), event_id, now, body),
        }

    def _key(self) -> bytes:
        secret = self._secret.value()
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if len(key) < 24 or not secret.startswith(_PREFIX):
            reason = f"environment variable {self._secret.variable} holds no webhook secret: {_PREFIX} and at least 24"
            raise DeliveryError(Rejected(f"{reason} bytes in base64", whole_destination=True))
        return key

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said, place = self._said(response), urlsplit(self.place).netloc
        match response.status_code:
            case 401 | 403:
                reason = (
                    f"{said}; {place} does not accept the signature: check that {self._secret.variable} is its secret"
                )
                return Rejected(reason, whole_destination=True)
            case 404 | 410:
                reason = f"{said}; nothing takes events at {self.place}: check base_url"
                return Rejected(reason, whole_destination=True)
        return None


def signature(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a body by Standard Webhooks 1.0: base64 of the HMAC-SHA256 over ``id.timestamp.body``."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
