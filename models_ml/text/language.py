"""Language detection with lingua, or 'und' (undetermined) for texts too short or ambiguous.

Lingua's n-gram models ship with the package: no download, no network. The detector always names one of ``LANGUAGES``,
so its answer is filtered. Most customers write English, often in slang that n-gram models take for Swedish or Dutch.
Therefore another language must be likely in itself and clearly likelier than English; otherwise the text gets 'und'.

The thresholds were measured (tests/models_ml/text/test_language.py): no English golden text is called foreign, at most
one in fifty is 'und', and 95 % of all others are right.

Limit: an unlisted language is taken for a similar listed one (Danish for Swedish, Catalan for Spanish).
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
"""ISO 639-1 codes of the detectable languages."""

UNDETERMINED = "und"
"""ISO 639-2 code for undetermined."""

_MAX_CHARACTERS = 600  # more text does not change the answer
_FOREIGN_CONFIDENCE = 0.5
_TIMES_ENGLISH = 4.0
_MIN_LETTERS = 6  # 'meh' and 'bruh' are no German and Indonesian ...
_CERTAIN = 0.99  # ... but two letters of a unique script suffice
_ENGLISH_CONFIDENCE = 0.15
_OF_THE_BEST = 0.5

# Addresses, mentions and masked data carry no language.
_NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[@#]\w+|\[[a-z]+\]", re.IGNORECASE)


@dataclass(frozen=True)
class Language:
    """A detected language: ISO 639-1 code or 'und', and the detector's confidence (0-1), 0 for 'und'."""

    code: str
    confidence: float


def detect(texts: Sequence[str]) -> list[Language]:
    """Detect the language of each text, in order; independent of the other texts."""
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
    """Distinct words: repetition adds no evidence, but would inflate the detector's confidence."""
    return " ".join(dict.fromkeys(_NOT_WORDS.sub(" ", clean(text[:_MAX_CHARACTERS])).casefold().split()))


def _decide(values: Sequence[ConfidenceValue], letters: int) -> Language:
    """Foreign if that is likely and English is not; English if it is close to the likeliest; else undetermined."""
    # The detector sums in no fixed order, so the last digits vary: round for determinism.
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
    """Detector of this process; it holds about 300 MB of models after first use."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [IsoCode639_1.from_str(code) for code in LANGUAGES]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()
