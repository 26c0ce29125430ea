"""Near-duplicate detection: MinHash signatures, locality-sensitive hashing, and clusters of copies in a time window.

A text is normalised (case, punctuation, emoji, links and lengthened letters are dropped) and cut into shingles of five
characters. MinHash (datasketch) turns the set of shingles into a signature of 64 numbers; the share of equal numbers of
two signatures estimates the Jaccard similarity of the sets. LSH finds candidates: signatures equal in all four numbers
of one of sixteen bands.

Thousands of customers write "great app" or "video won't play" independently, so short texts get no signature. In an
outage, independent texts are alike at length as well ("every time I try to watch a video it says something went
wrong"). Among 5,000 reviews of one app such pairs share up to two thirds of their shingles; copies with one word
changed mostly share seven tenths or more. ``THRESHOLD`` lies between.
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
"""Least similarity of two copies."""

MIN_WORDS = 8
"""Least number of distinct words for a signature."""

MIN_LETTERS = 40
"""Least number of letters and digits for a signature. In scripts without spaces a character counts as half a word."""

PERMUTATIONS = 64
_SEED = 20_260
_ROWS = 4  # numbers in a band: texts of similarity 0.75 agree in one of 16 bands with 99.8 %, of 0.3 with 12 %
_SHINGLE = 5
_SIZE = 4 * PERMUTATIONS

_LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
_APOSTROPHE = re.compile("['’]")
_WORD = re.compile(r"[^\W_]+")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese: scripts without spaces between words.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def signature(text: str) -> bytes | None:
    """MinHash signature: 64 unsigned 32-bit numbers, little-endian; None for a text that is too short.

    The first 2,000 characters count. Texts that are equal after normalisation have equal signatures, on any machine.
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
    """Estimated Jaccard similarity (0-1): share of equal numbers in two signatures.

    Raises:
        ValueError: an argument is no signature of this module.
    """
    return float((_numbers(a) == _numbers(b)).mean())


def band_keys(signature: bytes) -> tuple[int, ...]:
    """LSH keys: one signed 64-bit number per band (16); texts that share one are candidates for ``similarity``.

    Raises:
        ValueError: the argument is no signature of this module.
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
    """A text in the window: its group, signature, cluster (key of its first text), LSH keys and last time seen."""

    group: str
    signature: bytes
    first: str
    bands: tuple[int, ...]
    seen: datetime


class Clusters:
    """Online clustering of copies within a group (a product), in order of time; an answer never changes later.

    What is said in one group neither finds nor hides a copy in another. Copies come in bursts (brigading, copy-paste),
    so a text is compared only with the latest ``limit`` texts (of all groups) of the ``window`` before it. It joins the
    cluster of the latest text that it is a copy of. A band keeps one member per cluster, and equal signatures are kept
    once, so memory and time grow with the number of distinct texts.
    """

    def __init__(self, window: timedelta = timedelta(days=7), limit: int = 100_000) -> None:
        self._window = window
        self._limit = limit
        self._members: OrderedDict[int, _Member] = OrderedDict()  # by number, least recently seen first
        self._numbers = itertools.count()
        self._equal: dict[tuple[str, bytes], int] = {}  # by group and signature: its member
        self._bands: dict[tuple[str, int], dict[str, int]] = {}  # by group and band key: each cluster's latest member

    def add(self, key: str, signature: bytes | None, at: datetime, *, group: str) -> str | None:
        """Add a text; returns the key of the first text of its cluster, None if it is no copy.

        A text without a signature is in no cluster. The first text, seen again under its own key, is no copy. Call in
        order of ``at``.
        """
        if signature is None:
            return None
        self._forget(at)
        first = self._find(group, signature) or key
        self._keep(group, first, signature, at)
        return first if first != key else None

    def seed(self, first: str, signature: bytes, at: datetime, *, group: str) -> None:
        """Restore a text with a known answer: ``first`` is the first text of its cluster, or its own key."""
        self._forget(at)
        self._keep(group, first, signature, at)

    def _find(self, group: str, signature: bytes) -> str | None:
        """Cluster of the latest similar member, or None."""
        if (equal := self._equal.get((group, signature))) is not None:
            return self._members[equal].first
        bands = (self._bands.get((group, key), {}) for key in band_keys(signature))
        candidates = sorted({number for band in bands for number in band.values()})
        if not candidates:
            return None
        known = np.frombuffer(b"".join(self._members[number].signature for number in candidates), "<u4")
        shares = (known.reshape(-1, PERMUTATIONS) == _numbers(signature)).mean(axis=1)
        alike = [number for number, share in zip(candidates, shares, strict=True) if share >= THRESHOLD]
        return self._members[max(alike)].first if alike else None

    def _keep(self, group: str, first: str, signature: bytes, at: datetime) -> None:
        """Store a member; an equal signature is moved to the end, so numbers rise with time."""
        if (group, signature) in self._equal:
            self._drop(self._equal[group, signature])
        number = next(self._numbers)
        member = _Member(group, signature, first, band_keys(signature), at)
        self._members[number] = member
        self._equal[group, signature] = number
        for key in member.bands:
            self._bands.setdefault((group, key), {})[first] = number

    def _forget(self, now: datetime) -> None:
        """Evict members older than the window or beyond the limit."""
        while self._members:
            oldest = next(iter(self._members))
            if len(self._members) <= self._limit and self._members[oldest].seen >= now - self._window:
                return
            self._drop(oldest)

    def _drop(self, number: int) -> None:
        member = self._members.pop(number)
        del self._equal[member.group, member.signature]
        for key in member.bands:
            band = self._bands[member.group, key]
            if band.get(member.first) == number:
                del band[member.first]
            if not band:
                del self._bands[member.group, key]


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
    """Template MinHash, copied per text, so permutations are drawn once; CRC-32 suffices, datasketch mixes bits."""
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=_SEED, hashfunc=crc32, scheme="affine32")
