"""The language of a text, or 'und' where a few words do not tell.

The detector is lingua: n-gram models that ship with the package, so nothing is downloaded and nothing leaves. It asks
only which of the languages in ``LANGUAGES`` fits best and always finds one, so its answer is taken with care: most
customers write English, in slang that looks like Swedish or Dutch to an n-gram model. Another language must
therefore be likely in itself and clearly likelier than English; a text that is neither gets 'und'.

The thresholds were chosen by measuring: no English text of the golden set may be called foreign, one in fifty may be
'und', and 95 % of all others must be right (tests/models_ml/text/test_language.py).

A language that is not listed, but looks like one that is, is taken for it: Danish for Swedish,
Catalan for Spanish.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models_ml.text.preprocess import clean

if TYPE_CHECKING:
    from lingua import ConfidenceValue, LanguageDetector

LANGUAGES = tuple("ar de en es fr hi id it ja ko nl pl pt ru sv tr uk vi zh".split())
"""ISO 639-1 codes of what can be told apart."""

UNDETERMINED = "und"
"""ISO 639-2 for a language that could not be told."""

_MAX_CHARACTERS = 600  # the next thousand would not change the answer
_FOREIGN_CONFIDENCE = 0.5
_TIMES_ENGLISH = 4.0
_MIN_LETTERS = 6  # 'meh' and 'bruh' are no German and Indonesian ...
_CERTAIN = 0.99  # ... but two letters of a script of its own are enough
_ENGLISH_CONFIDENCE = 0.15
_OF_THE_BEST = 0.5

# Addresses, mentions and masked data are in no language.
_NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[@#]\w+|\[[a-z]+\]", re.IGNORECASE)


@dataclass(frozen=True)
class Language:
    """An ISO 639-1 code of ``LANGUAGES`` or 'und', and the detector's share (0-1) for it, 0 for 'und'."""

    code: str
    confidence: float


def detect(texts: Sequence[str]) -> list[Language]:
    """The language of each text, in order; what stands beside a text does not change its answer."""
    words = [_words(text) for text in texts]
    counts = [sum(character.isalpha() for character in text) for text in words]
    found = [Language(UNDETERMINED, 0.0)] * len(texts)
    written = [index for index, letters in enumerate(counts) if letters]
    if written:
        values = _detector().compute_language_confidence_values_in_parallel([words[index] for index in written])
        for index, shares in zip(written, values, strict=True):
            found[index] = _decide(shares, counts[index])
    return found


def _words(text: str) -> str:
    """The different words: a word said ten times would tell no more, but make the detector ten times as sure."""
    return " ".join(dict.fromkeys(_NOT_WORDS.sub(" ", clean(text[:_MAX_CHARACTERS])).casefold().split()))


def _decide(values: Sequence[ConfidenceValue], letters: int) -> Language:
    """Another language if it is likely and English is not; English if it is not far behind the likeliest."""
    # The detector adds up in no fixed order: the last digits differ from run to run.
    shares = {_code(value): round(value.value, 4) for value in values}
    best = max(sorted(shares), key=shares.__getitem__)
    share, english = shares[best], shares["en"]
    if best != "en" and share >= max(_FOREIGN_CONFIDENCE, _TIMES_ENGLISH * english):
        if letters >= _MIN_LETTERS or share >= _CERTAIN:
            return Language(best, share)
    elif english >= max(_ENGLISH_CONFIDENCE, _OF_THE_BEST * share):
        return Language("en", english)
    return Language(UNDETERMINED, 0.0)


def _code(value: ConfidenceValue) -> str:
    return value.language.iso_code_639_1.name.lower()


@functools.cache
def _detector() -> LanguageDetector:
    """One for the process; it holds about 300 MB of models after its first use."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [IsoCode639_1.from_str(code) for code in LANGUAGES]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()
