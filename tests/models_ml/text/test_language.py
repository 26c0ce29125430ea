from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.golden.golden_set import load_golden
from models_ml.text.language import LANGUAGES, Language, detect

SENTENCES = {
    "ar": "لا أستطيع تسجيل الدخول إلى حسابي بعد التحديث",
    "de": "nach dem letzten Update stürzt die App ständig ab",
    "en": "the app has crashed every morning since the last update",
    "es": "no puedo iniciar sesión desde la última actualización",
    "fr": "je ne peux plus payer depuis la dernière mise à jour",
    "hi": "अपडेट के बाद ऐप बार बार बंद हो जाता है",
    "id": "aplikasi ini sering keluar sendiri setelah diperbarui",
    "it": "dopo l'ultimo aggiornamento non riesco più ad accedere",
    "ja": "アップデートの後、ログインできません",
    "ko": "업데이트 후에 로그인이 안 됩니다",
    "nl": "sinds de laatste update kan ik niet meer inloggen",
    "pl": "po ostatniej aktualizacji nie mogę się zalogować",
    "pt": "não consigo finalizar o pedido depois da atualização",
    "ru": "после обновления приложение постоянно вылетает",
    "sv": "efter senaste uppdateringen kan jag inte logga in",
    "tr": "son güncellemeden sonra giriş yapamıyorum",
    "uk": "після оновлення застосунок перестав працювати, поверніть гроші",
    "vi": "không đăng nhập được sau khi cập nhật ứng dụng",
    "zh": "更新之后一直闪退，无法登录",
}
SLANG = (
    "app sucks lol|cant login|wtf|omg so good|pls fix|garbage app smh|not workin|meh|bruh|nah|gr8 app|lag lag lag"
    "|best game eva|thx|dis app trash fr|wont open|y tho|cant pay wtf|too many ads|rip off|customer service sux|slow af"
    "|glitchy af|broken|terrible app|horrible|comment section gone|no comment section|no notifications|poor app|ngl mid"
    "|video wont play|cheap plastic|crash delete reinstall crash delete reinstall crash delete reinstall|ok app|idk"
).split("|")


def test_every_listed_language_is_told_from_one_sentence() -> None:
    assert set(SENTENCES) == set(LANGUAGES)
    assert [found.code for found in detect(list(SENTENCES.values()))] == list(SENTENCES)


def test_short_english_slang_is_never_taken_for_another_language() -> None:
    codes = dict(zip(SLANG, (found.code for found in detect(SLANG)), strict=True))
    assert {text: code for text, code in codes.items() if code not in {"en", "und"}} == {}
    assert Counter(codes.values())["en"] > len(SLANG) / 2


def test_on_the_golden_set_nothing_english_is_foreign_and_nearly_all_else_is_right() -> None:
    texts = load_golden().texts
    found = [one.code for one in detect([text.text for text in texts])]
    english = Counter(code for code, text in zip(found, texts, strict=True) if text.language == "en")
    others = [code == text.language for code, text in zip(found, texts, strict=True) if text.language != "en"]
    assert set(english) == {"en", "und"}
    assert english["und"] <= 0.02 * english.total()
    assert sum(others) >= 0.95 * len(others)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "12345", "👍👍", "!!!", "-", "\x00\ud800", "https://example.com/ich/bin/kein/wort", "[email]", "สวัสดี"],
)
def test_what_holds_no_word_in_a_listed_language_is_undetermined(text: str) -> None:
    assert detect([text]) == [Language("und", 0.0)]


def test_addresses_and_mentions_do_not_decide() -> None:
    link = "https://www.beispiel.example/hilfe/anmeldung/fehler/nicht/gefunden"
    (found,) = detect([f"cant open this page, please fix {link} @kundenservice"])
    assert found.code == "en"


def test_a_script_of_its_own_needs_only_a_few_letters() -> None:
    assert [found.code for found in detect(["好", "良い", "좋아요", "отлично", "ممتاز"])] == [
        "zh",
        "ja",
        "ko",
        "ru",
        "ar",
    ]


def test_no_texts_give_no_answers() -> None:
    assert detect([]) == []


@given(st.permutations([*SENTENCES.values(), *SLANG]))
@settings(max_examples=10, derandomize=True, deadline=None)
def test_the_answer_depends_neither_on_the_batch_nor_on_the_order(texts: list[str]) -> None:
    together = dict(zip(texts, detect(texts), strict=True))
    assert all(detect([text]) == [together[text]] for text in texts[:10])


@given(st.lists(st.text(max_size=80), max_size=5))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_any_text_gets_a_listed_code_and_a_share(texts: list[str]) -> None:
    for found in detect(texts):
        assert found.code in {*LANGUAGES, "und"}
        assert 0 <= found.confidence <= 1
        assert (found.confidence == 0) == (found.code == "und")
