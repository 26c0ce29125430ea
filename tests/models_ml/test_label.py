from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models_ml.label import Decision, Labeller, TextLabel, decide
from models_ml.model.classifier import Classifier, Prediction
from models_ml.taxonomy import CHANNELS, ISSUE_TYPES
from models_ml.text import language
from models_ml.text.channels import prepare
from models_ml.text.rules import RuleVerdict, load_rules

SILENT = RuleVerdict("", "", (), ())
THRESHOLDS = dict.fromkeys(ISSUE_TYPES, 0.4)
RULE = 0.9


@pytest.fixture(scope="module")
def labeller(classifier: Classifier) -> Labeller:
    return Labeller(classifier)


def said(best: str, confidence: float, second: str, less: float) -> Prediction:
    return Prediction("", best, confidence, second, less, False, (), (), 0.0)


def decision(
    prediction: Prediction, verdict: RuleVerdict = SILENT, *, text: str = "words", readable: bool = True
) -> Decision:
    return decide(text, prediction, verdict, readable, THRESHOLDS, RULE)


CRASH = said("app_crash", 0.7, "performance", 0.2)


def test_where_no_rule_speaks_the_classifier_decides_from_its_threshold_on() -> None:
    assert decision(CRASH) == Decision("app_crash", "", 0.7, False, "", "classifier", "")
    unsure = decision(said("app_crash", 0.39, "performance", 0.2))
    assert (unsure.issue_type, unsure.abstained, unsure.abstain_reason) == ("other", True, "low_confidence")
    assert unsure.confidence == 0.39


def test_a_forcing_rule_goes_before_the_classifier() -> None:
    forced = decision(CRASH, RuleVerdict("payment_failure", "charged-twice", (), ()))
    assert forced == Decision("payment_failure", "app_crash", RULE, False, "", "rule", "charged-twice")


def test_a_rule_that_the_classifier_agrees_with_is_as_sure_as_the_surer_of_both() -> None:
    surer = said("app_crash", 0.97, "performance", 0.01)
    assert decision(surer, RuleVerdict("app_crash", "crashes", (), ())).confidence == 0.97
    assert decision(CRASH, RuleVerdict("app_crash", "crashes", (), ())).confidence == RULE


def test_a_second_rule_names_the_second_complaint() -> None:
    both = RuleVerdict("payment_failure", "charged-twice", (), ("customer_service",))
    assert decision(CRASH, both).secondary_type == "customer_service"


def test_a_likely_runner_up_is_the_second_complaint_unless_it_is_none() -> None:
    assert decision(said("app_crash", 0.5, "performance", 0.3)).secondary_type == "performance"
    assert decision(said("app_crash", 0.5, "performance", 0.2)).secondary_type == ""
    assert decision(said("app_crash", 0.5, "praise", 0.4)).secondary_type == ""


def test_a_vetoed_type_gives_way_to_a_runner_up_that_would_have_been_answered() -> None:
    veto = RuleVerdict("", "", (("app_crash", "stock-market"),), ())
    second = decision(said("app_crash", 0.5, "performance", 0.45), veto)
    assert second == Decision("performance", "", 0.45, False, "", "classifier", "stock-market")
    unsure = decision(CRASH, veto)
    assert (unsure.issue_type, unsure.abstain_reason, unsure.rule_id) == ("other", "vetoed", "stock-market")


def test_a_veto_of_another_type_changes_nothing() -> None:
    assert decision(CRASH, RuleVerdict("", "", (("praise", "complains"),), ())) == decision(CRASH)


def test_an_unreadable_language_is_left_to_the_rules() -> None:
    unread = decision(CRASH, readable=False)
    assert (unread.issue_type, unread.abstain_reason, unread.decided_by) == ("other", "unsupported_language", "nobody")
    forced = decision(CRASH, RuleVerdict("app_crash", "stuerzt-ab", (), ()), readable=False)
    assert (forced.issue_type, forced.confidence, forced.secondary_type) == ("app_crash", RULE, "")


@pytest.mark.parametrize("text", ["", "   ", "🙃🙃", "12345", "!!"])
def test_without_a_letter_nobody_decides(text: str) -> None:
    assert decision(CRASH, RuleVerdict("app_crash", "x", (), ()), text=text).abstain_reason == "no_text"


def test_a_language_that_was_not_measured_is_never_answered_by_the_classifier(labeller: Labeller) -> None:
    finnish_like = "Sovellus kaatuu aina kun avaan sen, korjatkaa tämä pian kiitos paljon"
    polish = "Aplikacja ciągle się zawiesza, nie mogę nic zrobić, proszę to naprawić jak najszybciej"
    for one in labeller.label([polish, finnish_like]):
        assert one.decision.decided_by != "classifier"
    assert labeller.label([polish])[0].language == "pl"
    assert labeller.label([polish])[0].words_sentiment is None


def test_the_version_changes_with_the_rules(labeller: Labeller) -> None:
    other = Labeller(labeller.classifier, replace(load_rules(), content_hash="0" * 64))
    assert other.version != labeller.version
    assert other.version.startswith(labeller.classifier.version)


def valid(one: TextLabel) -> bool:
    decided = one.decision
    return (
        decided.issue_type in ISSUE_TYPES
        and decided.secondary_type in ("", *ISSUE_TYPES)
        and decided.secondary_type != decided.issue_type
        and 0 <= decided.confidence <= 1
        and decided.abstained == (decided.decided_by == "nobody") == bool(decided.abstain_reason)
        and (not decided.abstained or decided.issue_type == "other")
        and (decided.decided_by != "rule" or (decided.rule_id != "" and one.verdict.forced == decided.issue_type))
        and one.language in (*language.LANGUAGES, language.UNDETERMINED)
        and (one.words_sentiment is None or -1 <= one.words_sentiment <= 1)
        and all(phrase.phrase in one.masked_text for phrase in one.key_phrases)
        and (one.signature is None or len(one.signature) == 256)
        and json.loads(json.dumps(one.entities)) == one.entities
    )


ANY_TEXT = st.one_of(
    st.text(max_size=300),
    st.text(st.characters(codec="utf-8", categories=["So", "Sk", "Cf", "Cc", "Mn"]), max_size=80),
    st.text(st.characters(min_codepoint=0x590, max_codepoint=0x8FF), max_size=120),
    st.lists(
        st.sampled_from(["crash", "לא עובד", "не работает", "🙃", "\x00", "4111 1111 1111 1111", "a@b.co", "\u202e"]),
        max_size=30,
    ).map(" ".join),
)


@given(st.lists(ANY_TEXT, min_size=1, max_size=4), st.sampled_from([*CHANNELS, "unheard of"]), ANY_TEXT)
@example(["", " ", "🙃", "\x00\x1b[31m", "\ud800"], "chat", "")
@example(["it crashes. " * 90_000, "x" * 1_000_000, "é" * 300_000, "\u202eיתקלקל " * 50_000], "support_ticket", "Re:")
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_whatever_has_exactly_one_valid_label(
    labeller: Labeller, texts: list[str], channel: str, title: str
) -> None:
    found = labeller.label([prepare(title, text, channel) for text in texts])
    assert len(found) == len(texts)
    assert all(valid(one) for one in found)


def test_a_label_does_not_depend_on_the_company_it_is_read_in(labeller: Labeller) -> None:
    texts = [
        "I was charged twice for one order",
        "Die App stürzt beim Start immer ab",
        "love it",
        "meh",
        "where is my order 1234567? it should have come on Monday",
    ]
    together = labeller.label(texts)
    assert [labeller.label([text])[0] for text in texts] == together
    assert labeller.label(texts[::-1]) == together[::-1]
