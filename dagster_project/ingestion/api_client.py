"""HTTP client of the API readers: bounded answers from the configured origin.

A request has a time budget that covers name resolution, headers and body; the body is decompressed within a size limit.
Redirects and page links are followed only to the configured origin, or to one that ``origins`` allows. Credentials
(``token_env``, or user and password in ``url``) are sent to the configured origin alone, and are never quoted.
"""

from __future__ import annotations

import base64
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import sleep
from types import TracebackType
from typing import Any

import httpx

from dagster_project.errors import SourceError
from dagster_project.ingestion.file_access import parse_json
from dagster_project.ingestion.isolation import one_line
from dagster_project.ingestion.limits import Deadline, LimitError, Limits, OutOfTimeError
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.redaction import know, without_credentials

_RETRY_SECONDS = (1.0, 3.0)
"""Pauses before a request is retried: no connection, too many requests, or a fault of the server."""
_REDIRECTS = 5
_QUOTED = 200
_PIECE = 64 * 1024
_REMEDIES = {
    401: "check {token}",
    403: "check {token} and what the token may read",
    404: "check `url`",
    429: "it asks for fewer requests",
}


@dataclass(frozen=True)
class Answer:
    """An answer without an error status."""

    url: httpx.URL
    headers: httpx.Headers
    content: bytes

    @property
    def next_page(self) -> httpx.URL | None:
        """Address of the next page by the header ``Link``; None on the last."""
        links = httpx.Response(200, headers={"Link": self.headers.get("Link", "")}).links
        address = links.get("next", {}).get("url", "")
        try:
            return self.url.join(address) if address else None
        except (httpx.InvalidURL, ValueError):
            raise SourceError(f"the header `Link` of {without_credentials(str(self.url))} holds no address") from None


class ApiClient:
    """Client for one source in one run; a context manager."""

    def __init__(self, source: SourceConfig, transport: httpx.BaseTransport | None = None) -> None:
        self._source = source
        self._limits = source.limits
        self._deadline = Deadline(source.limits, "api_seconds")
        self._http = httpx.Client(timeout=source.limits.answer_seconds + 1, transport=transport, follow_redirects=False)
        self._own = _address(source, source.url, "`url`")
        self._credentials = _credentials(source, self._own)
        self._answers, self._about = 0, ""

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(
        self,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        about: str = "",
    ) -> Answer:
        """Request a path below ``url``; retried if it may help. ``about`` goes into messages.

        Raises:
            SourceError: no usable answer; the message names the source, what came and the remedy.
        """
        self._about = f" ({about[:_QUOTED]})" if about else ""
        return self._get(self._below(path).copy_merge_params(parameters or {}), headers or {})

    def pages(self, path: str, *, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """Request a path and the pages that follow it by the header ``Link``.

        Raises:
            SourceError: as ``get``; or a page names one that came before as the next.
        """
        address: httpx.URL | None = self._below(path)
        seen: set[httpx.URL] = set()
        while address:
            seen.add(address)
            answer = self._get(address, headers or {})
            yield answer
            address = answer.next_page
            if address in seen:
                raise SourceError(f"{self._shown} names an earlier page as the next one; look at its `Link` header")

    def _below(self, path: str) -> httpx.URL:
        """A path under ``url``, with the query that ``url`` has (a key, perhaps)."""
        below = httpx.URL(path)
        address = self._own.copy_with(path=self._own.path.rstrip("/") + below.path, userinfo=b"", fragment=None)
        return address.copy_merge_params(below.params)

    def _get(self, address: httpx.URL, headers: Mapping[str, str]) -> Answer:
        self._answers += 1
        if self._answers > self._limits.pages:
            raise LimitError(f"{self._shown} goes on with ever more pages", "pages", self._limits.value("pages"))
        for pause in (*_RETRY_SECONDS, None):
            try:
                return self._follow(address, headers)
            except _TemporaryError as error:
                if pause is None or pause > self._deadline.left:
                    raise SourceError(str(error)) from None
                sleep(pause)
        raise AssertionError

    def json(self, answer: Answer) -> Any:
        """The answer's JSON document.

        Raises:
            SourceError: it is not JSON; the message quotes how it begins.
        """
        try:
            return parse_json(answer.content, "its answer", self._limits)
        except (SourceError, UnicodeDecodeError) as error:
            if isinstance(error, LimitError):
                raise
            kind = answer.headers.get("content-type", "no content type").split(";")[0][:60]
            raise SourceError(
                f"{self._shown} answered with {kind} where JSON is expected (“{self._quoted(answer.content)}”);"
                " is it a login page? check `url` and `token_env`"
            ) from None

    @property
    def _shown(self) -> str:
        return f"{self._source.name}: {self._source.address}{self._about}"

    def _follow(self, address: httpx.URL, headers: Mapping[str, str]) -> Answer:
        """The answer after redirects."""
        for _ in range(_REDIRECTS + 1):
            target = self._admitted(address)
            sent = {**headers, "Accept-Encoding": "gzip"}
            if _origin(target) == _origin(self._own):
                sent |= self._credentials
            status, answer = self._within_time(target, sent)
            if status in {301, 302, 303, 307, 308} and "location" in answer.headers:
                try:
                    address = target.join(answer.headers["location"])
                except (httpx.InvalidURL, ValueError):
                    raise SourceError(f"{self._shown} redirects to what is no address; check `url`") from None
                continue
            if status >= 400:
                self._refuse(status, answer)
            return answer
        raise SourceError(f"{self._shown} redirects more than {_REDIRECTS} times; check `url`")

    def _admitted(self, address: httpx.URL) -> httpx.URL:
        """The address without user and password, if something may be sent to it."""
        origin, own = _origin(address), _origin(self._own)
        allowed = {_origin(httpx.URL(one)) for one in self._source.origins}
        if address.scheme not in ("http", "https"):
            raise SourceError(f"{self._shown} leads to {address.scheme[:20]}:, which is no web address; check `url`")
        if own.startswith("https:") and address.scheme == "http":
            raise SourceError(f"{self._shown} leads to {origin}, which is not encrypted; nothing was sent; check `url`")
        if origin != own and origin not in allowed:
            raise SourceError(
                f"{self._shown} leads to another origin, {origin}; nothing was sent to it: correct `url`, or allow it"
                f" with `origins: [{origin}]` (it never gets the token)"
            )
        return address.copy_with(userinfo=b"", fragment=None)

    def _refuse(self, status: int, answer: Answer) -> None:
        token = f"${self._source.token_env}" if self._source.token_env else "`token_env`"
        remedy = _REMEDIES.get(status, "check `url` and what is asked").format(token=token)
        problem = f"{self._shown} refused with {status} (“{self._quoted(answer.content)}”); {remedy}"
        raise _TemporaryError(problem) if status == 429 or status >= 500 else SourceError(problem)

    def _within_time(self, address: httpx.URL, headers: Mapping[str, str]) -> tuple[int, Answer]:
        """Receive in a thread: neither name resolution nor a server that drips headers can hold up the run."""
        self._deadline.check(self._shown)
        deadline = Deadline(self._limits, "answer_seconds")
        result: SimpleQueue[tuple[int, Answer] | BaseException] = SimpleQueue()
        threading.Thread(target=_report, args=(result, self._receive, address, headers, deadline), daemon=True).start()
        try:
            received = result.get(timeout=max(0.001, min(deadline.left, self._deadline.left)))
        except Empty:
            self._http.close()
            self._deadline.check(self._shown)
            raise OutOfTimeError(
                f"{self._shown} took longer than allowed for one answer",
                "answer_seconds",
                f"{self._limits.value('answer_seconds')} s",
            ) from None
        if isinstance(received, httpx.TransportError):
            raise _TemporaryError(f"{self._shown} cannot be reached ({self._quoted(str(received))}); check `url`")
        if isinstance(received, httpx.HTTPError | httpx.InvalidURL):
            raise SourceError(f"{self._shown} cannot be asked ({self._quoted(str(received))}); check `url`")
        if isinstance(received, zlib.error):
            raise SourceError(f"{self._shown} sent damaged gzip; look at what stands between") from None
        if isinstance(received, BaseException):
            raise received
        return received

    def _receive(self, address: httpx.URL, headers: Mapping[str, str], deadline: Deadline) -> tuple[int, Answer]:
        with self._http.stream("GET", address, headers=dict(headers)) as response:
            encoding = response.headers.get("content-encoding", "identity").strip().lower()
            if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
                raise SourceError(f"{self._shown} answers in the encoding {encoding[:40]!r}, which was not asked for")
            pieces = _watched(response.iter_raw(_PIECE), deadline, self._shown)
            packed = encoding not in ("identity", "")
            content = _joined(_inflated(pieces) if packed else pieces, self._limits, self._shown)
            return response.status_code, Answer(address, response.headers, content)

    @staticmethod
    def _quoted(said: bytes | str) -> str:
        """How an answer begins, on one line, without control characters and without our credentials."""
        text = said[: 16 * _QUOTED].decode("utf-8", "replace") if isinstance(said, bytes) else said
        return one_line(text, _QUOTED)


class _TemporaryError(Exception):
    """A failure after which asking again may help."""


def _address(source: SourceConfig, url: str, setting: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise SourceError(f"{source.name}: {setting} is no address; write one like https://host:port") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise SourceError(f"{source.name}: {setting} is no web address; write one like https://host:port")
    return address


def _credentials(source: SourceConfig, own: httpx.URL) -> dict[str, str]:
    """The header that authorises; what is in it is known as a secret from now on."""
    if not source.token_env:
        if not (own.username or own.password):
            return {}
        basic = base64.b64encode(f"{own.username}:{own.password}".encode()).decode()
        know(basic)
        return {"Authorization": f"Basic {basic}"}
    token = os.environ.get(source.token_env, "").strip()
    if not token:
        raise SourceError(
            f"{source.name}: the environment variable {source.token_env} is not set; export {source.token_env}=…"
        )
    if not (token.isascii() and token.isprintable()):
        raise SourceError(
            f"{source.name}: the token in ${source.token_env} has characters that no token has; set it anew"
        )
    return {"Authorization": f"Bearer {token}"}


def _origin(address: httpx.URL) -> str:
    port = address.port or {"http": 80, "https": 443}.get(address.scheme, 0)
    return f"{address.scheme}://{address.host}:{port}"


def _report(
    result: SimpleQueue[tuple[int, Answer] | BaseException], call: Callable[..., tuple[int, Answer]], *arguments: Any
) -> None:
    try:
        result.put(call(*arguments))
    except BaseException as error:  # the thread that waits raises it
        result.put(error)


def _watched(pieces: Iterable[bytes], deadline: Deadline, shown: str) -> Iterator[bytes]:
    """The pieces, until the time is over: a thread that nobody waits for any more ends, too."""
    for piece in pieces:
        deadline.check(shown)
        yield piece


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip or deflate in pieces of bounded size."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    for piece in pieces:
        yield unpack.decompress(piece, _PIECE)
        while unpack.unconsumed_tail:
            yield unpack.decompress(unpack.unconsumed_tail, _PIECE)
    yield unpack.flush(_PIECE)


def _joined(pieces: Iterable[bytes], limits: Limits, shown: str) -> bytes:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > limits.answer_bytes:
            raise LimitError(f"{shown} sent too large an answer", "answer_bytes", limits.value("answer_bytes"))
    return bytes(content)
