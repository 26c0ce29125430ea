"""HTTP client of destinations and actuators: certain and unknown outcomes of a request, retry and rate-limit headers.

    no connection                        not sent: certainly not there
    429, or a rate limit by its headers  deferred, for at least as long as the target asks
    4xx                                  rejected, in the destination's own words
    anything after the request left      unknown for a write: timeouts, resets, 5xx, unreadable answers

Reads change nothing, so a failed read is never unknown. Redirects are not followed: a followed write could happen
twice, and a token would go where nobody configured it. What a target answers goes through the door (``outgoing.py``)
before it is cut.

``destinations/http.py`` and ``actuators/http.py`` have the bases of those that use it.
"""

from __future__ import annotations

import base64
import email.utils
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from dagster_project import redaction
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, NotSent, Rejected, Unknown
from dagster_project.outgoing import excerpt

_NO_CONNECTION = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
DEFAULT_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(days=1)
_NO_INSTANT = (
    1_000_000_000  # a rate limit's reset below this is so many seconds (Roundup), above it an instant (GitHub)
)

T = TypeVar("T")


class HttpTarget:
    """Client of one HTTP API, one request at a time."""

    def __init__(
        self,
        *,
        base_url: str,
        headers: Callable[[bytes], Mapping[str, str]],
        refusal: Callable[[httpx.Response], Failure | None],
        timeout_seconds: float = 20,
        pace_seconds: float = 0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers, self._refusal = headers, refusal
        self._timeout, self._pace, self._transport = timeout_seconds, pace_seconds, transport
        self._client: httpx.Client | None = None
        self._exhausted_until = self._next_write = 0.0  # on the monotonic clock

    def read(self, path: str, expected: type[T], **params: str | int) -> tuple[T, httpx.Response]:
        """GET; the answer as the expected type, and the response for its headers."""
        return self._request("GET", path, expected, params=params)

    def write(self, method: str, path: str, body: Mapping[str, Any] | Sequence[Any], expected: type[T]) -> T:
        """Send a JSON body; the answer as the expected type, or as it is where that is ``bytes``."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return self.write_content(method, path, content, expected)

    def write_content(
        self, method: str, path: str, content: bytes, expected: type[T], headers: Mapping[str, str] | None = None
    ) -> T:
        """Send a body of any form; ``headers`` go over those of every request."""
        time.sleep(max(0.0, self._next_write - time.monotonic()))
        try:
            return self._request(method, path, expected, headers or {}, content=content)[0]
        finally:
            self._next_write = time.monotonic() + self._pace

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Like ``write``, for an endpoint whose answer is empty or not needed."""
        self.write(method, path, body, object)

    def close(self) -> None:
        """Let the connections go; the next request makes new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _request(
        self, method: str, path: str, expected: type[T], own: Mapping[str, str] | None = None, **content: Any
    ) -> tuple[T, httpx.Response]:
        if (left := self._exhausted_until - time.monotonic()) > 0:
            raise DeliveryError(Deferred("the rate limit is used up", timedelta(seconds=left)))
        sent: bytes = content.get("content", b"")
        headers = {**({"Content-Type": "application/json"} if sent else {}), **self._headers(sent), **(own or {})}
        lost = NotSent if method == "GET" else Unknown
        try:
            response = self._connected().request(method, self._base_url + path, headers=headers, **content)
        except _NO_CONNECTION as error:
            reason = f"no connection to {self._base_url}: {_said(error)}; check base_url, the network and the proxy"
            raise DeliveryError(NotSent(reason)) from None
        except httpx.HTTPError as error:
            raise DeliveryError(lost(f"no answer to {method} {path} ({_said(error)})")) from None
        self._heed_the_limit(response)
        if not response.is_success:
            raise DeliveryError(self._failure(response, method, path))
        if expected is bytes and _is_page(response):
            reason = f"{response.status_code} to {method} {path}, but with an HTML page, as a login or a proxy does"
            raise DeliveryError(lost(f"answered {reason}; check base_url"))
        if expected is bytes or (expected is object and not response.content):
            return cast(T, response.content), response
        try:
            return TypeAdapter(expected).validate_json(response.content), response
        except ValidationError:
            reason = f"{response.status_code} to {method} {path}, but not in the form this API answers"
            raise DeliveryError(lost(f"answered {reason}; check base_url")) from None

    def _failure(self, response: httpx.Response, method: str, path: str) -> Failure:
        status = response.status_code
        said = f"answered {status} to {method} {path}"
        if status == 429:
            return Deferred(f"{said}: too many requests", wait_of(response))
        if status >= 500 or status == 408:
            return NotSent(said) if method == "GET" else Unknown(said)
        if specific := self._refusal(response):
            return specific
        if response.is_redirect:
            return Rejected(f"{said}: it has moved; set base_url to where it is now", whole_destination=True)
        return Rejected(f"{said}: {self.message(response)}", status=status)

    def message(self, response: httpx.Response) -> str:
        """The target's error message, short and fit to leave."""
        return excerpt(response.text, 300)

    def _heed_the_limit(self, response: httpx.Response) -> None:
        if response.headers.get("x-ratelimit-remaining") == "0" and "x-ratelimit-reset" in response.headers:
            self._exhausted_until = time.monotonic() + wait_of(response).total_seconds()

    def _connected(self) -> httpx.Client:
        if self._client is None:
            timeout = httpx.Timeout(self._timeout, connect=min(self._timeout, 5))
            self._client = httpx.Client(timeout=timeout, transport=self._transport, follow_redirects=False)
        return self._client


@dataclass(frozen=True)
class Secret:
    """Credential of a tool, read from the environment for each request."""

    variable: str
    purpose: str
    user: str = ""

    def __post_init__(self) -> None:
        redaction.know_variable(self.variable)

    def value(self) -> str:
        """The secret itself.

        Raises:
            DeliveryError: it is missing, or holds what cannot be sent; the message names the variable.
        """
        value = self._present()
        if not value or not value.isascii() or not value.isprintable():
            wrong = "holds what no secret looks like" if value else "is not set"
            reason = f"environment variable {self.variable} {wrong}; put {self.purpose} there"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        return value

    def basic(self) -> str:
        """The secret as the password of HTTP's Basic scheme."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.value()}".encode()).decode()

    def _present(self) -> str:
        return os.environ.get(self.variable, "").strip()


def wait_of(response: httpx.Response) -> timedelta:
    """The wait that the target asks for, by ``Retry-After`` (seconds or date) or the reset of its rate limit."""
    asked, reset = response.headers.get("retry-after", ""), response.headers.get("x-ratelimit-reset", "")
    there = _date(response.headers.get("date", "")) or datetime.now(UTC)  # the target's clock, where it tells
    wait = DEFAULT_WAIT
    if asked.isdigit():
        wait = timedelta(seconds=min(int(asked), _LONGEST_WAIT.total_seconds()))
    elif until := _date(asked):
        wait = until - there
    elif reset.isdigit():
        until_then = int(reset) if int(reset) < _NO_INSTANT else int(reset) - there.timestamp()
        wait = timedelta(seconds=min(until_then, _LONGEST_WAIT.total_seconds()))
    return min(max(wait, timedelta(seconds=1)), _LONGEST_WAIT)


def _is_page(response: httpx.Response) -> bool:
    """True for a web page, which is no API's answer; a plain "ok" may well be labelled as HTML by a framework."""
    labelled = "html" in response.headers.get("content-type", "").lower()
    return labelled and response.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _said(error: httpx.HTTPError) -> str:
    return excerpt(str(error) or type(error).__name__, 300)


def _date(text: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None
