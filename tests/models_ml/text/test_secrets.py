"""Credentials that customers paste or state are masked, and characters that nobody sees hide nothing."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.text.masking import UNSEEN, mask
from tests.models_ml.personal_data import a_card, a_phone, windows_like_cards

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nBG5vbmUAAAAE\n-----END OPENSSH PRIVATE KEY-----"
_LETTERS = st.text(string.ascii_letters + string.digits, min_size=36, max_size=60).filter(
    lambda s: any(map(str.isdigit, s))
)
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u202e\u2066\ufe0f\u20e3\U000e0020\u115f"


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqbyJ9.c2lnbmF0dXJl",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3O",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0abcdefghij_klmnop",
        "glpat-20charactersofToken1",
        "xoxb-123456789012-1234567890123-AbCdEfGh",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
        "ya29.a0AfH6SMBx-secret",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk-proj-abc123DEF456ghi789JKL",
        "npm_abcdefghijklmnopqrstuvwxyz0123456789",
        "pypi-AgEIcHlwaS5vcmcCJDU3",
        "SG.abcdefghijklmnop.qrstuvwxyz0123456789",
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
        "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ=",
        KEY,
    ],
)
@pytest.mark.parametrize("around", ["{}", "my log says {} and stops", "token={},", "(\n{}\n)", 'it shows "{}"!'])
def test_a_pasted_key_or_token_is_masked(secret: str, around: str) -> None:
    masked = mask(around.format(secret))
    assert "[secret]" in masked
    assert not [secret[at : at + 8] for at in range(4, len(secret) - 8) if secret[at : at + 8] in masked]


@settings(max_examples=100, deadline=None)
@given(
    prefix=st.sampled_from(["ghp_", "gho_", "glpat-", "xoxp-", "sk_live_", "npm_", "AKIA", "eyJhbGci."]), body=_LETTERS
)
def test_any_token_of_a_known_issuer_is_masked(prefix: str, body: str) -> None:
    body = body.upper() if prefix == "AKIA" else body
    assert body[8:] not in mask(f"here: {prefix}{body}. help")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password is hunter2", "password is [secret]"),
        ("My password: sunshine, it fails", "My password: [secret], it fails"),
        ("my password is sunshine.", "my password is [secret]."),
        ("the password for my account is Tiger99", "the password for my account is [secret]"),
        ("pw=abc123 user jo", "pw=[secret] user jo"),
        ("login jo pw hunter22", "login jo pw [secret]"),
        ("mein Passwort ist Sommer2024!", "mein Passwort ist [secret]"),
        ("Kennwort lautet: geheim12", "Kennwort lautet: [secret]"),
        ("mi contraseña es gato123", "mi contraseña es [secret]"),
        ("mot de passe : soleil99", "mot de passe : [secret]"),
        ("minha senha é gato2020", "minha senha é [secret]"),
        ("my PIN is 4711", "my PIN is [secret]"),
        ("pin code: 12 34", "pin code: [secret]"),
        ("card cvv 123", "card cvv [secret]"),
        ("the verification code is 993311", "the verification code is [secret]"),
        ('the password "open sesame" and "Xy77abc"', 'the password "open sesame" and "Xy77abc"'),
        ('password "Xy77abc" is refused', "password [secret] is refused"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [secret]"),
    ],
)
def test_a_stated_password_or_pin_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "the password is wrong",
        "my password is not working and never was",
        'it says the password is "incorrect"',
        "password reset link never comes",
        "I entered the pin 3 times",
        "the code is 5 digits long",
        "das Passwort ist falsch",
        "la contraseña es incorrecta",
        "le mot de passe est invalide",
        "a senha é inválida",
        "basic functions are broken, bearer of bad news",
        "reset my password please",
        "password manager does not fill in",
        "order AB-12345678, error E4711, version 5.2.0-rc1+build.77",
    ],
)
def test_talk_about_passwords_stays(text: str) -> None:
    assert mask(text) == text


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_characters_that_nobody_sees_hide_no_card_and_no_phone(seed: int, data: st.DataObject) -> None:
    for made in (a_card, a_phone):
        number = made(random.Random(seed))
        hidden = "".join(
            character + data.draw(st.text(_INVISIBLE, max_size=2)) for character in number.replace("\n", " ")
        )
        masked = UNSEEN.sub("", mask(f"it is {hidden} thanks"))
        if mask(f"it is {number} thanks") != f"it is {number} thanks":
            assert not windows_like_cards(masked), (number, masked)
            assert number not in masked


@pytest.mark.parametrize("digits", ["０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "०१२३४५६७८९"])
def test_digits_of_any_script_are_digits(digits: str) -> None:
    other = str.maketrans("0123456789", digits)
    assert mask("4012 8888 8888 1881".translate(other)) == "[card]"
    assert mask("call +49 171 5550143".translate(other)) == "call [phone]"


def test_a_text_keeps_its_emoji_and_signs_where_nothing_is_hidden() -> None:
    text = "family 👨\u200d👩\u200d👧 likes m² and ½, ﬁne ①"
    assert mask(text) == text


def test_a_hash_in_the_audit_log_is_no_card() -> None:
    digest = "a3f4111111111111111bc0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9"
    assert mask(f"the last hash is {digest}") == f"the last hash is {digest}"
