"""Webhook: signed events about issues and their tickets, for any tool that takes a webhook.

Events are CloudEvents 1.0 in the JSON format (``cloudevents.py`` lists them), signed by Standard Webhooks: HMAC-SHA256
over id, time and body. Event ids are stable and consumers deduplicate on them, so an unknown delivery is simply
retried.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from dagster_project.automation.destinations.event_sink import EventSink
from dagster_project.automation.destinations.http import HttpDestination
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import Failure, Rejected
from dagster_project.automation.standard_webhooks import PREFIX, signed_headers
from dagster_project.home import Home


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
        secret = Secret(settings.secret_env, f"the secret shared with the receiver, {PREFIX}…,")
        super().__init__(settings, secret, transport=transport)
        self.place = settings.base_url

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Post the event."""
        self._http.write("POST", "", event, bytes)

    def _headers(self) -> Mapping[str, str]:
        return {"Content-Type": "application/cloudevents+json; charset=utf-8"}

    def _signature(self, body: bytes) -> Mapping[str, str]:
        return signed_headers(self._secret, str(json.loads(body)["id"]), body)

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
