"""Invented personal data as people write it, hidden in texts of five languages; and what a leak looks like.

Nothing here knows a pattern of the masker: what is looked for is digits that pass a check, whatever stands between.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator


def luhn(body: str) -> str:
    """The number with its check digit."""
    total = 0
    for index, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if index % 2 == 0 else 1)
        total += doubled - 9 * (doubled > 9)
    return body + str(-total % 10)


def grouped(number: str, separator: str, size: int = 4) -> str:
    return separator.join(number[start : start + size] for start in range(0, len(number), size))


def iban(country: str, account: str) -> str:
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02d}{account}"


SAID = (
    (("my card was charged twice", "please use this", "sent to"), ("and nothing happened", "thanks", "since 3 weeks")),
    (("meine Daten sind", "bitte an", "es geht um"), ("und nichts passiert", "danke", "seit 3 Wochen")),
    (("mis datos son", "escribid a", "se trata de"), ("y no pasa nada", "gracias", "desde hace 3 semanas")),
    (("mes données sont", "merci d'écrire à", "il s'agit de"), ("et rien", "merci", "depuis 3 semaines")),
    (("meus dados são", "escrevam para", "trata-se de"), ("e nada", "obrigada", "há 3 semanas")),
)
MARKS = (
    ("", ""),
    ("(", ")"),
    ('"', '"'),
    ("«", "»"),
    ("", ","),
    ("", "."),
    ("", "!"),
    ("", "?"),
    (": ", ";"),
    ("\n", "\n"),
)
GAPS = ("", " ", "-", ".", "/", "  ", " - ", "\n", "\u00a0", "–", "_")


def digits(dice: random.Random, shape: str) -> str:
    """A number by its shape: ``#`` any digit, ``+`` and all else as it is."""
    return "".join(str(dice.randrange(10)) if mark == "#" else mark for mark in shape)


CARDS = (
    *(("4", 16), ("4", 13), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("36", 14)),
    *(("6011", 16), ("65", 16), ("3528", 16), ("62", 16), ("62", 19)),
)


def a_card(dice: random.Random) -> str:
    prefix, length = dice.choice(CARDS)
    number = luhn(digits(dice, prefix + "#" * (length - len(prefix) - 1)))
    gap = dice.choice(GAPS)
    written = gap.join((number[:4], number[4:10], number[10:])) if length == 15 else grouped(number, gap)
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    return written.translate(wide) if dice.random() < 0.05 else written


def an_email(dice: random.Random) -> str:
    local = dice.choice(["jo.doe", "jo", "j_d", "JO.DOE99", "jürgen.groß", "maría", "o'neil", "jo+shop", "x1-y2"])
    name = dice.choice(["gmail", "mail.example", "über-post", "firma", "correo"])
    end = dice.choice(["com", "de", "es", "fr", "com.br", "co.uk", "info", "museum"])
    at = dice.choice(["@"] * 6 + ["＠", " @ ", " (at) ", "[at]", " [ at ] ", "@ "])
    if dice.random() < 0.15:
        word, dot = dice.choice([("at", "dot"), ("arroba", "punto"), ("arroba", "ponto"), ("arobase", "point")])
        return f"{local} {word} {name.replace('.', f' {dot} ')} {dot} {end.split('.')[0]}"
    if dice.random() < 0.05:
        return f"{local} at {dice.choice(['gmail', 'yahoo', 'gmx', 'outlook', 'orange'])}.{end.split('.')[0][:3]}"
    return f"{local}{at}{name}.{end}"


PHONES_AS_WRITTEN = (
    # English
    *("+44 20 #### ####", "+44 (0)20 #### ####", "020 #### ####", "07### ######", "07#########", "0044 7### ######"),
    *("(555) ###-####", "555-###-####", "555.###.####", "555 ### ####", "+1 555 ### ####", "1-555-###-####"),
    *("+1-555-###-####", "+1 (555) ###-####", "555-###-#### ext 12"),
    # German
    *("0171/#######", "0171 #######", "0171-#######", "0171########", "0171 / ## ## ## #", "0171 - #######"),
    *("+49 171 #######", "+49171#######", "0049 171 #######", "+49 (0) 171 #######", "(030) ######", "030/### ####"),
    *("089 ## ## ## ##", "+43 664 #######", "+41 79 ### ## ##", "079 ### ## ##", "(+49) 171 #######"),
    # Spanish
    *("612 ## ## ##", "712 ### ###", "91 ### ## ##", "+34 612 ## ## ##", "+34612######", "0034 612 ### ###"),
    *("+34 91 ### ## ##", "612-##-##-##", "+52 55 #### ####"),
    # French
    *("06.12.##.##.##", "06 12 ## ## ##", "0612######", "06-12-##-##-##", "+33 6 12 ## ## ##", "+33612######"),
    *("+33 (0)6 12 ## ## ##", "01 23 ## ## ##", "0033 6 12 ## ## ##"),
    # Portuguese
    *("+55 (11) 9####-####", "+55 11 9####-####", "(11) 9####-####", "11 9####-####", "(11) 3###-####", "11 3###-####"),
    *("+5511 9########", "9####-####", "+351 912 ### ###", "912 ### ###", "21 ### ####", "+351912######"),
)
NAMED = (
    *("call me on", "phone:", "Tel.:", "my number is", "WhatsApp", "text me at", "Mobile", "ring me back on"),
    *("ruf mich an unter", "Handy:", "Telefon", "erreichbar unter", "meine Nummer ist", "Telefonnummer:", "Mobil"),
    *("llámame al", "mi número es", "teléfono:", "móvil", "llama al", "whatsapp:"),
    *("mon numéro", "mon numéro est le", "appelez-moi au", "tél.", "tél :", "joignable au", "portable :"),
    *("ligue para", "meu número é", "telefone:", "celular", "meu número é o", "telemóvel", "zap"),
)
NAMED_SHAPES = (
    "#######",
    "1##-####",
    "612######",
    "11 9########",
    "119########",
    "555#######",
    "1## ## ## ##",
    "5##.####",
)


def a_phone(dice: random.Random) -> str:
    if dice.random() < 0.3:
        return f"{dice.choice(NAMED)} {digits(dice, dice.choice(NAMED_SHAPES))}"
    written = digits(dice, dice.choice(PHONES_AS_WRITTEN))
    return f"{dice.choice(NAMED)} {written}" if dice.random() < 0.3 else written


def an_iban(dice: random.Random) -> str:
    country, length = dice.choice([("DE", 18), ("ES", 20), ("NL", 14), ("AT", 16), ("PT", 21), ("NO", 11), ("GB", 18)])
    number = grouped(iban(country, digits(dice, "#" * length)), dice.choice(["", " ", "-", ".", "\n"]))
    return number.lower() if dice.random() < 0.1 else number


def texts(secret: Callable[[random.Random], str], seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Texts and what is hidden in each."""
    dice = random.Random(seed)
    for _ in range(count):
        before, after = dice.choice(SAID)
        hidden, (opening, closing) = secret(dice), dice.choice(MARKS)
        number = dice.choice(["", "", "2 ", "3x ", "12.99 "])  # a number beside it must not hide it
        yield f"{number}{dice.choice(before)} {opening}{hidden}{closing} {dice.choice(after)}", hidden


def runs_of_digits(text: str) -> Iterator[str]:
    """Digits with nothing but marks and spaces between them, as one."""
    run = ""
    for character in f"{text}x":
        if character.isdecimal():
            run += str(int(character))
        elif character.isalpha():
            yield run
            run = ""


def windows_like_cards(text: str) -> list[str]:
    return [
        run[start : start + length]
        for run in runs_of_digits(text)
        for length in range(13, 20)
        for start in range(len(run) - length + 1)
        if luhn(run[start : start + length - 1]) == run[start : start + length]
    ]
