from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models_ml.data import ISSUE_TYPES, load_golden
from models_ml.language import LANGUAGES, UNDETERMINED
from models_ml.rules import RULES, Rule, Rules, RulesError, fold, load_rules

SERVED = load_rules()
CLAIMED = ("en", "de", "es", "fr", "pt")


@pytest.mark.parametrize("rule", SERVED.rules, ids=[rule.rule_id for rule in SERVED.rules])
def test_a_rule_keeps_to_its_examples(rule: Rule) -> None:
    assert [text for text in rule.examples if not rule.matches(fold(text))] == []
    assert [text for text in rule.counterexamples if rule.matches(fold(text))] == []


def test_every_language_that_is_claimed_has_rules() -> None:
    forced = {
        code: {rule.types[0] for rule in SERVED.rules if rule.forces and code in rule.languages} for code in CLAIMED
    }
    assert min(len(types) for types in forced.values()) >= 16


def test_what_rules_force_is_right_as_often_as_the_file_states() -> None:
    for split in ("calibration", "evaluation"):
        texts = load_golden().split(split)  # type: ignore[arg-type]
        forced = [(SERVED.judge(text.text, text.language).forced, text.issue_type) for text in texts]
        right = [told == truth for told, truth in forced if told]
        # Chance alone takes one standard error of so few texts away.
        error = (SERVED.confidence * (1 - SERVED.confidence) / len(right)) ** 0.5
        assert len(right) > 60
        assert sum(right) / len(right) >= SERVED.confidence - error


@pytest.mark.parametrize(
    ("text", "language", "forced"),
    [
        ("I was charged twice for one order", "en", "payment_failure"),
        ("I was no longer charged twice, finally fixed, thank you", "en", ""),
        ("The app is stuck spinning", "en", "performance"),
        ("videos won’t load since the update", "en", "performance"),
        ("Die App stürzt beim Start immer ab", "de", "app_crash"),
        ("die app stuerzt staendig ab", "de", "app_crash"),
        ("se cierra sola cada vez que la abro", "es", "app_crash"),
        ("Die App stürzt beim Start immer ab", "en", ""),
        ("Die App stürzt beim Start immer ab", UNDETERMINED, "app_crash"),
    ],
)
def test_obvious_cases(text: str, language: str, forced: str) -> None:
    assert SERVED.judge(text, language).forced == forced


def test_the_first_rule_names_the_type_and_later_ones_further_complaints() -> None:
    verdict = SERVED.judge("I was charged twice for one order and support never answers my mails", "en")
    assert verdict.forced == "payment_failure"
    assert "customer_service" in verdict.also


def test_a_vetoed_type_is_never_forced() -> None:
    verdict = SERVED.judge("I lost half of it in the stock market crash", "en")
    assert "app_crash" in dict(verdict.vetoed)
    assert verdict.forced != "app_crash"


@given(st.text(max_size=400), st.sampled_from([*LANGUAGES, UNDETERMINED]))
@example("\ud800 it crashes \x00", "en")
@example("I was charged " * 100_000, "en")
@example("a" * 1_000_000, UNDETERMINED)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_any_text_has_one_verdict_by_rules_that_exist(text: str, language: str) -> None:
    verdict = SERVED.judge(text, language)
    names = {rule.rule_id for rule in SERVED.rules}
    assert verdict.forced in ("", *ISSUE_TYPES)
    assert (verdict.forced_by in names) if verdict.forced else verdict.forced_by == ""
    assert {name for name, _ in verdict.vetoed} <= set(ISSUE_TYPES) - {verdict.forced}
    assert {rule_id for _, rule_id in verdict.vetoed} <= names
    assert verdict.forced not in verdict.also


RULE = {
    "id": "charged-twice",
    "forces": "payment_failure",
    "why": "money",
    "languages": ["en"],
    "patterns": ["charged twice"],
    "examples": ["charged twice"],
}


def written(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    document = {"confidence": 0.9, "words": {"not": "not|never"}, "rules": [dict(RULE)]}
    change(document)
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_the_hash_follows_what_a_verdict_depends_on_and_nothing_else(tmp_path: Path) -> None:
    def judged(**changes: Any) -> Rules:
        return load_rules(written(tmp_path, lambda document: document["rules"][0].update(changes)))

    assert judged(why="other words").content_hash == judged().content_hash
    assert judged(patterns=["charged thrice"]).content_hash != judged().content_hash
    assert judged(unless=["<not> charged"]).content_hash != judged().content_hash


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda one: one.update(forces="payment_failures"), "'payment_failures' is no issue type"),
        (lambda one: one.update(vetoes="praise"), "either `forces` or `vetoes`"),
        (lambda one: one.update(patterns=["charged ("]), "no regular expression"),
        (lambda one: one.update(patterns=["(?:a+)+b"]), "may take for ever"),
        (lambda one: one.update(patterns=["charged .*"]), "may take for ever"),
        (lambda one: one.update(patterns=["<nobody> charged"]), "<nobody>"),
        (lambda one: one.update(languages=["xx"]), "'xx' is no language"),
        (lambda one: one.update(languages=[]), "`languages` must name at least one"),
        (lambda one: one.pop("examples"), "`examples` must name at least one"),
        (lambda one: one.update(why=" "), "`why` is empty"),
        (lambda one: one.update(whyy="x"), "no key 'whyy'"),
        (lambda one: one.update(id="Charged Twice"), "kebab-case"),
    ],
)
def test_a_wrong_rule_is_named_with_what_to_do(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    with pytest.raises(RulesError, match=re.escape(complaint)):
        load_rules(written(tmp_path, lambda document: change(document["rules"][0])))


def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="twice"):
        load_rules(written(tmp_path, lambda document: document["rules"].append(dict(RULE))))
    with pytest.raises(RulesError, match="`confidence`"):
        load_rules(written(tmp_path, lambda document: document.update(confidence=90)))
    with pytest.raises(RulesError, match=r"restore rules\.yml"):
        load_rules(tmp_path / "nowhere.yml")
    (tmp_path / "rules.yml").write_text("rules: [", encoding="utf-8")
    with pytest.raises(RulesError, match="is not YAML"):
        load_rules(tmp_path / "rules.yml")


def test_the_packaged_file_is_the_one_that_serves() -> None:
    assert load_rules().content_hash == load_rules(RULES).content_hash == SERVED.content_hash
