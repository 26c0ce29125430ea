"""URL templates of the playbook: placeholders checked on load, filled in and percent-encoded when a ticket is written.

A link whose placeholder has no value for an issue is left out: a dashboard without its version shows something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from urllib.parse import quote, urlsplit

PLACEHOLDERS = ("issue_id", "issue_type", "product", "platform", "version", "country", "since")
"""Placeholders of a template, in braces; ``since`` is the onset, as 2026-05-31T09:00:00Z."""


def check_template(template: str) -> str:
    """The template itself.

    Raises:
        ValueError: it is not an http(s) URL, or names a placeholder that does not exist.
    """
    address = urlsplit(template)
    if address.scheme not in ("http", "https") or not address.hostname or set("{}\\ \t\r\n") & set(address.netloc):
        raise ValueError(f"'{template}' is no http(s) URL with a fixed host")
    if any(character.isspace() or character in '<>"`' for character in template):
        raise ValueError(f"'{template}' has a space, quote or angle bracket in it; percent-encode it")
    for _, name, specification, conversion in Formatter().parse(template):
        if name is not None and (name not in PLACEHOLDERS or specification or conversion):
            raise ValueError(f"'{template}' names {{{name}}}; placeholders are {', '.join(PLACEHOLDERS)}")
    return template


def fill(template: str, values: Mapping[str, str | None]) -> str | None:
    """The URL with its placeholders filled in and percent-encoded; none where a value is missing."""
    named = {name for _, name, _, _ in Formatter().parse(template) if name}
    if any(not values.get(name) for name in named):
        return None
    return template.format_map({name: quote(values[name] or "", safe="") for name in named})
