"""What the classifier reads: title and text joined, cleaned, and cut to what the encoder can take in."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_CHARACTERS = 2_000
"""Far more than the encoder's 128 tokens; keeps a megabyte of text from being tokenised for nothing."""

# Control characters and lone surrogates separate words, invisible marks stand within them. Joiners stay for emoji.
_SEPARATING = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+")


def join(title: str | None, text: str | None) -> str:
    """Title and text as one; a title that the text repeats is left out."""
    head, body = clean(title or ""), clean(text or "")
    if not head or body.casefold().startswith(head.casefold()):
        return body
    return f"{head}{'' if head[-1] in '.!?…' else '.'} {body}".strip()


def clean(text: str) -> str:
    """One line of normalised Unicode without control characters, cut to ``MAX_CHARACTERS``."""
    normal = unicodedata.normalize("NFKC", text[: 4 * MAX_CHARACTERS])
    visible = _INVISIBLE.sub("", _SEPARATING.sub(" ", normal))
    return " ".join(visible.split())[:MAX_CHARACTERS].rstrip()


def text_hash(text: str) -> str:
    """A short hash of a text: the same text is never read twice by the same model."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
