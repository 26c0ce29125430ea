"""Known secrets leave in no encoding, wherever a text is cut; URLs are stored without credentials."""

from __future__ import annotations

import base64
import codecs
import html
import json
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project import redaction
from dagster_project.outgoing import excerpt
from dagster_project.redaction import know, know_url, redact, without_credentials

LONGEST_LEFT = 5
"""Consecutive characters of a secret that may be left over."""


def in_base64(before: str) -> Callable[[str], str]:
    return lambda secret: base64.b64encode((before + secret).encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": lambda secret: secret.upper() if secret.isascii() else secret,
    "reversed": lambda secret: secret[::-1],
    "percent": quote,
    "percent, all of it": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "percent, small letters": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "percent, as userinfo": lambda secret: quote(secret, safe="!$&'()*+,;="),
    "form": quote_plus,
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret))[1:-1],
    "Python": lambda secret: repr(secret)[1:-1],
    "HTML": html.escape,
    "HTML, by number": lambda secret: "".join(f"&#{ord(one)};" for one in secret),
    "HTML of a URL": lambda secret: html.escape(quote(secret, safe="")),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal, capitals": lambda secret: secret.encode().hex().upper(),
    "Base64, alone": in_base64(""),
    "Base64, after one character": in_base64(":"),
    "Base64, after two": in_base64("a:"),
    "Base64 of a user and a password": in_base64("someone:"),
    "Base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"u:{secret}".encode()).decode(),
    "Base64 in a URL": lambda secret: quote(in_base64("u:")(secret), safe=""),
    "wrapped": lambda secret: "\n".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    "with zero-width spaces": "\u200b".join,
    "in chunks of Base64": lambda secret: codecs.encode(f"user:{secret}".encode() * 3, "base64").decode(),
}

SECRETS = st.text(string.ascii_letters + string.digits + "!#$%&*+-/:=?@_~\"'\\<>éü", min_size=8, max_size=60).filter(
    lambda secret: len(set(secret)) > 5
)
AROUND = st.text(". ,\n()", max_size=30)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())


def parts_of(text: str) -> Iterator[str]:
    size = LONGEST_LEFT + 1
    return (text[at : at + size].lower() for at in range(len(text) - size + 1))


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=25, deadline=None)
@given(secret=SECRETS, before=AROUND, after=AROUND, limit=st.integers(1, 200))
def test_nothing_of_a_secret_is_left_in_any_encoding_wherever_it_is_cut(
    encoding: str, secret: str, before: str, after: str, limit: int
) -> None:
    know(secret)
    told = ENCODINGS[encoding](secret)
    for left in (redact(f"{before} {told} {after}"), excerpt(f"{before} {told} {after}", limit)):
        assert not [part for part in parts_of(told) if part in left.lower()], (secret, told, left)
        assert not [part for part in parts_of(secret) if part in left.lower()], (secret, told, left)


@settings(max_examples=120, deadline=None)
@given(secret=SECRETS, cut=st.integers(0, 60), mark=st.sampled_from(["", "…", "...", '"', ")", " …)"]))
def test_half_a_secret_that_another_program_cut_is_redacted(secret: str, cut: int, mark: str) -> None:
    know(secret)
    first, last = secret[:cut], secret[cut:]
    for half, left in ((first, redact(f"answered 401: {first}{mark}")), (last, redact(f"{last} was refused"))):
        assert not [part for part in parts_of(half) if part in left.lower()], (secret, half, left)


@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_without_a_secret_in_it_a_text_stays_and_no_text_raises(text: str) -> None:
    know("Zq9-a-secret-that-is-in-none-of-them")
    assert redact(redact(text)) == redact(text)
    if text.isascii() and text.isalnum() and len(text) < 16:
        assert redact(text) == text


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_secret_of_three_characters_is_redacted_by_its_place_alone(length: int) -> None:
    secret = "cat"[:length]
    know(secret)
    assert redact(f"a {secret} sat in concatenated words") == f"a {secret} sat in concatenated words"
    assert redact(f"http://u:{secret}@host/x?token={secret}") == "http://host/x?token=***"
    assert redact(f"Authorization: Bearer {secret}") == "Authorization: Bearer ***"


def test_a_secret_beyond_16_bits_is_redacted_in_json() -> None:
    secret = "\N{KEY}\N{KEY}planted-word\N{KEY}"
    know(secret)
    assert redact(json.dumps({"error": secret})) == '{"error": "***"}'
    assert "planted" not in redact(json.dumps(json.dumps(secret)))


def test_a_secret_of_four_or_five_characters_is_redacted_as_a_word() -> None:
    know("horse", "1234")
    assert redact("horse, 1234; seahorses 12345") == "***, ***; seahorses 12345"


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://user:password@host.example/a?b=1", "https://host.example/a?b=1"),
        ("https://token@host.example/a", "https://host.example/a"),
        ("http://u:p@ss/w@rd@host.example:80/a?x=1", "http://host.example:80/a?x=1"),
        ("https://h/a?access_token=abcdef&page=2&api_key=x&sig=y", "https://h/a?page=2"),
        ("https://s3/b?X-Amz-Signature=ab&X-Amz-Credential=c&versionId=3", "https://s3/b?versionId=3"),
        ("https://b.blob/c?sv=2022&se=2026&sig=abc%3D", "https://b.blob/c?sv=2022&se=2026"),
        ("https://h/a?client_secret=1&apikey=2&password=3&X-Goog-Signature=4", "https://h/a"),
        ("https://h/callback#access_token=abc", "https://h/callback"),
        ("https://hooks.slack.com/services/T000/B000/abcdefgh", "https://***"),
        ("postgresql+psycopg://me:pw@db/ledger", "postgresql+psycopg://db/ledger"),
    ],
)
def test_a_url_is_stored_without_userinfo_and_secret_parameters(url: str, stored: str) -> None:
    assert without_credentials(url) == stored


@pytest.mark.parametrize(
    "said",
    [
        "GET https://me:planted-9X@host/x",
        "url=https%3A%2F%2Fme%3Aplanted-9X%40host",
        r'{"url": "https:\/\/me:planted-9X@host"}',
        "https://host/x?a=1&amp;token=planted-9X",
        "headers {'Authorization': 'Bearer planted-9X.abc'}",
        'headers [("authorization", "Basic planted-9Xabc=")]',
        '{"Authorization": "token planted-9X"}',
        "Proxy-Authorization: Digest username=me, response=planted-9X",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/1, Signature=planted-9X",
    ],
)
def test_credentials_that_nobody_named_are_found_by_their_place(said: str) -> None:
    assert "planted-9X" not in redact(said)


def test_every_reading_of_a_password_with_signs_in_it_is_known() -> None:
    know_url("postgresql+psycopg://me:p@ss:w/rd-77@db.example/ledger?sslpassword=other-88z")
    left = redact('connection failed: password "p@ss:w/rd-77" for me, "other-88z"; p%40ss%3Aw%2Frd-77')
    assert left == 'connection failed: password "***" for me, "***"; ***'


def test_variables_are_read_when_something_leaves_and_those_with_a_telling_name_need_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_API_TOKEN", "first-value-1a2b")
    monkeypatch.setenv("DATABASE_URL", "mysql://me:in-the-url-7@db/x")
    monkeypatch.setenv("TOKEN_ENABLED", "false")
    assert redact("first-value-1a2b in-the-url-7 false") == "*** *** false"
    redaction.know_variable("ROTATING")
    for value in ("one-value-1", "two-value-2"):
        monkeypatch.setenv("ROTATING", value)
        assert redact(f"a {value}") == "a ***"


def test_a_long_text_is_redacted_in_time_that_grows_with_its_length() -> None:
    know("Zq9-planted-secret-4711")
    for text in ("a" * 200_000, "?a_" * 50_000, "://" * 50_000, "%41" * 50_000, "&amp;" * 40_000, "Zq9-pl" * 30_000):
        assert len(redact(text)) > 0


@pytest.mark.parametrize("secret", ["0001%23<", "001%23<", "p%61ss<w", "xy%41z&q", "a\\n<b\\x41&c"])
def test_a_secret_that_holds_what_looks_like_an_escape_is_found_in_another_encoding(secret: str) -> None:
    know(secret)
    for encode in (html.escape, lambda one: quote(one, safe=""), lambda one: html.escape(quote(one, safe=""))):
        assert redact(f"said: {encode(secret)} here") == "said: *** here"
