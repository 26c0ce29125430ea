"""Redaction of secrets: known values in any encoding, credentials in URLs and headers, and tokens by their format.

Known secrets are the values of the environment variables that the configuration names (``token_env`` and the like), of
variables whose names say so (``..._TOKEN``, ``..._PASSWORD``), and the passwords in configured URLs. They are found
in any encoding (``secret_forms.py``), also if another program has cut or wrapped them.

    length of a secret     where its value is redacted
    six characters up      anywhere
    four and five          where it stands alone, as a word
    up to three            only by its place: in a URL, or after ``Authorization:``
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from dagster_project.secret_forms import LEAST, is_coded, spans_of
from models_ml.text.secrets import hide_tokens

MARK = "***"
_LEAST_WORD = 4
"""Characters of the shortest secret whose value is looked for."""

_ROUNDS = 4
_LEAST_USER = 16

_NAMED_SECRET = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|ROUTING_KEY|CREDENTIALS?)(?:_|$)",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"true|false|yes|no|on|off|none|null|[\d.]{1,5}|/.*|\.{1,2}/.*", re.IGNORECASE)
_IN_QUERY = (
    r"(?:[\w.~-]{0,40}[_.-])?(?:[a-z]{0,20}(?:token|key|secret|password|signature|credentials?)|passwd|passphrase|pass|pwd|pw"
    r"|sig|auth|authorization|jwt|assertion|session(?:_?id)?|sid|code|nonce|sas|policy)(?:[_.-][\w.~-]{0,40})?"
    r"|x-(?:amz|goog|ms)-[\w-]{1,40}|AWSAccessKeyId|Key-Pair-Id"
)
_QUERY = re.compile(rf"""([?&;]|%3F|%26)({_IN_QUERY})(=|%3D)[^\s&"'<>#;]+""", re.IGNORECASE)
_QUERY_NAME = re.compile(_IN_QUERY, re.IGNORECASE)
_SCHEME = r"\b[a-z][a-z0-9+.-]{0,30}"
_USERINFO = re.compile(rf"""({_SCHEME}:(?://|\\/\\/))[^\s/?#"'<>\\]*@""", re.IGNORECASE)
_USERINFO_ENCODED = re.compile(rf"""({_SCHEME}%3A%2F%2F)(?:(?!%2F|%3F|%23)[^\s/?#"'<>\\])*%40""", re.IGNORECASE)


class _Known:
    """The known secrets of this process; safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._variables: set[str] = set()
        self._scanned = False

    def add(self, values: Iterable[str]) -> None:
        with self._lock:
            self._values |= {value for value in values if value}

    def name(self, variable: str) -> None:
        with self._lock:
            self._variables.add(variable)

    def values(self) -> frozenset[str]:
        """The secrets as of now: variables are read each time, as a secret may be replaced while a process runs."""
        with self._lock:
            if not self._scanned:
                self._scan()
            named = {os.environ.get(variable, "").strip() for variable in self._variables}
            return frozenset(value for value in self._values | named if len(value) >= _LEAST_WORD)

    def _scan(self) -> None:
        """Take what the environment holds under a name or in a form that says so."""
        self._scanned = True
        for variable, value in os.environ.items():
            self._values |= set(_of_url(value))
            if _NAMED_SECRET.search(variable) and len(value) >= LEAST and not _NO_SECRET.fullmatch(value):
                self._variables.add(variable)


_KNOWN = _Known()


def know(*values: str) -> None:
    """Make values known as secrets."""
    _KNOWN.add(value.strip() for value in values)


def know_variable(variable: str) -> None:
    """Make the value of an environment variable known as a secret, whatever it is when something leaves."""
    if variable:
        _KNOWN.name(variable)


def know_url(url: str) -> None:
    """Make the password, a token in place of the user, and secret query values of a URL known as secrets."""
    _KNOWN.add(_of_url(url))


def redact(text: str) -> str:
    """The text without any known secret, in whatever encoding, and without credentials that show by their place."""
    for _ in range(_ROUNDS):  # what was hidden behind one finding is found in the next round
        hidden = _hide_known(_hide_placed(text))
        if hidden == text:
            break
        text = hidden
    return text


def redact_values(value: Any) -> Any:
    """A JSON value with every text in it redacted, names included."""
    if isinstance(value, dict):
        return {redact_values(name): redact_values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_values(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def without_credentials(url: str) -> str:
    """A URL fit to be stored: without user and password, and without query parameters that hold a secret."""
    scheme, found, rest = url.partition("://")
    if not found:
        return redact(url)
    address, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = address.partition("/")
    if "@" in host and "@" in path:
        # A password with a slash in it, or a path with an @: part of the path is lost rather than a secret kept.
        host, slash, path = address.rpartition("@")[2].partition("/")
    kept = [pair for pair in query.split("&") if pair and not _QUERY_NAME.fullmatch(unquote(pair.partition("=")[0]))]
    bare = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    return redact(f"{bare}?{'&'.join(kept)}" if kept else bare)


def _hide_placed(text: str) -> str:
    """Redact by place and format: userinfo and query of URLs, authorization headers, tokens of known issuers."""
    bare = _USERINFO_ENCODED.sub(r"\1", _USERINFO.sub(r"\1", text))
    return hide_tokens(_QUERY.sub(rf"\1\2\3{MARK}", bare), MARK)


def _of_url(url: str) -> Iterator[str]:
    """Secrets in a URL. A password may hold an unescaped ``@`` or ``/``, so every way to read it counts."""
    scheme, found, rest = url.partition("://")
    if not found or len(scheme) > 40:
        return
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    for userinfo in {authority.rpartition("@")[0], rest.rpartition("@")[0] if ":" in authority else ""} - {""}:
        user, _, password = userinfo.partition(":")
        yield from {password, unquote(password)}
        if len(user) >= _LEAST_USER and is_coded(user):  # a token in the user's place
            yield from {user, unquote(user)}
    for pair in re.split(r"[&;]", rest.partition("?")[2].partition("#")[0]):
        name, _, value = pair.partition("=")
        if _QUERY_NAME.fullmatch(unquote(name)):
            yield from {value, unquote(value)}


def _hide_known(text: str) -> str:
    pieces, done = [], -1
    for start, end in spans_of(_KNOWN.values(), text):
        if start > done:
            pieces += [text[max(done, 0) : start], MARK]
        done = max(done, end)
    return "".join([*pieces, text[max(done, 0) :]])
