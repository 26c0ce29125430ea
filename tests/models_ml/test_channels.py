from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models_ml.channels import prepare
from models_ml.data import CHANNELS, load_golden
from models_ml.preprocess import MAX_CHARACTERS, clean, join


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Nothing loads.\n\n> On Monday you said\n> it was fixed", "Nothing loads."),
        ("Still broken.\n\nOn Mon, 4 May 2026 at 10:12, Support wrote:\nDear customer, love it", "Still broken."),
        ("Immer noch kaputt.\nAm 4. Mai 2026 um 10:12 schrieb Support <a@b.example>:\nHallo", "Immer noch kaputt."),
        ("Sigue igual.\nEl lun, 4 may 2026 a las 10:12, Soporte escribió:\nHola", "Sigue igual."),
        ("Toujours pareil.\nLe lun. 4 mai 2026 à 10:12, Support a écrit :\nBonjour", "Toujours pareil."),
        ("Continua igual.\nEm seg., 4 de mai. de 2026 às 10:12, Suporte escreveu:\nOlá", "Continua igual."),
        ("It crashes.\n-----Original Message-----\nit works", "It crashes."),
        ("Please see below.\nFrom: a\nSent: Monday\nTo: b\nall fine", "Please see below."),
        ("I was charged twice.\n\nKind regards,\nDana\nHead of Buying\nAcme", "I was charged twice."),
        ("Paket fehlt.\nMit freundlichen Grüßen\nA. Muster", "Paket fehlt."),
        ("Mi pedido no llega.\nUn saludo,\nLuis", "Mi pedido no llega."),
        ("Colis perdu.\nCordialement,\nM. Martin", "Colis perdu."),
        ("Não chegou.\nAtenciosamente,\nBia", "Não chegou."),
        ("No refund yet\n--\nDana Doe\n+1 555 0100", "No refund yet"),
        ("App freezes\n\nSent from my iPhone", "App freezes"),
        ("It hangs.\nThis e-mail is confidential and meant for nobody else.", "It hangs."),
        ("> only a quote", "> only a quote"),
        ("Best regards", "Best regards"),
        ("From: the moment I open it, it crashes", "From: the moment I open it, it crashes"),
        ("On Monday I wrote: nothing happened since", "On Monday I wrote: nothing happened since"),
    ],
)
def test_of_a_ticket_the_customers_own_words_stay(text: str, heard: str) -> None:
    assert prepare(None, text, "support_ticket") == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Agent: Hi, how can I help?\nCustomer: my card was declined\nAgent: Sorry!", "my card was declined"),
        ("[10:42] Visitor 123: no sound\n[10:43] Anna (Support): try again\n[10:44] Visitor 123: no", "no sound no"),
        ("Bot: Hallo\nKunde: Paket kam nie an\nund niemand hilft\nBot: Moment", "Paket kam nie an und niemand hilft"),
        ("Conseiller : Bonjour\nClient : rien ne marche", "rien ne marche"),
        ("Chat started\nCustomer: hi\nAgent: hi\nMaria joined the chat\nCustomer: it crashes", "hi it crashes"),
        ("it crashes every time", "it crashes every time"),
        ("error: code 500 when i pay", "error: code 500 when i pay"),
        ("Support: nobody there", "Support: nobody there"),
        ("look: https://a.example: it fails", "look: https://a.example: it fails"),
    ],
)
def test_of_a_chat_the_customers_turns_stay(text: str, heard: str) -> None:
    assert prepare(None, text, "chat") == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("@acme_help @acme your app is down #AppCrash", "your app is down App Crash"),
        ("RT @someone: it is down again", "it is down again"),
        ("nothing works https://t.example/x #appcrash", "nothing works appcrash"),
        ("cannot log in @acme", "cannot log in @acme"),
        ("https://t.example/x", "https://t.example/x"),
        ("#XMLError #no_sound", "XML Error no sound"),
    ],
)
def test_of_a_post_mentions_and_links_go_and_hashtags_become_words(text: str, heard: str) -> None:
    assert prepare(None, text, "social") == heard


@pytest.mark.parametrize(
    ("channel", "text", "heard"),
    [
        ("app_review", "(Translated by Google) It crashes (Original) Se cierra sola", "Se cierra sola"),
        ("app_review", "Crashes\nDeveloper response: We love you", "Crashes"),
        ("product_review", "Verified Purchase Arrived broken", "Arrived broken"),
        ("product_review", "Fine. [This review was collected as part of a promotion.]", "Fine."),
        ("app_review", "Edit: crashes again", "crashes again"),
        ("nps", "Reason: too slow", "too slow"),
        ("nps", "Q: What could we do better?\nA: fewer ads", "fewer ads"),
        ("nps", "n/a", ""),
        ("nps", " - ", ""),
        ("nps", "None of it works", "None of it works"),
        ("return", "DEFECTIVE - it does not switch on", "defective. it does not switch on"),
        ("return", "WRONG_ITEM", "wrong item."),
        ("return", "BROKEN screen and it smells", "BROKEN screen and it smells"),
        ("telepathy", "RT @x: as it is", "RT @x: as it is"),
    ],
)
def test_what_stores_and_forms_add_goes(channel: str, text: str, heard: str) -> None:
    assert prepare(None, text, channel) == heard


def test_title_and_text_are_joined_after_that() -> None:
    assert prepare("Help", "no sound\n--\nDana", "support_ticket") == "Help. no sound"


def test_texts_that_are_only_the_customers_words_are_left_alone() -> None:
    plain = [text for text in load_golden().texts if text.channel != "social"]
    changed = [text.text_id for text in plain if prepare(None, text.text, text.channel) != clean(text.text)]
    assert len(changed) <= 0.01 * len(plain), changed


PIECES = st.sampled_from(
    [
        *("> quote", "On Monday, Al wrote:", "Kind regards,", "From: a", "Sent: b", "--", "\n", "\n"),
        *("Agent: hi", "Customer: no", "it crashes", "#AppCrash", "@acme", "RT @x: ", "https://a.example"),
        *("n/a", "Q: why? A: so", "(Translated by Google)", "(Original)", "DEFECTIVE - ", "Developer response", "🙃"),
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.one_of(PIECES, st.text(max_size=10)), max_size=12).map("".join))


@given(st.one_of(st.none(), TEXTS), st.one_of(st.none(), TEXTS), st.sampled_from([*CHANNELS, "other"]))
@example(None, "> " * 500_000, "support_ticket")
@example(None, "Customer:" * 200_000, "chat")
@example(None, "#" + "aB" * 500_000, "social")
@example("\ud800", "(Translated by Google)" * 50_000, "app_review")
@settings(max_examples=600, derandomize=True, deadline=None)
def test_any_text_becomes_one_bounded_line_of_its_own_words(title: str | None, text: str | None, channel: str) -> None:
    heard = prepare(title, text, channel)
    assert heard == clean(heard)
    assert len(heard) <= 2 * MAX_CHARACTERS + 2
    said = set(re.findall(r"[^\W_]+", join(title, text).casefold()))
    together = "".join(sorted(said, key=len))
    if channel not in ("social", "return") and len(text or "") + len(title or "") < MAX_CHARACTERS:
        assert all(word in said or word in together for word in re.findall(r"[^\W_]+", heard.casefold()))
    if any(character.isalpha() for character in clean(text or "")) and channel not in ("nps", "return"):
        assert heard
