"""Base of destinations with an HTTP API: connection, secret, and what a refusal means."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from dagster_project.automation.destinations.settings import HttpSettings
from dagster_project.automation.http import HttpTarget, Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, Rejected


class HttpDestination:
    """Base of destinations with an HTTP API."""

    def __init__(self, settings: HttpSettings, secret: Secret, *, transport: httpx.BaseTransport | None = None) -> None:
        self.name, self.settle_seconds = settings.name, settings.settle_seconds
        self._secret = secret
        self._http = HttpTarget(
            base_url=settings.base_url,
            headers=lambda body: {"User-Agent": "feedback-control", **self._headers(), **self._signature(body)},
            refusal=self._refusal,
            timeout_seconds=settings.timeout_seconds,
            pace_seconds=settings.pace_seconds,
            transport=transport,
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _headers(self) -> Mapping[str, str]:
        """Headers of each request; by default the secret as a bearer token."""
        return {"Authorization": f"Bearer {self._secret.value()}"}

    def _signature(self, body: bytes) -> Mapping[str, str]:
        """Headers that depend on the body; by default none."""
        return {}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        """The outcome for a 4xx; the setting to fix is the useful half of its message."""
        if response.status_code == 401:
            return Rejected(
                f"{self._said(response)}; the secret in {self._secret.variable} is wrong or has expired"
                + (f", or is not {self._secret.user}'s" if self._secret.user else ""),
                whole_destination=True,
            )
        return None

    def _said(self, response: httpx.Response) -> str:
        return f"answered {response.status_code} ({self._http.message(response)})"


def missing(error: DeliveryError) -> bool:
    """True if the failure concerns one ticket alone: a read by its id, and it is not there."""
    return isinstance(error.outcome, Rejected) and not error.outcome.whole_destination
