"""Text normalisation: join title and text, clean Unicode, truncate."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_CHARACTERS = 2_000
"""Truncation length, far above the encoder's 128 tokens; bounds the cost of a megabyte of text."""

# Control characters and lone surrogates become spaces, invisible marks are removed. Joiners stay: emoji need them.
_SEPARATING = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+")


def join(title: str | None, text: str | None) -> str:
    """Join title and text; a title that the text repeats is dropped."""
    head, body = clean(title or ""), clean(text or "")
    if not head or body.casefold().startswith(head.casefold()):
        return body
    return f"{head}{'' if head[-1] in '.!?…' else '.'} {body}".strip()


def clean(text: str) -> str:
    """Normalise to one line of NFKC Unicode without control characters, truncated to ``MAX_CHARACTERS``."""
    normal = unicodedata.normalize("NFKC", text[: 4 * MAX_CHARACTERS])
    visible = _INVISIBLE.sub("", _SEPARATING.sub(" ", normal))
    return " ".join(visible.split())[:MAX_CHARACTERS].rstrip()


def text_hash(text: str) -> str:
    """Cache key of a text: a short content hash."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
