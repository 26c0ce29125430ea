"""What the classifier reads: title and text joined, cleaned, and cut to what the encoder can take in."""

from __future__ import annotations

import hashlib
import unicodedata

MAX_CHARACTERS = 2_000
"""Far more than the encoder's 128 tokens; keeps a megabyte of text from being tokenised for nothing."""


def join(title: str | None, text: str | None) -> str:
    """Title and text as one; a title that the text repeats is left out."""
    head, body = clean(title or ""), clean(text or "")
    if not head or body.casefold().startswith(head.casefold()):
        return body
    return f"{head}{'' if head[-1] in '.!?…' else '.'} {body}".strip()


def clean(text: str) -> str:
    """One line of normalised Unicode without control characters, cut to ``MAX_CHARACTERS``."""
    normal = unicodedata.normalize("NFKC", text[: 4 * MAX_CHARACTERS])
    visible = "".join(" " if unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"} else character for character in normal)
    return " ".join(visible.split())[:MAX_CHARACTERS]


def text_hash(text: str) -> str:
    """A short hash of a text: the same text is never labelled twice by the same model."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
