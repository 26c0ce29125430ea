from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.data import load_golden
from models_ml.masking import mask

WORDS = st.lists(st.sampled_from("the app since update i paid and then nothing worked please help".split()), max_size=6)


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


def around(before: list[str], secret: str, after: list[str]) -> str:
    return " ".join([*before, secret, *after])


# -- ten thousand texts with one secret in each, and a checker that knows no pattern -----------------------------------
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


def test_of_3000_cards_nothing_that_passes_the_luhn_check_leaves() -> None:
    leaked = [(text, mask(text)) for text, hidden in texts(a_card, 1, 3_000) if len(set(hidden)) > 2]
    leaked = [(text, masked) for text, masked in leaked if windows_like_cards(masked) or "[card]" not in masked]
    assert not leaked, leaked[:5]


def test_a_card_among_other_numbers_is_found() -> None:
    dice = random.Random(5)
    for _ in range(500):
        card = a_card(dice)
        beside = dice.choice(["2 {} 123", "{} 12/27 123", "3 x {}", "12.99 {}", "cvv 123 card {} 04/29", "1 2 3 {}"])
        text = beside.format(card)
        assert not windows_like_cards(mask(text)), (text, mask(text))


def test_of_3000_emails_no_part_leaves() -> None:
    leaked = []
    for text, hidden in texts(an_email, 2, 3_000):
        masked = mask(text)
        parts = [part for part in re.split(r"[^\w'+]+", hidden.casefold()) if len(part) > 2 and part not in SPELLED]
        said = text.casefold().replace(hidden.casefold(), "")
        if "@" in masked or "＠" in masked or any(part in masked.casefold() and part not in said for part in parts):
            leaked.append((text, masked))
    assert not leaked, leaked[:5]


SPELLED = ("arroba", "arobase", "dot", "punto", "ponto", "point", "mail")  # "mail" stands in "[email]"


def test_of_3000_phones_no_four_digits_leave() -> None:
    leaked = [(text, mask(text)) for text, _ in texts(a_phone, 3, 3_000)]
    # "12.99 " and "3 weeks" stand around the secret, so up to four digits that are none of its own may stay
    leaked = [
        (text, masked)
        for text, masked in leaked
        if "[phone]" not in masked or any(len(run) > 3 and run != "1299" for run in runs_of_digits(masked))
    ]
    assert not leaked, leaked[:5]


def test_of_1000_ibans_none_leaves() -> None:
    leaked = [(text, mask(text)) for text, _ in texts(an_iban, 4, 1_000)]
    assert not [pair for pair in leaked if "[iban]" not in pair[1] or max(map(len, runs_of_digits(pair[1]))) > 4]


def test_an_iban_after_something_like_one_is_found() -> None:
    text = f"my TV55 is broken and {iban('DE', '370400440532013000')} is my account"
    assert mask(text) == "my TV55 is broken and [iban] is my account"


@given(WORDS, st.emails(), WORDS)
@settings(derandomize=True, deadline=None)
def test_no_email_leaves(before: list[str], address: str, after: list[str]) -> None:
    masked = mask(around(before, address, after))
    assert address not in masked
    assert "@" not in masked


@given(WORDS, st.from_regex(r"[3-6][0-9]{14,15}", fullmatch=True), st.sampled_from(["", " ", "-", "."]), WORDS)
@settings(derandomize=True, deadline=None)
def test_no_card_number_leaves(before: list[str], body: str, separator: str, after: list[str]) -> None:
    number = luhn(body)
    if len(set(number)) > 1:
        masked = mask(around(before, grouped(number, separator), after))
        assert not re.search(r"\d{4}", masked)
        assert "[card]" in masked


@given(
    WORDS,
    st.sampled_from([("DE", 18), ("GB", 18), ("NL", 14), ("ES", 20), ("NO", 11)]),
    st.from_regex(r"[0-9]{20}", fullmatch=True),
    st.sampled_from(["", " "]),
    st.booleans(),
    WORDS,
)
@settings(derandomize=True, deadline=None)
def test_no_iban_leaves(
    before: list[str], kind: tuple[str, int], account: str, separator: str, lower: bool, after: list[str]
) -> None:
    country, length = kind
    number = grouped(iban(country, account[:length]), separator)
    masked = mask(around(before, number.lower() if lower else number, after))
    assert "[iban]" in masked
    assert masked == around(before, "[iban]", after)


PHONES = st.one_of(
    st.from_regex(r"\+[1-9][0-9]{1,2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3,4}", fullmatch=True),
    st.from_regex(r"[2-9][0-9]{2}-[0-9]{3}-[0-9]{4}", fullmatch=True),
    st.from_regex(r"\(0[0-9]{2,4}\) [0-9]{5,8}", fullmatch=True),
    st.from_regex(r"0[1-9][0-9]{8,9}", fullmatch=True),
)


@given(WORDS, PHONES, WORDS)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_no_phone_number_leaves(before: list[str], number: str, after: list[str]) -> None:
    assert not re.search(r"\d{3}", mask(around(before, number, after)))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to jo.doe+shop@mail.example.co.uk, thanks", "write to [email], thanks"),
        ("jo (at) example.com", "[email]"),
        ("jo@163.com", "[email]"),
        ("jo @ example.com please", "[email] please"),
        ("it is jo.doe at gmail dot com.", "it is [email]."),
        ('"jo doe"@example.com', "[email]"),
        ("call me on 555-0143 after six", "call me on [phone] after six"),
        ("Tel.: 030 1234567", "Tel.: [phone]"),
        ("rang you on +44 (0)20 7946 0958 twice", "rang you on [phone] twice"),
        ("mon numéro 01 23 45 67 89", "mon numéro [phone]"),
        ("ruf mich an unter 0171/1234567.", "ruf mich an unter [phone]."),
        ("0171 1234567/0172 7654321", "[phone]/[phone]"),
        ("card ٤١١١ ١١١١ ١١١١ ١١١١ declined", "card [card] declined"),
        ("IBAN: DE00 3704 0044 0532 0130 01", "IBAN: [iban]"),  # mistyped
        ("sent to 221b Baker Street and lost", "sent to [address] and lost"),
        ("I live at 12 elm road, ring twice", "I live at [address], ring twice"),
        ("1600 Pine Ave, Springfield, OR 97477 please", "[address] please"),
        ("send it to PO Box 12 instead", "send it to [address] instead"),
        ("Lieferung an Lindenstraße 12b kam nie", "Lieferung an [address] kam nie"),
        ("Musterstraße 12, 12345 Musterstadt", "[address]"),
        ("wohne Hauptstr. 5a, Hinterhaus", "wohne [address], Hinterhaus"),
        ("wohne Lange Straße 7, klingeln", "wohne [address], klingeln"),
        ("an Postfach 1234 bitte", "an [address] bitte"),
        ("livré au 8 rue de la Paix par erreur", "livré au [address] par erreur"),
        ("livré au 12 bis rue Victor Hugo, 75001 Paris", "livré au [address]"),
        ("livré au 3, av. des Lilas hier", "livré au [address] hier"),
        ("mi casa es calle Mayor 15 en Madrid", "mi casa es [address] en Madrid"),
        ("vivo en C/ Mayor 5, 3º B y nada", "vivo en [address] y nada"),
        ("moro na Rua das Flores 123, casa", "moro na [address], casa"),
        ("entregar na Av. Paulista, 1578", "entregar na [address]"),
    ],
)
def test_personal_data_is_replaced_in_place(text: str, masked: str) -> None:
    assert mask(text) == masked


CLEAN = (
    *("version 11.47.1 on iOS 10.2.1 crashes", "build 2024.11.03.1182 and v3.14.159", "paid 1,249.99 instead of 12.99"),
    *("on 2026-01-31 at 14:05", "from 2016.12.08 to 2017.01.02", "on 08-12-2016 and 01/02/2026", "am 01.02.2026 um 8"),
    *("2026-01-31 14:05:22.123456", "20260131140522", "order 48213 and order #100200300 never came"),
    *(
        "ticket number 0123456789 is still open",
        "tracking 00340434161094021501 says delivered",
        "order no. 555-010-1234",
    ),
    *(
        "Bestellnummer 0123456789 fehlt",
        "número de pedido 612 345 678",
        "commande n° 0612345678",
        "error code 0612345678",
    ),
    *("waited 3 weeks in the first place, no way", "2 hours on the road and 5 miles down the street"),
    *("error 0x80070057 and code CO-500", "HTTP 503, ERR_1009, SQLSTATE 42P01", "SKU AB-0171-123456 is wrong"),
    *(
        "hi @shop what is going on",
        "look at example.com and at the shop",
        "meet me at gmail",
        "since shop-app@5.2.0.",
        "error at checkout.step",
    ),
    *("10 of 10 videos fail, 1080p 60fps, 4k", "Galaxy S21 5G 128GB, iPhone 15 Pro 256", "Pixel 8a 12/256 GB"),
    *("scored 3-1, 6-4 7-5 and 21:18", "rated 9/10, 4.5/5, 100/100", "2019-2020 and 1998/1999", "seasons 1 2 3 4 5 6"),
    *("at 52.520008, 13.404954", "lat -23.5505 lon -46.6333", "40.7128° N, 74.0060° W", "temperature -12.5 to 37.2"),
    *("1 000 000 users and 700 000 000 views", "1.234.567,89 € or 12.345.678", "R$ 1.249,90 em 12x de 104,16"),
    *("10 20 30 40 50 percent", "codes 11 22 33 44 55 66", "IP 192.168.100.200 and port 8080", "MAC 00:1A:2B:3C:4D:5E"),
    *("from 10.30 to 14.30 and 9-17", "24/7, 365 days, 50/50", "call ended after 2 minutes", "phone 15 128 GB is slow"),
    *(
        "I called on 12.03.2024 at 10",
        "call on 2026-01-31 was useless",
        "my phone is a 14 from 2022",
        "ISBN 978-0-306-40615",
    ),
    *("unterwegs 2 Tage ohne Netz", "Heimweg 20 Minuten", "Speicherplatz 128 GB voll", "auf Parkplatz 5 warten"),
    *("na rua por 3 horas", "en la calle hace 3 días", "2 places disponibles", "la route 66", "avenida en 2024"),
    *(
        "https://shop.example/p/0123456789?id=0612345678",
        "id=4539578763621",
        "AB12 CD34 EF56",
        "gift code X4K9-22PQ-0091",
    ),
    "",
)


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_numbers_and_words_stay(text: str) -> None:
    assert mask(text) == text


PLANTED = {
    "login-t31": "the writer's own e-mail address",
    "security-t19": "the address a phishing mail came from",
}
"""Golden texts with invented personal data in them, by id, and what it is."""


FALSELY_MASKED = 0.002
"""The share of texts without personal data that may lose a word to a mark."""


def test_of_the_golden_texts_hardly_any_is_masked_by_mistake() -> None:
    written = [text for text in load_golden().texts if text.text_id not in PLANTED]
    touched = {text.text_id: mask(text.text) for text in written if mask(text.text) != text.text}
    assert len(written) > 1_000
    assert len(touched) <= FALSELY_MASKED * len(written), touched


def test_what_is_planted_in_the_golden_texts_is_masked() -> None:
    planted = [text.text for text in load_golden().texts if text.text_id in PLANTED]
    assert len(planted) == len(PLANTED)
    assert all("[email]" in mask(text) and "@" not in mask(text) for text in planted)


@given(st.text(max_size=300))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_text_can_be_masked_and_masking_again_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(alphabet="0123456789 .-/()+,@aeR\n", max_size=80))
@settings(max_examples=1_000, derandomize=True, deadline=None)
def test_of_any_soup_of_digits_masking_again_leaks_nothing_new(text: str) -> None:
    masked = mask(text)
    assert masked.count("[card]") == mask(masked).count("[card]")


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "a.",
            "1",
            "1 ",
            "rue a ",
            "calle aa ",
            "1 a ",
            "AB12 ",
            "(at) ",
            "0 ",
            "a@",
            "call ",
            "4 ",
            "5105 ",
            "0-",
        ),
        *(
            "DE12 ",
            "iban ",
            '"',
            '"a',
            "a at b dot ",
            "me ",
            "call me ",
            "0171 ",
            "R. A ",
            "Straße ",
            "c/",
            "1 rue de ",
        ),
        *("(11) ", "+1 ", "order ", "\n1", "Av. A ", "1 A St "),
    ],
)
def test_time_grows_with_the_text_only_linearly(unit: str) -> None:
    started = time.perf_counter()
    mask(unit * (200_000 // len(unit)))
    assert time.perf_counter() - started < 8
