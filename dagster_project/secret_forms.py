"""Search of known secrets in a text: in any encoding, any nesting of encodings, wrapped or cut by another program.

The text is searched as it is, and again with its escapes taken off (percent-encoding, HTML entities, backslashes), up
to four times, each time also without white space and zero-width characters. In each of these views every form of a
secret is looked for: as it is, reversed, in hexadecimal, and in Base64 at its three alignments. A part of a form counts
too: from six characters where the text was cut, elsewhere from eight if it is no plain word.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote, unquote

from models_ml.text.masking import UNSEEN

LEAST = 6
"""Characters from which a secret is found anywhere in a text; a shorter one only as a word of its own."""

_LEAST_PART = 8
_NESTINGS = 4
"""Encodings within encodings that are looked through."""

_KINDS = (
    r"(?:%[0-9a-f]{2})+",
    r"&(?:\#\d{1,7}|\#x[0-9a-f]{1,6}|[a-z]{2,6});",
    r"\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[\"'\\/nrt]",
)
_ESCAPED = re.compile("|".join(_KINDS), re.IGNORECASE)
_ESCAPED_AS = tuple(re.compile(kind, re.IGNORECASE) for kind in _KINDS)
_UNSEEN = re.compile(rf"(?:\s|{UNSEEN.pattern})+")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-")
_CUT_END = re.compile(r"[\s\"'`)\]}.;,]*(?:\.\.\.|…|\Z)")
_CUT_START = re.compile(r"(?:\A|\.\.\.|…)[\s\"'`(\[{]*\Z")
_CODED = re.compile(r"\d|[a-z][A-Z]|[A-Z][a-z]+[A-Z]|[^\w\s.,:;!?()'\"-]")


def spans_of(secrets: Iterable[str], text: str) -> list[tuple[int, int]]:
    """Start and end of each place that gives a secret away, in order; places may overlap."""
    wanted, spans = list(secrets), set[tuple[int, int]]()
    for view in _views(text) if wanted else ():
        spans.update(view.span(*found) for found in _found(view, wanted))
    return sorted(spans)


def is_coded(text: str) -> bool:
    """True for what is no plain word: hiding it wherever it stands does no harm."""
    return bool(_CODED.search(text))


@dataclass(frozen=True)
class _View:
    """A text as a program would read it, with the place of each of its characters in the text that it was made of."""

    text: str
    made_of: _View | None = None
    pattern: re.Pattern[str] = _UNSEEN
    by: Callable[[str], str] = lambda _: ""
    is_squeezed: bool = False

    def replaced(self, pattern: re.Pattern[str], by: Callable[[str], str], *, is_squeezed: bool = False) -> _View:
        """A view of this one with other text for each match."""
        text = pattern.sub(lambda found: by(found.group()), self.text)
        return _View(text, self, pattern, by, is_squeezed)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of this view stands in the original text."""
        if self.made_of is None:
            return start, end
        starts, ends = self._places
        return self.made_of.span(starts[start], ends[end - 1])

    @cached_property
    def _places(self) -> tuple[list[int], list[int]]:
        """Start and end of each character in the view that this one was made of."""
        assert self.made_of
        starts, ends, done = list[int](), list[int](), 0
        for found in self.pattern.finditer(self.made_of.text):
            starts += range(done, found.start())
            ends += range(done + 1, found.start() + 1)
            length, done = len(self.by(found.group())), found.end()
            starts += [found.start()] * length
            ends += [done] * length
        starts += range(done, len(self.made_of.text))
        ends += range(done + 1, len(self.made_of.text) + 1)
        return starts, ends


def _views(text: str) -> Iterator[_View]:
    view = _View(text)
    # One kind alone: a secret may itself hold what looks like an escape of another.
    yield from (view.replaced(kind, _decoded) for kind in _ESCAPED_AS if kind.search(text))
    for _ in range(_NESTINGS):
        yield view
        if _UNSEEN.search(view.text):
            yield view.replaced(_UNSEEN, lambda _: "", is_squeezed=True)
        if not _ESCAPED.search(view.text):
            return
        view = view.replaced(_ESCAPED, _decoded)
    yield view


def _decoded(escaped: str) -> str:
    if escaped.startswith("%"):
        return unquote(escaped, errors="replace")
    if escaped.startswith("&"):
        return html.unescape(escaped)
    if escaped[1] in "uxUX":
        return chr(int(escaped[2:], 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(escaped[1], escaped[1])


@dataclass(frozen=True)
class _Form:
    """A secret in one encoding. In Base64 the case counts, and the characters beside it belong to it as well."""

    text: str
    is_base64: bool = False

    def places(self, view: _View, lowered: str) -> Iterator[tuple[int, int]]:
        """Places of the form, and of its beginning or end where the rest is missing."""
        text, wanted = (view.text, self.text) if self.is_base64 else (lowered, _lower(self.text))
        for at in _occurrences(text, wanted[:LEAST]):
            end = at + _common(text[at : at + len(wanted)], wanted)
            if end - at == len(wanted) or _counts(view.text, at, end, _CUT_END.match(view.text, end) is not None):
                yield self._whole(view, at, end)
        for at in _occurrences(text, wanted[-LEAST:]):
            end = at + LEAST
            start = end - _common(text[max(0, end - len(wanted)) : end][::-1], wanted[::-1])
            if _counts(view.text, start, end, _CUT_START.search(view.text[max(0, start - 8) : start]) is not None):
                yield self._whole(view, start, end)

    def _whole(self, view: _View, start: int, end: int) -> tuple[int, int]:
        if self.is_base64 and not view.is_squeezed:
            while start and view.text[start - 1] in _BASE64:
                start -= 1
            while end < len(view.text) and view.text[end] in _BASE64:
                end += 1
        return start, end


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[_Form, ...]:
    data, escaped = secret.encode("utf-8", "replace"), ascii(secret)[1:-1]
    in_json = json.dumps(secret)[1:-1]  # characters beyond 16 bits are two escapes there
    shown = {
        secret,
        secret[::-1],
        secret.replace(" ", "+"),
        quote(secret, safe=""),
        escaped,
        in_json,
        data.hex(),
        data.hex()[::-1],
    }
    unescaped = secret
    for _ in range(_NESTINGS):  # a secret may itself hold what looks like an escape, which a view takes off as well
        unescaped = _ESCAPED.sub(lambda found: _decoded(found.group()), unescaped)
        shown.add(unescaped)
    shown |= {line for line in secret.splitlines() if len(line) >= 16}  # one line of a PEM key
    shown |= {_UNSEEN.sub("", form) for form in shown}
    return (
        *(_Form(form) for form in sorted(shown, key=len, reverse=True) if len(form) >= LEAST),
        *(_Form(form, is_base64=True) for form in sorted(set(_base64(data)))),
    )


def _base64(data: bytes) -> Iterator[str]:
    """The characters that the data alone decides in Base64, at each alignment, in both alphabets."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        certain = encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(certain) >= LEAST:
            yield certain
            yield certain.replace("+", "-").replace("/", "_")


def _found(view: _View, secrets: Iterable[str]) -> Iterator[tuple[int, int]]:
    lowered = _lower(view.text)
    for secret in secrets:
        if len(secret) >= LEAST:
            for form in _forms(secret):
                yield from form.places(view, lowered)
        else:
            alone = re.compile(rf"(?<!\w){re.escape(secret)}(?!\w)")
            yield from (found.span() for found in alone.finditer(view.text))


def _counts(text: str, start: int, end: int, is_at_cut: bool) -> bool:
    """True if a part of a form is to be hidden where it stands."""
    return end - start >= LEAST and (is_at_cut or (end - start >= _LEAST_PART and is_coded(text[start:end])))


def _occurrences(text: str, wanted: str) -> Iterator[int]:
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1)


def _common(text: str, wanted: str) -> int:
    """Number of characters that two texts share at their beginning."""
    return next((at for at, pair in enumerate(zip(text, wanted, strict=False)) if pair[0] != pair[1]), len(text))


def _lower(text: str) -> str:
    """The text in small letters, at the same length."""
    return text.replace("İ", "I").lower()
