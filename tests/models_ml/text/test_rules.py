from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.golden.golden_set import load_golden
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.text.language import LANGUAGES
from models_ml.text.preprocess import MAX_CHARACTERS
from models_ml.text.rules import RULES, Rules, RulesError, RuleVerdict, TextRule, fold, load_rules

SILENT = RuleVerdict("", "", (), ())
COMPLAINTS = [name for name in ISSUE_TYPES if name not in ("feature_request", "praise", "other")]
SHIPPED = load_rules()

CRASHES = """
- id: crashes
  forces: app_crash
  why: it says so
  languages: [en]
  patterns:
    - crash
  unless:
    - never crash
  examples:
    - It crashes.
"""
SLOW = CRASHES.replace("id: crashes", "id: slow").replace("app_crash", "performance").replace("- crash", "- slow")
ABSTURZ = CRASHES.replace("id: crashes", "id: absturz").replace("[en]", "[de]").replace("never", "nie")
MARKET = (
    CRASHES.replace("id: crashes", "id: market")
    .replace("forces: app_crash", "vetoes: [app_crash, performance]")
    .replace("- crash", "- market")
)


def rules(folder: Path, *entries: str, head: str = "confidence: 0.9\nrules:\n") -> Rules:
    path = folder / "rules.yml"
    path.write_text(head + "".join(entries), encoding="utf-8")
    return load_rules(path)


def cases(kind: str) -> list[tuple[TextRule, str]]:
    return [(rule, text) for rule in SHIPPED.rules for text in getattr(rule, kind)]


@pytest.mark.parametrize(("rule", "text"), cases("examples"))
def test_a_rule_does_to_each_of_its_examples_what_it_says(rule: TextRule, text: str) -> None:
    assert rule.matches(fold(text))
    verdicts = [SHIPPED.apply(text, code) for code in rule.languages]
    done = {name for one in verdicts for name in (one.forced, *one.also, *(dict(one.vetoed)))}
    assert done.issuperset(rule.types)


@pytest.mark.parametrize(("rule", "text"), cases("counterexamples"))
def test_a_rule_keeps_silent_on_each_of_its_counterexamples(rule: TextRule, text: str) -> None:
    assert not rule.matches(fold(text))


def test_every_complaint_can_be_forced_in_every_language_of_the_rules() -> None:
    for code in ("en", "de", "es", "fr", "pt"):
        forced = {name for rule in SHIPPED.rules if rule.forces and code in rule.languages for name in rule.types}
        assert forced.issuperset(COMPLAINTS), code
        assert ("praise" in forced) == (code != "en")


def test_forcing_rules_are_as_precise_on_the_calibration_texts_as_the_file_says() -> None:
    verdicts = [(text, SHIPPED.apply(text.text, text.language)) for text in load_golden().split("calibration")]
    forced = [verdict.forced == text.issue_type for text, verdict in verdicts if verdict.forced]
    wrong, error = len(forced) - sum(forced), 1 - SHIPPED.confidence
    assert len(forced) >= 50
    # How often so many or more would be wrong if the file were right: rarer than one in twenty is not by chance.
    by_chance = sum(
        math.comb(len(forced), k) * error**k * (1 - error) ** (len(forced) - k) for k in range(wrong, len(forced) + 1)
    )
    assert by_chance >= 0.05, f"{wrong} of {len(forced)} forced types are wrong"


def test_in_the_languages_that_the_classifier_does_not_read_rules_decide_nearly_half_of_the_complaints() -> None:
    texts = [text for text in load_golden().split("calibration") if text.language in ("de", "es", "fr", "pt")]
    complaints = [text for text in texts if text.issue_type in COMPLAINTS]
    decided = [text for text in complaints if SHIPPED.apply(text.text, text.language).forced]
    assert len(decided) >= 0.45 * len(complaints)


@pytest.mark.parametrize(
    ("text", "code", "forced"),
    [
        ("I was charged twice!", "en", "payment_failure"),
        ("Der Support antwortet nicht und die App stürzt dauernd ab", "de", "app_crash"),
        ("Die App STUERZT staendig AB", "de", "app_crash"),
        ("se cierra sola a cada rato", "es", "app_crash"),
        ("l’appli n’arrête pas de planter, ça plante tout le temps", "fr", "app_crash"),
        ("It won't stop crashing", "en", "app_crash"),
        ("can't watch a clip without it crashing", "en", "app_crash"),
        ("La app no para de crashear", "es", "app_crash"),
        ("O app não para de fechar", "pt", "app_crash"),
        ("nao consigo entrar na minha conta", "pt", "login_account"),
        ("It keeps loading, sooooo slow", "en", "performance"),
        ("It can’t be, my card isn’t accepted", "en", "payment_failure"),
        ("It never crashes, I love it", "en", ""),
        ("Never crashed once", "und", ""),
        ("A crash course in cooking", "en", ""),
        ("The freezer is great", "en", ""),
        ("👍", "und", ""),
    ],
)
def test_obvious_texts_are_forced_and_no_others(text: str, code: str, forced: str) -> None:
    assert SHIPPED.apply(text, code).forced == forced


def test_the_first_rule_names_the_type_and_later_ones_further_complaints(tmp_path: Path) -> None:
    both = "It is slow, and then: crash"
    assert rules(tmp_path, CRASHES, SLOW).apply(both, "en") == RuleVerdict("app_crash", "crashes", (), ("performance",))
    assert rules(tmp_path, SLOW, CRASHES).apply(both, "en") == RuleVerdict("performance", "slow", (), ("app_crash",))


def test_a_vetoed_type_is_not_forced_wherever_the_veto_stands(tmp_path: Path) -> None:
    vetoed = (("app_crash", "market"), ("performance", "market"))
    assert rules(tmp_path, CRASHES, MARKET).apply("market crash", "en") == RuleVerdict("", "", vetoed, ())


def test_a_rule_is_for_its_languages_and_for_texts_of_unknown_language(tmp_path: Path) -> None:
    one = rules(tmp_path, CRASHES)
    assert one.apply("crash", "en").forced == one.apply("crash", "und").forced == "app_crash"
    assert one.apply("crash", "de") == SILENT


def test_where_the_language_is_unknown_an_exception_in_one_holds_for_the_others(tmp_path: Path) -> None:
    two = rules(tmp_path, CRASHES, ABSTURZ)
    assert two.apply("never crashes", "de").forced == "app_crash"
    assert two.apply("never crashes", "und") == SILENT


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Stürzt  AB", "sturzt ab"),
        ("It’s `odd´", "it's 'odd'"),
        ("Straße", "strasse"),
        ("sooooo slow", "so slow"),
        ("10000 of 4.99", "10000 of 4,99"),
        ("não\x00é", "nao e"),
    ],
)
def test_patterns_see_folded_text(text: str, seen: str) -> None:
    assert fold(text) == seen


def test_a_megabyte_is_cut_before_a_pattern_sees_it() -> None:
    assert len(fold("ß" * 1_000_000)) <= 2 * MAX_CHARACTERS


@given(st.text() | st.text(alphabet="acehinrstuz '’.,ß\u0301İ\ud800"), st.sampled_from([*LANGUAGES, "und", "xx"]))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_any_text_gets_a_verdict_and_always_the_same(text: str, code: str) -> None:
    verdict = SHIPPED.apply(text, code)
    assert verdict == SHIPPED.apply(text, code)
    assert verdict.forced in ("", *ISSUE_TYPES)
    assert bool(verdict.forced) == bool(verdict.forced_by)
    assert verdict.forced not in (*verdict.also, *(dict(verdict.vetoed) or ["praise is no type here"]))
    assert len(set(verdict.also)) == len(verdict.also)


@given(st.sampled_from(["not ", "card ", "no me ", "kann ich nicht ", "a", "ne ", "nao da "]))
@settings(derandomize=True, max_examples=7, deadline=None)
def test_repeating_itself_gains_a_text_no_time(words: str) -> None:
    begun = time.process_time()
    SHIPPED.apply(words * 10_000, "und")
    assert time.process_time() - begun < 2  # it takes a fiftieth; nested repetition would take for ever


@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ("app_crash", "app_krash", "rule 'crashes': 'app_krash' is no issue type; the taxonomy has checkout_failure"),
        ("- crash\n", "- cra(sh\n", r"rule 'crashes': pattern 'cra\(sh' is no regular expression.*mend it"),
        ("- crash\n", "- (a+)+\n", "rule 'crashes': pattern .* may take for ever; bound its gaps"),
        ("- crash\n", "- a.*b\n", "rule 'crashes': pattern .* may take for ever; bound its gaps"),
        ("- crash\n", "- <cant> open\n", "rule 'crashes': pattern .* uses <cant>.*add it"),
        ("  why:", "  reason: x\n  why:", "rule 'crashes': there is no key 'reason'; remove it or mend its name"),
        ("why: it says so", "why:", "rule 'crashes': `why` is empty; say in a line"),
        ("  languages: [en]\n", "", "rule 'crashes': `languages` must name at least one text; add it"),
        ("[en]", "[tlh]", "rule 'crashes': 'tlh' is no language that is told apart; use some of"),
        ("  examples:\n    - It crashes.\n", "", "rule 'crashes': `examples` must name at least one text; add it"),
        ("forces: app_crash", "forces: [app_crash, other]", "rule 'crashes': a rule forces one type; make a rule"),
        ("forces: app_crash", "vetoes: other\n  forces: other", "it must have either `forces` or `vetoes`"),
        ("id: crashes", "id: It Crashes", "rule number 1 needs an `id` in kebab-case"),
    ],
)
def test_a_wrong_rule_is_named_with_its_remedy(tmp_path: Path, was: str, becomes: str, complaint: str) -> None:
    assert was in CRASHES
    with pytest.raises(RulesError, match=r"rules\.yml: .*" + complaint):
        rules(tmp_path, CRASHES.replace(was, becomes))


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"rules\.yml: rule 'crashes' stands there twice; give each an id of its own"):
        rules(tmp_path, CRASHES, CRASHES)


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        ("rules:\n", "`confidence` must be a number between 0 and 1"),
        ("confidence: 1.5\nrules:\n", "`confidence` must be a number between 0 and 1"),
        ("confidence: 0.9\nrules: []\nwords:\n", "not YAML|`rules` must be a list with at least one rule"),
        ("confidence: 0.9\nrule:\n", "there must be `confidence`, `words` and `rules`, and nothing else"),
        ("confidence: [0.9\nrules:\n", "is not YAML"),
        ("confidence: 0.9\nwords: [a]\nrules:\n", "`words` must map names to regular expressions"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, head: str, complaint: str) -> None:
    with pytest.raises(RulesError, match=complaint):
        rules(tmp_path, CRASHES, head=head)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.yml does not exist; restore rules\.yml"):
        load_rules(tmp_path / "nowhere.yml")


def test_words_stand_in_for_pieces_of_patterns_and_for_each_other(tmp_path: Path) -> None:
    head = "confidence: 0.9\nwords:\n  not: never|no\n  bad: <not> good\nrules:\n"
    one = rules(tmp_path, CRASHES.replace("- crash\n", "- it is <bad>\n"), head=head)
    assert one.apply("It is no good", "en").forced == "app_crash"
    assert one.apply("It is good", "en") == SILENT


def test_the_hash_follows_what_can_change_a_verdict_and_nothing_else(tmp_path: Path) -> None:
    same = rules(tmp_path, CRASHES, SLOW).content_hash
    assert rules(tmp_path, CRASHES.replace("it says so", "it is plain"), "\n# later\n", SLOW).content_hash == same
    for changed in (
        (SLOW, CRASHES),
        (CRASHES,),
        (CRASHES.replace("- crash\n", "- crashes\n"), SLOW),
        (CRASHES.replace("never", "nie"), SLOW),
        (CRASHES.replace("[en]", "[de]"), SLOW),
        (CRASHES.replace("app_crash", "other"), SLOW),
    ):
        assert rules(tmp_path, *changed).content_hash != same
    assert rules(tmp_path, CRASHES, SLOW, head="confidence: 0.8\nrules:\n").content_hash != same


def test_the_file_says_nothing_twice() -> None:
    entries = yaml.safe_load(RULES.read_text(encoding="utf-8"))["rules"]
    for entry in entries:
        patterns = entry["patterns"] + entry.get("unless", [])
        assert len(set(patterns)) == len(patterns), entry["id"]
