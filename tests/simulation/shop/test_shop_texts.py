"""What customers of the simulated shop write: varied, in the channel's style, in their language."""

from __future__ import annotations

from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.simulation.shop.grammar import expand
from dagster_project.simulation.shop.phrases import ENGLISH
from dagster_project.simulation.shop.phrases_local import FRENCH, GERMAN, SPANISH
from dagster_project.simulation.shop.texts import Situation, compose, person_of
from models_ml.taxonomy import CHANNELS
from tests.simulation.shop.shop_fixtures import LandedShop

LANGUAGES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH}


def _situation(
    issue_type: str, channel: str = "app_review", language: str = "en", blamed: str | None = None
) -> Situation:
    return Situation(
        issue_type=issue_type,
        channel=channel,
        language=language,
        country="DE",
        person=4711,
        item="desk lamp",
        order_id="SO-100001",
        quotes_order=True,
        device="Pixel 8",
        blamed_version=blamed,
    )


@pytest.mark.parametrize("issue_type", ["checkout_failure", "app_crash", "shipping_delivery", "payment_failure"])
def test_a_planted_type_has_hundreds_of_forms(issue_type: str) -> None:
    rng = Random(1)
    forms = {compose(_situation(issue_type), rng)[1].lower().strip(".! ") for _ in range(1000)}
    assert len(forms) > 500


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_type_can_be_said_on_every_channel_in_every_language(channel: str, language: str) -> None:
    rng = Random(2)
    for issue_type in ENGLISH:
        for _ in range(5):
            title, text = compose(_situation(issue_type, channel, language, blamed="5.2.0"), rng)
            assert text.strip()
            for mark in "{}[]|<>":
                assert mark not in title + text, (issue_type, text)
            assert "  " not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_release_is_named_only_by_those_whom_it_hurt(language: str) -> None:
    rng = Random(3)
    hurt = [compose(_situation("app_crash", language=language, blamed="5.2.0"), rng)[1] for _ in range(200)]
    others = [compose(_situation("app_crash", language=language), rng)[1] for _ in range(200)]
    assert 10 < sum("5.2.0" in text for text in hurt) < 150
    assert not any("5.2.0" in text for text in others)


def test_tickets_greet_and_sign_and_chats_come_in_turns() -> None:
    rng = Random(4)
    name, email, phone = person_of(4711, "DE")
    tickets = [compose(_situation("login_account", "support_ticket"), rng)[1] for _ in range(100)]
    assert sum(text.endswith(name) for text in tickets) > 85  # the others misspelt it
    assert any(email in text for text in tickets)
    assert any(phone in text for text in tickets)
    chats = [compose(_situation("login_account", "chat"), rng)[1] for _ in range(100)]
    assert all("\n" in text for text in chats)
    assert any(text.startswith("Agent: ") for text in chats)


def test_there_is_something_to_mask_and_none_of_it_is_real(shop: LandedShop) -> None:
    text = shop.feedback["text"]
    assert text.str.contains("@example.com", literal=True).sum() > 50
    assert text.str.contains("555 01|55 55 01").sum() > 30
    addresses = text.str.extract_all(r"[\w.]+@[\w.]+\.\w+").explode().drop_nulls()
    assert addresses.str.ends_with("@example.com").all()


def test_most_write_english_and_some_do_not(shop: LandedShop) -> None:
    known = shop.feedback.filter(pl.col("language").is_not_null())
    share = known.filter(pl.col("language") == "en").height / known.height
    assert 0.75 < share < 0.95
    assert set(known["language"]) == {"en", "de", "fr", "es"}


def _grammars() -> st.SearchStrategy[str]:
    words = st.text("abc ", min_size=1, max_size=4)
    return st.recursive(
        words,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda options: "{" + "|".join(options) + "}"),
            inner.map(lambda text: f"[{text}]"),
            st.lists(inner, min_size=2, max_size=3).map("".join),
        ),
        max_leaves=12,
    )


@given(_grammars(), st.integers(0, 1000))
def test_any_well_formed_grammar_expands_to_plain_words(grammar: str, seed: int) -> None:
    text = expand(grammar, Random(seed))
    assert set(text) <= set("abc ")
    assert text == expand(grammar, Random(seed))


@pytest.mark.parametrize("broken", ["{a|b", "[a", "a}", "a]", "{a]}", "a|b"])
def test_a_broken_grammar_says_so(broken: str) -> None:
    with pytest.raises(ValueError, match="grammar"):
        expand(broken, Random(0))


def test_every_type_of_the_taxonomy_has_words_in_the_main_languages() -> None:
    for language in (ENGLISH, GERMAN, FRENCH):
        assert set(language) == set(ENGLISH)
        assert all(phrases.problems and phrases.titles for phrases in language.values())
