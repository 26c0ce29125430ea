"""Sanitize untrusted text: escape Markdown, HTML and mentions, so that it shows as written and has no effect.

Known secrets are redacted on the way, before anything is cut.

Customers, app versions and release names end up in tickets. There, text may ping people (``@name``), link other
tickets (``#12``), close them, load an image (a tracking pixel), or draw Markdown and HTML that looks like ours. A
backslash stops Markdown and an entity stops HTML, but trackers look for mentions in the *rendered* text, so those are
broken with a zero-width space, which no reader sees.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from dagster_project.redaction import redact

LABEL_LIMIT = 50
"""Characters of a label or an owner; GitHub's limit, the least of the common trackers."""

_BREAK = "\N{ZERO WIDTH SPACE}"
_UNSAFE = re.compile("[\ud800-\udfff\u202a-\u202e\u2066-\u2069]")  # lone surrogates; what reorders the text around it
_URL = re.compile(r"https?://[!-;=?-\[\]_a-z~]{1,2000}")  # printable ASCII but space, angle brackets, backslash, `{|}^
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_STARTS_A_BLOCK = re.compile(r"^(?=[#+=/-])|^(\d+)(?=[.)](?:\s|$))")  # a heading, list or rule; or a bot's /command
_GITHUB_TICKET = r"(?i:(?<![A-Za-z0-9])gh)(?=-\d)"  # GitHub's other spelling of a ticket
_REACHES_OUT = re.compile(
    r"""
    (?<![A-Za-z0-9])@(?=\w)         # a mention; me@example and release@1.2 are none
    | \#(?=\d)                      # a ticket
    | :(?=//)                       # a link
    | (?i:www)(?=\.)                # ... without a scheme
    """,
    re.VERBOSE,
)
_REACHES_OUT_OF_WORDS = re.compile(f"{_REACHES_OUT.pattern} | {_GITHUB_TICKET}", re.VERBOSE)


def one_line(text: str, limit: int = 1000) -> str:
    """The text on one line, without control or direction-changing characters, cut with an ellipsis at the limit."""
    short = " ".join(_CONTROLS.sub(" ", _UNSAFE.sub("", redact(text))).split())
    return short if len(short) <= limit else short[: limit - 1].rstrip() + "…"


def plain(text: str, limit: int = 1000) -> str:
    """Sanitize for a place without Markdown, such as a title: one line without live mentions or links."""
    return _REACHES_OUT_OF_WORDS.sub(lambda match: match.group() + _BREAK, one_line(text, limit))


def markdown(text: str, limit: int = 1000) -> str:
    """Sanitize for Markdown: one line that shows exactly this text, without live mentions or links."""
    quiet = plain(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = _MARKDOWN.sub(lambda match: "\\" + match.group(), quiet)
    return _STARTS_A_BLOCK.sub(lambda match: (match.group(1) or "") + "\\", escaped)


def identifier(text: str, limit: int = 200) -> str:
    """An id where there is no markup for code: copied as it is, even if it begins like GitHub's "GH-12"."""
    return _REACHES_OUT.sub(lambda match: match.group() + _BREAK, one_line(text, limit))


def link(name: str, url: str) -> str | None:
    """A Markdown link to an http(s) page; none where the URL could be anything else."""
    address = urlsplit(url) if _URL.fullmatch(url) else None
    if address is None or not address.hostname:
        return None
    return f"[{markdown(name)}](<{url}>)"


def code(text: str, limit: int = 200) -> str:
    """An identifier as inline code: copied as it is, and searched by no tracker for mentions."""
    return "`" + one_line(text, limit).replace("`", "'").replace("|", "/") + "`"
