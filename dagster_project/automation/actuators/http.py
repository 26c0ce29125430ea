"""Base of actuators with an HTTP API: connection and secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

import httpx

from dagster_project.automation.actuators.settings import HttpTargetSettings
from dagster_project.automation.http import HttpTarget, Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, NotSent, Rejected, Unknown


class HttpActuator:
    """Connection to one control system with an HTTP API; a reading is made by GET, a change by one write."""

    def __init__(
        self, settings: HttpTargetSettings, secret: Secret | None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.name, self.settle_seconds = settings.name, settings.settle_seconds
        self._secret = secret
        self._base_url = settings.base_url.rstrip("/")
        self._http = HttpTarget(
            base_url=settings.base_url,
            headers=lambda body: {"User-Agent": "feedback-control", **self._headers(body)},
            refusal=self._refusal,
            timeout_seconds=settings.timeout_seconds,
            transport=transport,
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _headers(self, body: bytes) -> Mapping[str, str]:
        """Headers of each request; by default the secret as a bearer token."""
        return {"Authorization": f"Bearer {self._secret.value()}"} if self._secret else {}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        """The outcome for a 4xx; the setting to fix is the useful half of its message."""
        if response.status_code == 401 and self._secret:
            said = f"answered 401 ({self._http.message(response)})"
            return Rejected(f"{said}; the secret in {self._secret.variable} is wrong or has expired", True)
        if response.status_code == 403 and self._secret:
            said = f"answered 403 ({self._http.message(response)})"
            return Rejected(f"{said}; give the secret in {self._secret.variable} the right to do this", status=403)
        return None


def status_of(error: DeliveryError) -> int:
    """The status of a refused request; 0 if it failed in another way."""
    return error.outcome.status if isinstance(error.outcome, Rejected) else 0


def segment(name: str) -> str:
    """A name as one segment of a path, whatever it holds: it may come from an issue.

    Raises:
        DeliveryError: no name can be that.
    """
    if name.strip(".") == "":
        raise DeliveryError(Rejected(f"'{name}' is no item of a control system"))
    return quote(name, safe="")


@contextmanager
def changing_nothing() -> Iterator[None]:
    """Requests that change nothing although they are no GET: if one fails, nothing is unknown."""
    try:
        yield
    except DeliveryError as error:
        if isinstance(error.outcome, Unknown):
            raise DeliveryError(NotSent(error.outcome.reason)) from None
        raise
