"""Masking of personal data before text leaves: e-mail, card, IBAN, phone and street address.

Numbers that are not such data (versions, prices, order numbers, years) are left alone: cards must pass the Luhn check (ISO/IEC 7812-1),
IBANs their check digits (ISO 13616), phones must look written as phones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_EMAIL = re.compile(r"[\w.+%'-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d])\d(?:[ .-]?\d){12,18}(?![\d])")
_PHONE = re.compile(
    r"""(?<![\w.,$€£])(?:
        (?:\+|00)\d{1,3}[ ./-]?(?:\(0?\d{1,4}\)[ ./-]?)?\d(?:[ ./-]?\d){5,12}   # international
      | \(0?\d{2,5}\)[ ./-]?\d(?:[ ./-]?\d){4,9}                                 # (030) 1234567
      | 0\d{1,4}[ /-]\d(?:[ -]?\d){4,9}                                          # 030 1234567
      | 0\d{9,11}                                                                # 07700900123
      | \d{3}[ .-]\d{3}[ .-]\d{4}                                                # 555-010-1234
      | \d{3}-\d{4}                                                              # 555-0143
    )(?![\w])""",
    re.VERBOSE,
)
_STREET_AFTER = re.compile(
    r"\b\d{1,5}[a-z]?\s+(?:[\w'.-]+\s){1,4}?(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|court|way|place|terrace)\b\.?",
    re.IGNORECASE,
)
_STREET_BEFORE = re.compile(
    r"\b(?:[\w-]+(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee)|(?:rue|avenue|boulevard|calle|avenida|rua|plaza)\s+(?:[\w'.-]+\s?){1,4}?),?\s*\d{1,5}\s?[a-z]?\b",
    re.IGNORECASE,
)
_STREET_FIRST = re.compile(r"\b\d{1,4}\s?(?:bis|ter)?,?\s+(?:rue|avenue|boulevard|place|chemin)\s+(?:d[eu]s?\s|de la\s|l')?[\w'-]+", re.IGNORECASE)


def mask(text: str) -> str:
    """The text with personal data replaced by ``[email]``, ``[iban]``, ``[card]``, ``[phone]`` and ``[address]``."""
    masked = _ascii_digits(text)
    masked = _EMAIL.sub("[email]", masked)
    masked = _IBAN.sub(_when(_is_iban, "[iban]"), masked)
    masked = _CARD.sub(_when(_is_card, "[card]"), masked)
    masked = _PHONE.sub("[phone]", masked)
    for street in (_STREET_AFTER, _STREET_FIRST, _STREET_BEFORE):
        masked = street.sub("[address]", masked)
    return masked


def _when(test: Callable[[str], bool], replacement: str) -> Callable[[re.Match[str]], str]:
    return lambda found: replacement if test(found.group()) else found.group()


def _ascii_digits(text: str) -> str:
    """Digits of any script as ASCII, so that none slips past the patterns."""
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() and unicodedata.digit(c, None) is not None else c for c in text)


def _is_card(candidate: str) -> bool:
    digits = [int(character) for character in candidate if character.isdigit()]
    doubled = [digit if index % 2 == 0 else digit * 2 - 9 * (digit > 4) for index, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _is_iban(candidate: str) -> bool:
    compact = candidate.replace(" ", "").upper()
    # A word that follows may have been taken along; the check digits say where the IBAN ends.
    return any(_checks(compact[:length]) for length in range(len(compact), 14, -1))


def _checks(compact: str) -> bool:
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
