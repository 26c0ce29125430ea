from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.golden.golden_set import load_golden
from models_ml.text.entities import FEATURES, KINDS, MAX_VALUES, extract

# Labelled by hand: everything that a reader would write down, and nothing else.
LABELLED: list[tuple[str, dict[str, list[str]]]] = [
    # platforms, systems, devices
    (
        "crashes on my iPhone 12 Pro with iOS 17.2.1 since version 5.2.0",
        {"platform": ["ios"], "os_version": ["ios 17.2.1"], "device": ["iphone 12 pro"], "app_version": ["5.2.0"]},
    ),
    (
        "Phone: Pixel 7, Android 14. Reinstalling did not help.",
        {"platform": ["android"], "os_version": ["android 14"], "device": ["pixel 7"]},
    ),
    (
        "pixel 6a and Galaxy S21 Ultra both freeze",
        {"platform": ["android"], "device": ["pixel 6a", "galaxy s21 ultra"]},
    ),
    ("Samsung A52 5G here, black screen", {"platform": ["android"], "device": ["galaxy a52"]}),
    (
        "iPad Air 2, ipad mini 4 and iPad Pro 12.9",
        {"platform": ["ios"], "device": ["ipad air 2", "ipad mini 4", "ipad pro 12.9"]},
    ),
    ("iphone7 and iphone 6splus", {"platform": ["ios"], "device": ["iphone 7", "iphone 6s plus"]}),
    ("iPhone SE is too small for the new layout", {"platform": ["ios"], "device": ["iphone se"]}),
    ("on io 10 . 2 . 1 nothing play", {"platform": ["ios"], "os_version": ["ios 10.2.1"]}),
    (
        "ios8 or later? my ipod touch 5 is stuck on ios7",
        {"platform": ["ios"], "os_version": ["ios 8", "ios 7"], "device": ["ipod touch 5"]},
    ),
    ("does not start on android 12, tap the icon, nothing", {"platform": ["android"], "os_version": ["android 12"]}),
    (
        "Build 12.4.1 on Windows 11 terminates",
        {"platform": ["windows"], "os_version": ["windows 11"], "app_version": ["12.4.1"]},
    ),
    (
        "my MacBook Pro on macOS Sonoma gets hot",
        {"platform": ["mac"], "os_version": ["macos sonoma"], "device": ["macbook pro"]},
    ),
    ("works on my Mac but not for Windows", {"platform": ["mac", "windows"]}),
    ("The website is down, the app for Android too", {"platform": ["web", "android"]}),
    ("my apple watch series 5 does not sync", {"device": ["apple watch series 5"], "feature": ["sync"]}),
    ("OnePlus 9 Pro and Redmi Note 10", {"platform": ["android"], "device": ["oneplus 9 pro", "redmi note 10"]}),
    # not platforms, systems, devices
    ("I tried on my iphone 3 times", {"platform": ["ios"]}),
    ("used the ipad 2 days, then it broke", {"platform": ["ios"]}),
    ("android 2 weeks ago was fine", {"platform": ["android"]}),
    ("The table no longer fits a 1366-pixel screen", {}),
    ("8 pixel lines at the top are off", {}),
    ("the movers broke two windows and the door", {}),
    ("mac and cheese arrived cold", {}),
    ("the galaxy print on the shirt faded", {}),
    # browsers
    ("Chrome 120 and Firefox 121.0 both fail", {"browser": ["chrome 120", "firefox 121.0"]}),
    ("works in Safari but not in chrome on the website", {"platform": ["web"], "browser": ["safari", "chrome"]}),
    ("Microsoft Edge 118.0.2088 shows a blank page", {"browser": ["edge 118.0.2088"]}),
    ("safari browser closes the tab", {"platform": ["web"], "browser": ["safari"]}),
    ("firefox only", {"browser": ["firefox"]}),
    ("the edge of the table is chipped and the chrome finish peels", {}),
    ("our safari was cancelled and nobody told us", {}),
    ("Galaxy S7 Edge user here", {"platform": ["android"], "device": ["galaxy s7 edge"]}),
    # app versions
    ("v12.04 is a mess, 11.47 was better", {"app_version": ["12.04"]}),
    ("version 11.47 was better than version 12", {"app_version": ["11.47", "12"]}),
    ("5.2.0 broke everything, roll back to 5.1.9", {"app_version": ["5.2.0", "5.1.9"]}),
    ("Since the 4.2 release our dashboards need 40 to 90 seconds", {"app_version": ["4.2"]}),
    ("since build 5510 the push notifications are gone", {"app_version": ["5510"], "feature": ["notifications"]}),
    ("still show old version 12 . 07", {"app_version": ["12.07"]}),
    (
        "depuis la mise à jour 4.12 l'appli plante sur iPad 9",
        {"platform": ["ios"], "device": ["ipad 9"], "app_version": ["4.12"]},
    ),
    ("Desde la versión 9.4 no abre", {"app_version": ["9.4"]}),
    ("App-Version 7.1.0 stürzt ab", {"app_version": ["7.1.0"]}),
    ("updated to 8.3 yesterday", {"app_version": ["8.3"]}),
    ("since update 10.02.2017 nothing works", {}),
    ("on 12.04.2025 and again on 3.5.25 nothing came", {}),
    ("cannot reach 192.168.10.1 from the office", {}),
    ("sold 1.250.000 pieces of it", {}),
    ("section 4.2.1 of your terms says otherwise", {}),
    ("version 2 weeks ago was fine", {}),
    ("the 7:42 is late, it came at 8.15", {}),
    ("replacement filters for model V20", {"sku": ["V20"]}),
    ("paid 1,249.99 instead of 12.99", {}),
    # articles
    ("SKU 4471-BLK came in white", {"sku": ["4471-BLK"]}),
    ("need a charger for model XR-55", {"sku": ["XR-55"]}),
    ("The spare gasket (part 555-0142) is not orderable", {"sku": ["555-0142"]}),
    ("Artikelnummer 40-2231 fehlt im Karton", {"sku": ["40-2231"]}),
    ("under article 17 GDPR, part 2 of my letter", {}),
    ("my model 2019 car", {}),
    # orders
    ("you charged me twice for order 48213", {"order_id": ["48213"]}),
    ("Order #100200300 and order no. SO-104233 never came", {"order_id": ["100200300", "SO-104233"]}),
    ("orders 48213, 48214 and 48215 are late", {"order_id": ["48213", "48214", "48215"]}),
    ("Meine Bestellnummer ist 99120, wo bleibt sie?", {"order_id": ["99120"]}),
    ("mi pedido nº 88123 no llegó", {"order_id": ["88123"]}),
    ("ma commande 77120 est arrivée cassée", {"order_id": ["77120"]}),
    ("meu pedido 55231 não chegou", {"order_id": ["55231"]}),
    ("SO-104233: where is it?", {"order_id": ["SO-104233"]}),
    ("in order 3 times to get one", {}),
    ("our standing order for 40 boxes, order 5000 pieces more", {}),
    ("my last order 2023 was fine", {}),
    ("I placed the order 2024-05-12", {}),
    # errors
    ("error 503 when I search", {"error_code": ["503"], "feature": ["search"]}),
    ("it says E-1042, I mean error code E-1042", {"error_code": ["E-1042"]}),
    ("code 0x8007 and exception 0xC0000005", {"error_code": ["0x8007", "0xc0000005"]}),
    ("NSURLErrorDomain -1009 on every start", {"error_code": ["NSURLErrorDomain -1009"]}),
    ("Upgrade returns HTTP 409. No charge was made.", {"error_code": ["409"]}),
    ("a 500 error, then 404 not found", {"error_code": ["500", "404"]}),
    ("rejected with code AC04", {"error_code": ["AC04"]}),
    ('stops with "code 55-2, try later"', {"error_code": ["55-2"]}),
    ("Fehler 1009 beim Bezahlen", {"error_code": ["1009"], "feature": ["payment"]}),
    ("erro 77 no pagamento", {"error_code": ["77"], "feature": ["payment"]}),
    ("me sale error 12 al pagar", {"error_code": ["12"]}),
    ("ERR_CONNECTION_RESET all day", {"error_code": ["ERR_CONNECTION_RESET"]}),
    ("promo code WELCOME10 fails, code SPRING20 too", {}),
    ("the verification code 123456 never works", {"feature": ["two-factor"]}),
    ("zip code 90210 is not accepted", {}),
    ("error 3 times in a row", {}),
    # amounts
    ("charged 12,99 € twice and $1,299.00 once", {"amount": ["EUR 12.99", "USD 1299.00"]}),
    ("EUR 30 or 30 euros, it is the same", {"amount": ["EUR 30"]}),
    ("£14 for two scoops, 20 quid for three", {"amount": ["GBP 14", "GBP 20"]}),
    ("Nachzahlung von 1.412,50 Euro", {"amount": ["EUR 1412.50"]}),
    ("R$ 59,90 cobrados duas vezes", {"amount": ["BRL 59.90"]}),
    ("180aud a year, CHF 12.50 a month", {"amount": ["AUD 180", "CHF 12.50"]}),
    ("costs 2.000 € or $2k", {"amount": ["EUR 2000", "USD 2000"]}),
    ("50% off, 4x for 10 minutes, 5 stars", {}),
    ("premium went from $7.99 to $12.99 with the update", {"amount": ["USD 7.99", "USD 12.99"]}),
    # features
    ("dark mode please, and search is broken at checkout", {"feature": ["dark mode", "search", "checkout"]}),
    ("Benachrichtigungen kommen nicht, auch der Dunkelmodus fehlt", {"feature": ["notifications", "dark mode"]}),
    ("picture in picture and background play are gone", {"feature": ["picture in picture", "background play"]}),
    ("check out this bug", {}),
    ("I love it", {}),
    # all at once
    (
        "Order #48213 for $1,299.00: error 503 at checkout, app 5.2.0, iPhone 12 Pro, iOS 17.2, also Chrome 120.",
        {
            "platform": ["ios"],
            "os_version": ["ios 17.2"],
            "device": ["iphone 12 pro"],
            "browser": ["chrome 120"],
            "app_version": ["5.2.0"],
            "feature": ["checkout"],
            "order_id": ["48213"],
            "error_code": ["503"],
            "amount": ["USD 1299.00"],
        },
    ),
    ("see https://shop.example/order/48213?v=5.2.0 or mail order48213@shop.example", {}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "labels"), LABELLED)
def test_a_text_names_just_what_a_reader_would_write_down(text: str, labels: dict[str, list[str]]) -> None:
    assert extract(text) == labels


def test_values_come_in_order_once_and_ten_at_most() -> None:
    text = " ".join(f"error {number}" for number in [503, 404, 503, *range(600, 620)])
    assert extract(text)["error_code"] == ["503", "404", *map(str, range(600, 608))]


def test_kinds_come_in_their_documented_order() -> None:
    assert list(extract(LABELLED[-3][0])) == [kind for kind in KINDS if kind != "sku"]


@pytest.mark.parametrize("feature", [*FEATURES])
def test_every_feature_is_found_under_its_own_name(feature: str) -> None:
    said = {
        "login": "log in",
        "account": "my account",
        "filters": "your filters",
        "favourites": "wishlist",
        "history": "watch history",
    }
    said["casting"] = "chromecast"
    assert extract(f"the {said.get(feature, feature)} is broken")["feature"] == [feature]


@given(st.text(max_size=400))
@settings(max_examples=300, derandomize=True)
def test_any_text_gives_known_kinds_and_no_empty_value(text: str) -> None:
    for kind, values in extract(text).items():
        assert kind in KINDS
        assert 1 <= len(values) <= MAX_VALUES
        assert len(set(values)) == len(values)
        assert all(value == value.strip() != "" for value in values)


PIECES = st.sampled_from(
    "ios iphone android version v order error code sku chrome # : . , - € $ 1 12 5.2.0 17.2 0x8 2024 model E-10 12,99 "
    "times pro NSURLErrorDomain 1.000.000 ² ٣ \ud800 \0 ﷺ".split(" ")
)


@given(st.lists(PIECES, max_size=30), st.sampled_from(["", " "]))
@settings(max_examples=500, derandomize=True)
def test_pieces_of_entities_in_any_order_raise_nothing(pieces: list[str], between: str) -> None:
    extract(between.join(pieces))


@given(
    st.integers(0, 40),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(["version ", "v", "Version: ", "build "]),
)
@settings(max_examples=100, derandomize=True)
def test_a_named_version_is_always_read(major: int, minor: int, patch: int, word: str) -> None:
    assert extract(f"since {word}{major}.{minor}.{patch} it hangs")["app_version"] == [f"{major}.{minor}.{patch}"]


def test_the_golden_set_holds_no_version_that_is_a_date_or_a_sum() -> None:
    versions = {version for one in load_golden().texts for version in extract(one.text).get("app_version", [])}
    assert versions >= {"8.3", "12.4.1", "12.3", "1.9", "4.2", "5510"}
    assert versions.isdisjoint({"312.40", "50.00", "5.00", "64.90", "9.99", "12.99", "0.00"})
