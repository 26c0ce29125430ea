"""Masking of personal data before text leaves: e-mail, card, IBAN, phone and street address.

Numbers that are not such data (versions, prices, order numbers, dates) are left alone: cards must pass the Luhn check
(ISO/IEC 7812-1), IBANs their country's length and check digits (ISO 13616), and phones must be written as phones are, or
follow a word that says so. Every pattern takes time linear in the text.
"""  # noqa: E501

from __future__ import annotations

import re
import unicodedata

_LOCAL = r"\w.!#$%&'*+/=?^`{|}~-"
_EMAIL = re.compile(
    rf"(?<![{_LOCAL}])[{_LOCAL}]+(?:@[ ]?|[ ]@[ ]|[ ]?[\[(][ ]?at[ ]?[\])][ ]?)"
    r"[\w-]+(?:(?:\.|[ ]?[\[(]dot[\])][ ]?)[\w-]+)+",
    re.IGNORECASE,
)

_IBAN = re.compile(r"(?<![A-Z0-9])([A-Z]{2})\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE | re.ASCII)
_IBAN_LENGTHS = {
    length: countries.split()
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        33: "LC RU",
    }.items()
}
_LENGTH_OF_IBAN = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries}

_CARD = re.compile(r"(?<!\d)\d(?:[ .-]?\d){12,18}(?!\d)")

_PHONE = re.compile(
    r"""(?<![\w.,$€£+-])(?:
        (?:\+|00)\d{1,3}[ ./-]?(?:\(0?\d{1,4}\)[ ./-]?)?\d(?:[ ./-]?\d){5,12}   # international
      | \(0?\d{2,5}\)[ ./-]?\d(?:[ ./-]?\d){4,9}                                 # (030) 1234567
      | 0\d{1,4}[ /-]\d(?:[ -]?\d){4,9}                                          # 030 1234567
      | 0\d{9,11}                                                                # 07700900123
      | \d{3}[ .-]\d{3}[ .-]\d{4}                                                # 555-010-1234
      | (?:\d{2}[ .]){4}\d{2}                                                    # 01 23 45 67 89
    )(?![\w-])""",
    re.VERBOSE,
)
# "call me on 555-0143": a word for it turns any plausible run of digits into a phone number.
_PHONE_NAMED = re.compile(
    r"(\b(?:call(?: me)?|phone|tel|telephone|mobile|cell|whatsapp|text me|reach me|telefon|handy|tél|teléfono|móvil"
    r"|telefone)\b"
    r"(?:[ ](?:is|on|at|number|no|nr|unter))*\.?:?[ ]?)(\d(?:[ ./()-]{0,2}\d){6,13})(?!\d)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"(?:order|ticket|ref\w*|case|invoice|booking|tracking|parcel|item|sku|imei|serial|bestellung\w*|pedido|commande)"
    r"(?:[ ](?:is|no|nr|number|id|code))*\.?[ ]?[:#]?[ ]?$|#$",
    re.IGNORECASE,
)

_NOT_A_NAME = (
    r"(?!(?:the|a|an|my|your|our|their|this|that|on|in|of|off|down|up|to|for|by|from|and|or|no|per|at|is|was|were)\b)"
)
_STREETS = (
    # 12 elm street: these words mean little else after a number and a name
    re.compile(
        rf"\b\d{{1,5}}[a-z]?,?[ ](?:{_NOT_A_NAME}[\w'.-]+[ ]){{1,3}}(?:street|road|avenue|boulevard|blvd|rd|ave)\b\.?",
        re.IGNORECASE,
    ),
    # 12 Elm Way: these do, so name and word must be capitalised
    re.compile(
        r"\b\d{1,5}[a-zA-Z]?,?[ ](?:[A-Z][\w'.-]*[ ]){1,3}"
        r"(?:St|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Close|Square)\b\.?"
    ),
    re.compile(r"\b[A-ZÄÖÜ][\w-]*(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee)[ ]?\d{1,4}[ ]?[a-z]?\b"),
    re.compile(
        r"\b\d{1,4}(?:[ ]?(?:bis|ter))?,?[ ](?:rue|avenue|boulevard|chemin|impasse)[ ]"
        r"(?:de la[ ]|d[eu]s?[ ]|l')?[\w'-]+",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:calle|avenida|plaza|paseo|rua|travessa)[ ](?:[\w'.-]+[ ]){0,4}[\w'.-]+,?[ ](?:n[º°o.]+[ ]?)?\d{1,5}\b",
        re.IGNORECASE,
    ),
)


def mask(text: str) -> str:
    """The text with personal data replaced by ``[email]``, ``[iban]``, ``[card]``, ``[phone]`` and ``[address]``."""
    masked = _EMAIL.sub("[email]", _ascii_digits(text))
    masked = _IBAN.sub(_mask_iban, masked)
    masked = _CARD.sub(lambda found: "[card]" if _is_card(found.group()) else found.group(), masked)
    masked = _PHONE_NAMED.sub(r"\1[phone]", masked)
    masked = _PHONE.sub(_mask_phone, masked)
    for street in _STREETS:
        masked = street.sub("[address]", masked)
    return masked


def _ascii_digits(text: str) -> str:
    """Digits of any script as ASCII, so that none slips past the patterns."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _is_card(candidate: str) -> bool:
    digits = [int(character) for character in candidate if character.isdigit()]
    doubled = [digit if index % 2 == 0 else digit * 2 - 9 * (digit > 4) for index, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _mask_iban(found: re.Match[str]) -> str:
    """The match may run on into the next words; the country says how long the IBAN itself is."""
    whole, length = found.group(), _LENGTH_OF_IBAN.get(found.group(1).upper(), 0)
    positions = [index for index, character in enumerate(whole) if character.isalnum()]
    if not length or len(positions) < length:
        return whole
    end = positions[length - 1] + 1
    compact = "".join(character for character in whole[:end] if character.isalnum()).upper()
    number = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return "[iban]" + whole[end:] if int(number) % 97 == 1 else whole


def _mask_phone(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 40) : found.start()]
    return found.group() if _REFERENCE.search(before) else "[phone]"
