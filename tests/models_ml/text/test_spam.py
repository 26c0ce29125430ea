from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.golden.golden_set import load_golden
from models_ml.text.spam import Spam, detect

SPAM = [
    ("self_promotion", "Check out my channel GamerKid99 for daily videos!!"),
    ("self_promotion", "sub4sub anyone? I sub back"),
    ("self_promotion", "i love this app, subscribe to me foxy girls i am an animator"),
    ("self_promotion", "Follow me on instagram @modelxoxo for more"),
    ("self_promotion", "abonniert meinen Kanal bitte"),
    ("self_promotion", "inscreva-se no meu canal"),
    ("code_begging", "Use my code XK93JD and get $10 free when you sign up"),
    ("code_begging", "my referral code is ANNA2024 enter it and we both get 5€ bonus"),
    ("code_begging", "Sign up with my link https://bit.ly/3abc to get free coins"),
    ("code_begging", "usa mi código RAPIDO20 y recibe un bono gratis"),
    ("adult_advert", "Hot girls in your area waiting for you www.datehotnow.example"),
    ("adult_advert", "cheap viagra without prescription order now https://pills.example"),
    ("casino_advert", "Best online casino, claim your free spins now: https://casinowin.example"),
    ("casino_advert", "Slot gacor hari ini daftar sekarang"),
    ("crypto_advert", "Double your bitcoin in 24 hours, telegram @btcdoubler"),
    (
        "crypto_advert",
        "Lost it all to a fake broker, but an expert at wiz@mail.example helped me recover all my lost funds",
    ),
    ("crypto_advert", "Earn $500 a day from home with crypto trading, whatsapp +1 555 0100"),
    ("template_advert", "We are a leading manufacturer of LED lights in Shenzhen. Visit our website."),
    ("template_advert", "Dear site owner, we offer SEO services and backlinks to rank higher"),
    ("template_advert", "Do you need a loan? We offer personal loans at 2%, whatsapp us"),
    ("template_advert", "Congratulations! You have won a gift card. Claim your prize here https://prize.example"),
    ("template_advert", "free robux generator no verification 100% working"),
    ("gibberish", "asdfghjkl asdfgh"),
    ("gibberish", "sdkjfhskdjfh ksjdhf"),
    ("gibberish", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("gibberish", "qwertzuiop"),
    ("repetition", "buy " * 12),
    ("link_farm", "https://a.example/x https://b.example/y https://c.example/z best deals"),
]

CUSTOMERS = [
    "THIS IS A JOKE!!! LOOK WHAT YOUR APP DID https://imgur.com/a/x83hd FIX IT NOW",
    "I AM SO DONE. THREE WEEKS. NO REFUND. NO ANSWER. https://prnt.sc/abc123",
    "capturas: https://imgur.com/1 https://imgur.com/2 https://imgur.com/3 https://imgur.com/4 https://imgur.com/5",
    "https://www.myshop.example/order/123",
    "compare https://a.example/i https://b.example/i https://c.example/i : all a fifth cheaper than you are, and"
    " they ship within two days, while I have now been waiting three weeks for the very same lamp",
    "my promo code SAVE10 doesn't work at checkout",
    "I can't use my code XK93JD, it says invalid",
    "I use my code at checkout and get 10% off every time, love it",
    "The referral code I gave my friend never gave me the $10 bonus",
    "where can i enter my referral code",
    "how do I share my invite link?",
    "nobody can subscribe to my channel since the update",
    "people subscribe to me and i see no notification",
    "every time i go on my channel to change the picture it fails",
    "video does not load. please fix this. check out my channel",
    "crash " * 12,
    "discard comment? " * 40,
    "I get too many casino ads, claim your free spins here, no deposit bonus there",
    "great casino app, I love the free spins and the big win",
    "can't withdraw my bitcoin from your trading platform",
    "your app shows ads for hot girls in your area, my kid uses this",
    "I got an email: congratulations you have won, claim your prize. Is it from you?",
    "recover my money please, contact me at jo@mail.example",
    "I make $500 a week driving with this app, love it",
    "hahahahahahahahaha what a joke",
    "kkkkkkkkkkk muito ruim",
    "jajajajajaja qué malo",
    "zzzzz",
    "nooooooooooooooo why did you change it",
    "👎👎👎👎👎👎👎👎👎👎👎👎👎👎",
    "Angstschweiß Rechtschreibung Borschtsch",
    "Knightsbridge",
    "wstrzymać źdźbło przestrzeń bezwzględny",
    "strč prst skrz krk",
    "altijd prijs lijst bijna",
    "HTML5 player with HTTPS and MPEG2",
    "qwerty layout of the keyboard is broken in the app",
    "更新之后一直闪退，无法登录",
    "",
]

# Written into the golden set as chatter, and rightly flagged.
SPAM_IN_THE_GOLDEN_SET = {"asdfgh", "qwertyuiop", "subscribe to my channel please , i make gaming video"}


@pytest.mark.parametrize(("reason", "text"), SPAM)
def test_spam_is_told_with_its_reason(reason: str, text: str) -> None:
    assert detect(text) == Spam(True, reason)


@pytest.mark.parametrize("text", CUSTOMERS)
def test_a_customer_is_no_spammer(text: str) -> None:
    assert detect(text) == Spam(False, "")


def test_in_the_golden_set_only_what_is_spam_is_flagged() -> None:
    assert {one.text for one in load_golden().texts if detect(one.text).is_spam} == SPAM_IN_THE_GOLDEN_SET


@pytest.mark.parametrize(("reason", "text"), [row for row in SPAM if row[0] != "repetition"])
def test_capitals_and_space_around_it_change_nothing(reason: str, text: str) -> None:
    assert detect(f"  {text.upper()}\n") == Spam(True, reason)


@given(st.text(max_size=300))
@settings(max_examples=300, derandomize=True)
def test_any_text_is_judged_the_same_each_time_and_a_reason_means_spam(text: str) -> None:
    first = detect(text)
    assert first == detect(text)
    assert first.is_spam == bool(first.reason)
