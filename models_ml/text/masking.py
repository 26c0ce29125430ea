"""Masking of personal data and credentials: e-mail, card, IBAN, phone, street address, name of a sign-off, secrets.

Written for English, German, Spanish, French and Portuguese. Numbers that are not such data (versions, prices, order
numbers, dates) are left alone: cards must pass the Luhn check (ISO/IEC 7812-1), IBANs their country's length and check
digits (ISO 13616), and phones must be written as phones are, or follow a word that says so. Of names, only the one with
which a text is signed is masked ("Kind regards, Jo Doe"). Tokens, keys and stated passwords are masked as ``[secret]``
(``text/secrets.py``). Characters that nobody sees, and other forms of letters and digits (full-width, circled), hide
nothing. Every pattern takes time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from models_ml.text import secrets

_LOCAL = r"\w.!#$%&'*+/=?^`{|}~-"
_AT = r"[ ]?[\[(]{1,2}[ ]?(?:at|arroba|arobase)[ ]?[\])]{1,2}[ ]?"
_DOT = r"[ ]?[\[(][ ]?(?:dot|punkt|punto|ponto|point|\.)[ ]?[\])][ ]?"
_EMAIL = re.compile(
    rf"(?:\"[^\"@\n]{{1,64}}\"|(?<![{_LOCAL}])[{_LOCAL}]+)(?:@\s?|[ ]@[ ]|{_AT})"
    r"(?!v?\d+(?:\.\d+)*(?![\w-]|\.\w))"  # "shop-app@5.2.0" is a release
    rf"(?:[\w-]+(?:(?:\.|{_DOT})[\w-]+)+|\[[\d.a-f:]{{3,40}}\])",
    re.IGNORECASE,
)
_PROVIDERS = (
    r"gmail|googlemail|outlook|hotmail|yahoo|ymail|gmx|web|icloud|me|proton(?:mail)?|aol|live|msn|t-online|freenet|mail"
    r"|orange|wanadoo|free|laposte|uol|bol|terra|sapo|telefonica"
)
# "jo.doe at gmail dot com": spelled out, the dot or a known provider tells it from "look at the shop".
_EMAIL_SPELLED = re.compile(
    rf"(?<![{_LOCAL}])[{_LOCAL}]+(?:[ ](?:at|arroba|arobase|@)[ ]|@)"
    rf"(?:[\w-]+(?:[ ](?:dot|punkt|punto|ponto|point)[ ][\w-]+){{1,3}}|(?:{_PROVIDERS})\.[a-z]{{2,3}}\b)",
    re.IGNORECASE,
)

_IBAN_START = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[ ]?\d[ ]?\d(?=[\s.-]{0,2}[A-Z0-9])", re.IGNORECASE | re.ASCII)
_IBAN_NAMED = re.compile(r"\biban\b[\w ]{0,12}[:=#]?[ ]?\Z", re.IGNORECASE)
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

_NUMBERS = re.compile(r"\d+(?:[\s.,/_*·‐-―−:;|~+=\\-]{1,3}\d+)*")
_GROUP = re.compile(r"\d+")
_DIGEST = re.compile(r"[0-9a-f]{24,}")
_ISSUER = re.compile(  # who issues such numbers, and how long they are
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6\d{15,18}|5[06-9]\d{14}"
)

# Between a phone's digits; a date is none.
_GAP = r"(?:[\s./‐-―-]|[ ][/‐-―-][ ])?"
_NO_DATE = r"(?!\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})(?![./-]?\d)|(?:19|20)\d{2}[./-]\d{1,2}[./-]\d{1,2}(?!\d))"
_PHONE = re.compile(
    rf"""(?<![\w$€£+])(?<!\d[.,:])(?<!\w[-=_])(?:(?<=\d{{6}}/)|(?<!\w/)){_NO_DATE}(?:
        \(?(?:\+[ ]?|00)[1-9]\d{{0,2}}\)?{_GAP}(?:\(0?\d{{0,4}}\){_GAP})?\d(?:{_GAP}\d){{5,12}}  # international
      | \(0?\d{{2,5}}\){_GAP}\d(?:{_GAP}\d){{4,9}}                               # (030) 1234567, (11) 91234-5678
      | 0[1-9]\d{{0,4}}(?:[\s/‐-―-]|[ ][/‐-―-][ ])\d(?:{_GAP}\d){{4,9}}          # 030 1234567, 0171/1234567
      | 0[1-9]\d{{8,10}}                                                         # 07700900123
      | 0[1-9](?:[ ./-]\d{{2}}){{4}}                                             # 06.12.34.56.78
      | (?:1[ .-])?[2-9]\d{{2}}[ .-]\d{{3}}[ .-]\d{{4}}                          # 555-010-1234
      | [6-9]\d{{2}}(?:[ .-]\d{{2}}){{3}} | 9\d[ .-]\d{{3}}(?:[ .-]\d{{2}}){{2}} # 612 34 56 78, 91 123 45 67
      | [679]\d{{2}}[ -](?!000[ -]000)\d{{3}}[ -]\d{{3}}                         # 612 345 678
      | [1-9]\d[ ]9?\d{{4}}[ -]\d{{4}} | 9\d{{4}}-\d{{4}}                        # 11 91234-5678
      | 2\d[ ]\d{{3}}[ ]\d{{4}}                                                  # 21 123 4567
    )(?:[ ]?(?:x|ext\.?)[ ]?\d{{1,5}})?(?!\w)(?!-\w)""",
    re.VERBOSE,
)
# "call me on 555-0143": a word for it turns any plausible run of digits into a phone number.
_PHONE_NAMED = re.compile(
    r"(\b(?:call|ring|dial|phone|tel|telephone|mobile|cell|whats[ ]?app|sms|fax|text me|reach me|contact me|my number"
    r"|anrufen|ruf\w*(?: mich| uns)?(?: an| zurück)?|erreichbar|telefon\w*|handy\w*|mobil|meine nummer"
    r"|ll[aá]m[ae]\w*|tel[eé]fono|m[oó]vil|celular|cel|mi n[uú]mero|tél|téléphone|portable|mon numéro|appel\w*(?:-moi)?"
    r"|joignable|telefone|telem[oó]vel|fone|zap|lig(?:ue|a|ar)|meu n[uú]mero)(?![^\W\d_])"
    r"(?:[ ](?:me|us|back|is|on|at|under|number|no|nr|mich|uns|bitte|unter|ist|lautet|an|der|al|a|el|es|en|n[úu]mero"
    r"|au|le|est|sur|numéro|para|pelo|o|é|n[º°.o]+))*[ ]?[.:,]*[ ]?)"
    rf"{_NO_DATE}[+(]{{0,2}}\d(?:[\s./()‐-―-]{{0,3}}\d){{6,14}}(?!\d)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\b(?:order|ticket|ref\w*|case|invoice|booking|tracking|parcel|item|sku|imei|serial|code|build|error|model|ean|isbn|id"
    r"|bestell\w*|auftrag\w*|sendung\w*|rechnung\w*|kunden\w*|artikel\w*|fehler\w*|pedido|factura|env[ií]o|seguimiento"
    r"|commande|facture|colis|suivi|encomenda|fatura|rastreio)"
    r"(?:[ ](?:is|no|nr|number|id|code|nummer|de|n[úu]m[eé]ro|n[º°.o]*))*\.?[ ]?[:#]?[ ]?\Z|#\Z",
    re.IGNORECASE,
)

_NOT_A_NAME = (
    r"(?!(?:the|a|an|my|your|our|their|this|that|on|in|of|off|down|up|to|for|by|from|and|or|no|per|at|is|was|were)\b)"
)
_NOT_COUNTED = (  # "na rua por 3 horas", "Heimweg 20 Minuten": a number of something
    r"(?![ ]?(?:d[ií]as?|horas?|h|min\w*|semanas?|mes(?:es)?|a[nñ]os?|ve[cz]es|euros?|reais|k?m|[gmt]b|stunden?|tage?n?"
    r"|wochen?|monate?n?|jahre?n?|uhr|heures?|jours?|mois|ans)\b|[ ]?[%€])"
)
_TOWN = r"(?:,?[ ](?:D-)?\d{5}(?:-\d{3})?[ ][A-ZÀ-Þ][\w'-]+)?"
_STATE = r"(?:,?[ ][A-Z][\w.]+(?:[ ][A-Z][\w.]+)?,?[ ][A-Z]{2}[ ]\d{5}(?:-\d{4})?\b)?"
_STREETS = (
    # 12 elm street: these words mean little else after a number and a name
    re.compile(
        rf"\b\d{{1,5}}[a-z]?,?[ ](?:{_NOT_A_NAME}[\w'.-]+[ ]){{1,3}}(?:street|road|avenue|boulevard|blvd|rd|ave)\b\.?"
        rf"(?-i:{_STATE})",
        re.IGNORECASE,
    ),
    # 12 Elm Way: these do, so name and word must be capitalised
    re.compile(
        r"\b\d{1,5}[a-zA-Z]?,?[ ](?:[A-Z][\w'.-]*[ ]){1,3}"
        rf"(?:St|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Close|Square|Crescent|Gardens|Grove)\b\.?{_STATE}"
    ),
    re.compile(
        r"\b(?:p\.?[ ]?o\.?[ ]?box|postfach|apartado(?: de correos)?|caixa postal|boîte postale)[ ]"
        r"(?:n[º°.o]*[ ])?\d{1,7}\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:(?!(?:Heim|Rück|Um|Hin|Arbeits|Schul|Liefer|Versand|Park|Stell|Speicher|Sitz|Steh|Arbeits|Listen|Markt)"
        r"(?:weg|platz))[A-ZÄÖÜ][\w-]*(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|ufer|damm|ring(?=[ ]\d))"
        r"|(?:[A-ZÄÖÜ][\w-]*[ ])?(?:Stra(?:ß|ss)e|Str\.|Allee)(?:[ ]de[rs](?:[ ][\w.]+){1,2})?)"
        rf"[ ]?\d{{1,4}}(?:[ ]?[a-z])?\b{_NOT_COUNTED}{_TOWN}"
    ),
    re.compile(
        r"\b\d{1,4}(?:[ ]?(?:bis|ter|quater|[a-d]))?,?[ ]"
        r"(?:(?:rue|avenue|av\.|boulevard|bd\.?|chemin|impasse|allée|quai)[ ]"
        r"(?:de la[ ]|de l'|d[eu]s?[ ]|l'|d')?|(?:place|route|cours)[ ](?:de la[ ]|de l'|d[eu]s?[ ]|d'))[\w'-]+"
        rf"(?:[ -](?-i:[A-ZÀ-Þ])[\w'-]+){{0,3}}(?-i:{_TOWN})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:c/[ ]?|(?:calle|avenida|avda\.?|av\.|plaza|pza\.|paseo|rua|travessa|praça|alameda|estrada"
        r"|(?-i:R\.)(?=[ ](?:d[aeo]s?[ ]|(?-i:[A-Z]))))[ ])(?:[^\W\d][\w'.-]*[ ]){0,4}"
        r"(?!(?:por|hace|há|en|em|a|de|desde|durante|con|com|casi|quase|unos|uns|más|mais|y|e|o|que)[ ,])"
        r"[^\W\d][\w'.-]*,?[ ](?:n[º°o.]+[ ]?)?\d{1,5}\b(?:[ºª°])?"
        rf"{_NOT_COUNTED}(?:,[ ]?\d{{1,2}}[ ]?[ºª°](?:[ ](?-i:[A-Z])\b)?)?(?-i:{_TOWN})",
        re.IGNORECASE,
    ),
)

_NAME = r"[^\W\d_a-zß-öø-ÿ](?:[\w'’-]+|\.)?"
_MORE = rf"[ ](?:(?:v[ao]n|de[rnl]?|d[aio]s?|la|le)[ ]){{0,2}}{_NAME}"
_NAMES = rf"{_NAME}(?:{_MORE}){{0,2}}"
_END = r"(?=(?:[\s.,!]|\[(?:email|phone|address)\])*\Z|[ .,!]*\n)"
_SIGNED = (
    # "Kind regards, Jo Doe": nothing but a name follows
    re.compile(
        r"(\b(?i:(?:best|kind|warm)(?:est)?[ ](?:regards|wishes)|regards|sincerely|yours(?:[ ]truly)?"
        r"|(?:viele|beste|liebe|freundliche|mit[ ](?:freundlichen|besten|lieben))[ ]gr(?:ü|ue)(?:ß|ss)en?|mfg"
        r"|hochachtungsvoll"
        r"|cordialement|bien[ ]à[ ]vous|salutations|saludos(?:[ ]cordiales)?|un[ ]saludo|atentamente"
        r"|atenciosamente|cumprimentos|abraços)\b[,.!]?)"
        rf"\s{{1,4}}{_NAMES}{_END}"
    ),
    # "Thanks Jo Doe", or a name on a line of its own: "Thanks Team" and "Danke Amazon" are no names
    re.compile(
        r"(\b(?i:thanks|thank[ ]you|many[ ]thanks|cheers|danke|vielen[ ]dank|merci|gracias|obrigad[oa])\b)"
        rf"(?:[,.!]?\s{{0,4}}\n\s{{0,4}}{_NAMES}|,?[ ]{_NAME}(?:{_MORE}){{1,2}}){_END}"
    ),
)

_FULL_WIDTH = {ord(wide): narrow for wide, narrow in zip("＠．－＋（）／", "@.-+()/", strict=True)}
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\x00-\x08\x0e-\x1f\x7f-\x9f]"
)
"""Characters without a shape of their own: zero-width, direction marks, variation selectors, controls, tags."""

_MARK = re.compile(r"\[(?:email|iban|card|phone|address|name|secret)\]")


def mask(text: str) -> str:
    """The text with a mark for personal data and credentials.

    The marks are ``[email]``, ``[iban]``, ``[card]``, ``[phone]``, ``[address]``, ``[name]`` and ``[secret]``. Only if
    more is found in the text's plain form is that form returned; else the text keeps its characters.
    """
    if text.isascii() and not UNSEEN.search(text):
        return _mask(text)
    masked, plain = _mask(_ascii_digits(text)), _plain(text)
    if plain == text:
        return masked
    bare = _mask(plain)
    return bare if len(_MARK.findall(bare)) > len(_MARK.findall(masked)) else masked


def _mask(text: str) -> str:
    masked = _EMAIL_SPELLED.sub("[email]", _EMAIL.sub("[email]", secrets.hide(text)))
    masked = _replace(masked, _IBAN_START, _end_of_iban, "[iban]")
    masked = _NUMBERS.sub(_mask_cards, masked)
    masked = _PHONE_NAMED.sub(r"\1[phone]", masked)
    masked = _replace(masked, _PHONE, _end_of_phone, "[phone]")
    for street in _STREETS:
        masked = street.sub("[address]", masked)
    for signed in _SIGNED:
        masked = signed.sub(r"\1 [name]", masked)
    return masked


def _ascii_digits(text: str) -> str:
    """Digits of any script as ASCII, and full-width marks, so that none slips past the patterns."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text).translate(_FULL_WIDTH)


def _plain(text: str) -> str:
    """The text without unseen characters, each letter and digit in its plain form (NFKC)."""
    return _ascii_digits(unicodedata.normalize("NFKC", UNSEEN.sub("", text)))


def _replace(text: str, start: re.Pattern[str], end: Callable[[re.Match[str]], tuple[int, bool]], mark: str) -> str:
    """``mark`` in place of what begins at ``start``. ``end`` says where to go on, and if what was passed is hidden."""
    pieces, done, position = [], 0, 0
    while found := start.search(text, position):
        position, hidden = end(found)
        if hidden:
            pieces += [text[done : found.start()], mark]
            done = position
    return "".join([*pieces, text[done:]])


def _is_luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(one - 9 * (one > 9) for one in doubled) % 10 == 0


def _mask_cards(found: re.Match[str]) -> str:
    """Numbers may stand beside a card's groups ("2 4111 1111 1111 1111 12/27"), so any groups in a row may be one."""
    whole = found.group()
    if _is_in_digest(found):
        return whole
    groups = [one.span() for one in _GROUP.finditer(whole)]
    called = found.start() > 0 and found.string[found.start() - 1] == "+"  # a phone's country
    pieces, done, first = [], 0, int(called)
    while first < len(groups):
        last = _last_of_card(whole, groups, first)
        if last >= first:
            pieces += [whole[done : groups[first][0]], "[card]"]
            done = groups[last][1]
        first = max(first, last) + 1
    return "".join([*pieces, whole[done:]])


def _is_in_digest(found: re.Match[str]) -> bool:
    """True if the digits are part of a hash in hexadecimal, as the audit trail prints them."""
    text, start, end = found.string, found.start(), found.end()
    while start > max(0, found.start() - 64) and text[start - 1] in "0123456789abcdef":
        start -= 1
    while end < min(len(text), found.end() + 64) and text[end] in "0123456789abcdef":
        end += 1
    return (start, end) != found.span() and bool(_DIGEST.fullmatch(text, start, end))


def _last_of_card(whole: str, groups: list[tuple[int, int]], first: int) -> int:
    """The last of the groups that are a card with the first; the longest card counts. -1 if there is none."""
    best, digits, even = -1, "", whole[groups[first][0]] != "0"
    for last in range(first, min(len(groups), first + 19)):
        start, stop = groups[last]
        digits += whole[start:stop]
        if len(digits) > 19:
            break
        # Grouped as cards are, or a number that some issuer gives out: a date and a time are neither.
        if len(digits) >= 13 and (even or _ISSUER.fullmatch(digits)) and _is_luhn(digits):
            best = last
        even = even and stop - start >= 3 and groups[first][1] - groups[first][0] == 4
    return best


def _end_of_iban(found: re.Match[str]) -> tuple[int, bool]:
    """An IBAN ends by its country's length; what only looks like one may hide the start of another."""
    text, compact, position = found.string, "", found.start()
    length = _LENGTH_OF_IBAN.get(found.group()[:2].upper(), 0)
    while len(compact) < length and position < min(len(text), found.start() + 3 * length):
        character = text[position]
        if character.isascii() and character.isalnum():
            compact += character.upper()
        elif character not in " .-\n\t\r\u00a0":
            break
        position += 1
    if not length or len(compact) < length:
        return found.start() + 1, False
    if _IBAN_NAMED.search(text, max(0, found.start() - 30), found.start()):
        return position, True  # mistyped, but meant as one
    # "de 079 744 24 91 y no pasa nada" is Spanish: in small letters an account starts at once and is mostly digits.
    mostly = sum(map(str.isdecimal, compact[4:])) * 2 >= length - 4 and " " not in found.group()[:3]
    written = mostly or text[found.start() : position].isupper()
    number = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return (position, True) if written and int(number) % 97 == 1 else (found.start() + 1, False)


def _end_of_phone(found: re.Match[str]) -> tuple[int, bool]:
    return found.end(), not _REFERENCE.search(found.string, max(0, found.start() - 40), found.start())
