"""Texts that say the same in nearly the same words: copies, whoever sends them.

A text is normalised (case, punctuation, emoji, links and drawn-out letters do not count) and cut into pieces of five
characters. MinHash (datasketch) makes of the set of pieces a signature of 64 numbers; the share of numbers that two
signatures have in common estimates the share of pieces that the texts have in common (Jaccard). Locality-sensitive
hashing finds the candidates: signatures that agree on all four numbers of one of sixteen bands.

Thousands of honest people write "great app" or "video won't play": what is too short to be recognised as a copy gets no
signature. In an outage honest people write alike at length, too ("every time I try to watch a video it says something
went wrong"). Among 5,000 reviews of one app such pairs share up to two thirds of their pieces; copies with a word
changed mostly share seven tenths and more. ``THRESHOLD`` stands between them.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import numpy as np

from models_ml.text.preprocess import clean

THRESHOLD = 0.66
"""The similarity from which two texts count as copies of each other."""

MIN_WORDS = 8
"""A text with fewer different words has no signature ..."""

MIN_LETTERS = 40
"""... nor has one with fewer letters and digits. In scripts without blanks a character counts as half a word."""

PERMUTATIONS = 64
_SEED = 20_260
_ROWS = 4  # numbers in a band: texts of similarity 0.75 agree in one of 16 bands with 99.8 %, of 0.3 with 12 %
_SHINGLE = 5
_SIZE = 4 * PERMUTATIONS

_LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
_APOSTROPHE = re.compile("['’]")
_WORD = re.compile(r"[^\W_]+")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese write no blanks between words.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def signature(text: str) -> bytes | None:
    """64 unsigned 32-bit numbers, little-endian; None where there is too little text to call anything a copy.

    The first 2,000 characters count. Texts that are equal when normalised have equal signatures, on any machine.
    """
    words = [
        _DRAWN_OUT.sub(r"\1", word)
        for word in _WORD.findall(_APOSTROPHE.sub("", _LINK.sub(" ", clean(text))).casefold())
    ]
    if not _is_enough(words):
        return None
    line = f" {' '.join(words)} "
    minhash = _empty().copy()
    minhash.update_batch({line[start : start + _SHINGLE].encode() for start in range(len(line) - _SHINGLE + 1)})
    return bytes(minhash.hashvalues.astype("<u4").tobytes())


def similarity(a: bytes, b: bytes) -> float:
    """The share (0-1) of numbers that two signatures have in common.

    Raises:
        ValueError: one of them is no signature of this module.
    """
    return float((_numbers(a) == _numbers(b)).mean())


def band_keys(signature: bytes) -> tuple[int, ...]:
    """One signed 64-bit number for each of 16 bands; texts that share one may be copies, see ``similarity``.

    Raises:
        ValueError: it is no signature of this module.
    """
    if len(signature) != _SIZE:
        raise ValueError(f"a signature has {_SIZE} bytes, not {len(signature)}")
    step = 4 * _ROWS
    return tuple(
        int.from_bytes(
            hashlib.blake2b(signature[start : start + step], digest_size=8, salt=start.to_bytes(2, "little")).digest(),
            "little",
            signed=True,
        )
        for start in range(0, _SIZE, step)
    )


@dataclass
class _Member:
    """A text that copies are looked for among: its cluster, named by the first text's key, and when it last came."""

    signature: bytes
    first: str
    bands: tuple[int, ...]
    seen: datetime


class Clusters:
    """Puts copies together in the order in which they come; what was said of a text never changes later.

    Brigades and copy-paste storms come in bursts, so a text is compared only with those of the ``window`` before it,
    and with the latest ``limit`` of those. It joins the cluster of the latest text that it is a copy of. A band keeps
    one member of each cluster and an equal signature is kept once, so that memory and time grow with what is different,
    not with the size of a flood.
    """

    def __init__(self, window: timedelta = timedelta(days=7), limit: int = 100_000) -> None:
        self._window = window
        self._limit = limit
        self._members: OrderedDict[int, _Member] = OrderedDict()  # by number, the one not seen for longest first
        self._numbers = itertools.count()
        self._equal: dict[bytes, int] = {}  # by signature: its member
        self._bands: dict[int, dict[str, int]] = {}  # by band key: each cluster's latest member

    def add(self, key: str, signature: bytes | None, at: datetime) -> str | None:
        """The key of the first member of the text's cluster; None where no text before it is a copy.

        A text without a signature is in no cluster. One that comes again under the key of the first is no copy. Texts
        come in the order of ``at``.
        """
        if signature is None:
            return None
        self._forget(at)
        first = self._find(signature) or key
        self._keep(first, signature, at)
        return first if first != key else None

    def seed(self, first: str, signature: bytes, at: datetime) -> None:
        """A text of which the answer is known: the first of its cluster, itself if there was none before it."""
        self._forget(at)
        self._keep(first, signature, at)

    def _find(self, signature: bytes) -> str | None:
        """The cluster of the latest member like this one."""
        if (equal := self._equal.get(signature)) is not None:
            return self._members[equal].first
        candidates = sorted({number for key in band_keys(signature) for number in self._bands.get(key, {}).values()})
        if not candidates:
            return None
        known = np.frombuffer(b"".join(self._members[number].signature for number in candidates), "<u4")
        shares = (known.reshape(-1, PERMUTATIONS) == _numbers(signature)).mean(axis=1)
        alike = [number for number, share in zip(candidates, shares, strict=True) if share >= THRESHOLD]
        return self._members[max(alike)].first if alike else None

    def _keep(self, first: str, signature: bytes, at: datetime) -> None:
        """Numbers rise with time: a signature that comes again takes a new one."""
        if signature in self._equal:
            self._drop(self._equal[signature])
        number = next(self._numbers)
        member = _Member(signature, first, band_keys(signature), at)
        self._members[number] = member
        self._equal[signature] = number
        for key in member.bands:
            self._bands.setdefault(key, {})[first] = number

    def _forget(self, now: datetime) -> None:
        """Everything older than the window, and what is too much."""
        while self._members:
            oldest = next(iter(self._members))
            if len(self._members) <= self._limit and self._members[oldest].seen >= now - self._window:
                return
            self._drop(oldest)

    def _drop(self, number: int) -> None:
        member = self._members.pop(number)
        del self._equal[member.signature]
        for key in member.bands:
            band = self._bands[key]
            if band.get(member.first) == number:
                del band[member.first]
            if not band:
                del self._bands[key]


def _is_enough(words: list[str]) -> bool:
    letters = sum(map(len, words))
    unspaced = len(_UNSPACED.findall("".join(words)))
    different = len({word for word in words if not _UNSPACED.search(word)}) + unspaced / 2
    return different >= MIN_WORDS and letters + 1.5 * unspaced >= MIN_LETTERS


def _numbers(signature: bytes) -> np.ndarray[Any, np.dtype[np.uint32]]:
    if len(signature) != _SIZE:
        raise ValueError(f"a signature has {_SIZE} bytes, not {len(signature)}")
    return np.frombuffer(signature, "<u4")


@functools.cache
def _empty() -> Any:
    """A MinHash to copy: its permutations are drawn once. CRC-32 is enough, datasketch mixes its bits."""
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=_SEED, hashfunc=crc32, scheme="affine32")
