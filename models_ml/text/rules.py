"""Reviewed rules (``rules.yml``): regular expressions that force or veto an issue type before the classifier.

A rule forces one issue type or vetoes some. It has patterns, the languages that they apply to, exceptions (``unless``),
and examples and counterexamples that are tested. File order is rank: the first forcing rule that matches names the
type, later ones name further complaints. A vetoed type is never forced.

Patterns match folded text: cleaned, lower case, without accents, ``'`` for every apostrophe, 'sooo' as 'so', '4.99' as
'4,99'. A pattern starts at the start of a word and may end inside one; ``<name>`` expands to an entry of ``words``.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models_ml.errors import ModelError
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.text.language import LANGUAGES, UNDETERMINED
from models_ml.text.preprocess import MAX_CHARACTERS, clean

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, where PyYAML was built with it

RULES = Path(__file__).parent / "rules.yml"

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ´`′＇", "'"))
_LENGTHENED = re.compile(r"([^\W\d_])\1{2,}")
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")  # no end of a sentence
_WORD = re.compile(r"<([a-z_]+)>")
# Patterns that could backtrack beyond linear time: a repeated group, an unbounded gap.
_UNBOUNDED = re.compile(r"\)(?:[*+]|\{\d*,\})|(?<!\\)\.(?:[*+]|\{\d*,\})")
_KEYS = {"id", "forces", "vetoes", "why", "languages", "patterns", "unless", "examples", "counterexamples"}
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class RulesError(ModelError, ValueError):
    """The rules file is wrong; the message names the file, the rule, and what to do."""


@dataclass(frozen=True)
class RuleVerdict:
    """Result of the rules for one text.

    ``forced`` is the forced type, or ''; ``vetoed`` are pairs of issue type and rule id, one per type; ``also`` are the
    types that rules of lower rank would have forced, in rank order: further complaints.
    """

    forced: str
    forced_by: str
    vetoed: tuple[tuple[str, str], ...]
    also: tuple[str, ...]


@dataclass(frozen=True)
class TextRule:
    """One compiled rule; ``types`` holds one type if it forces, one or more if it vetoes."""

    rule_id: str
    forces: bool
    types: tuple[str, ...]
    languages: frozenset[str]
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    examples: tuple[str, ...]
    counterexamples: tuple[str, ...]

    def applies(self, language_code: str) -> bool:
        """True if the rule covers this language; an undetermined language is covered by every rule."""
        return language_code == UNDETERMINED or language_code in self.languages

    def matches(self, folded: str) -> bool:
        """True if a folded text matches the patterns and no exception."""
        return self.pattern.search(folded) is not None and not self.excepts(folded)

    def excepts(self, folded: str) -> bool:
        """True if a folded text matches an exception."""
        return self.unless is not None and self.unless.search(folded) is not None


@dataclass(frozen=True)
class Rules:
    """All rules in order of rank.

    ``confidence`` (0-1) is the measured precision of forcing rules; ``content_hash`` (sha256, hex) covers exactly what
    can change a result.
    """

    rules: tuple[TextRule, ...]
    confidence: float
    content_hash: str

    def apply(self, text: str, language_code: str) -> RuleVerdict:
        """Apply all rules to a text in a language (ISO 639-1, or 'und'); any string is valid."""
        folded = fold(text)
        found = [rule for rule in self.rules if rule.applies(language_code) and rule.pattern.search(folded)]
        excepted = [rule for rule in found if rule.excepts(folded)]
        vetoed: dict[str, str] = {}
        forced: dict[str, str] = {}
        silenced: set[str] = set()
        if language_code == UNDETERMINED:
            # Undetermined language: an exception in any language ('never crashes') silences the type in all.
            silenced = {rule.types[0] for rule in excepted if rule.forces}
        for rule in found:
            if rule in excepted:
                continue
            for name in rule.types:
                if not rule.forces:
                    vetoed.setdefault(name, rule.rule_id)
                elif name not in silenced:
                    forced.setdefault(name, rule.rule_id)
        forced = {name: rule_id for name, rule_id in forced.items() if name not in vetoed}
        first, *rest = [*forced] or [""]
        also = tuple(name for name in rest if name != "praise")
        return RuleVerdict(first, forced.get(first, ""), tuple(vetoed.items()), also)


def fold(text: str) -> str:
    """Fold a text for matching: truncated, one line, lower case, without accents and lengthened letters."""
    plain = clean(text[: 4 * MAX_CHARACTERS].translate(_APOSTROPHES)).casefold()
    bare = "".join(one for one in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(one))
    return _LENGTHENED.sub(r"\1", _DECIMAL_POINT.sub(",", bare))


def load_rules(path: Path = RULES) -> Rules:
    """Load and validate a rules file.

    Raises:
        RulesError: the file is missing or not YAML, or a rule is wrong.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except FileNotFoundError:
        raise RulesError(f"{path} does not exist; restore rules.yml from the repository") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RulesError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or set(document) - {"confidence", "words", "rules"}:
        raise RulesError(f"{path}: there must be `confidence`, `words` and `rules`, and nothing else")
    confidence, entries = document.get("confidence"), document.get("rules")
    if not isinstance(confidence, float) or not 0 < confidence < 1:
        raise RulesError(f"{path}: `confidence` must be a number between 0 and 1, as it was measured")
    if not isinstance(entries, list) or not entries:
        raise RulesError(f"{path}: `rules` must be a list with at least one rule")
    words = _words(path, document.get("words") or {})
    rules: list[TextRule] = []
    for number, entry in enumerate(entries, start=1):
        rule = _rule(path, number, entry, words)
        if any(rule.rule_id == other.rule_id for other in rules):
            raise RulesError(f"{path}: rule {rule.rule_id!r} stands there twice; give each an id of its own")
        rules.append(rule)
    return Rules(tuple(rules), confidence, _hash(confidence, rules))


def _hash(confidence: float, rules: list[TextRule]) -> str:
    judged = [
        (
            rule.rule_id,
            rule.forces,
            rule.types,
            sorted(rule.languages),
            rule.pattern.pattern,
            rule.unless.pattern if rule.unless else "",
        )
        for rule in rules
    ]
    return hashlib.sha256(json.dumps([confidence, judged]).encode()).hexdigest()


def _words(path: Path, raw: Any) -> dict[str, str]:
    """Named pattern pieces; each may use those above it."""
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise RulesError(f"{path}: `words` must map names to regular expressions")
    words: dict[str, str] = {}
    for name, value in raw.items():
        words[str(name)] = f"(?:{_expanded(value, words, f'{path}: words.{name}')})"
    return words


def _rule(path: Path, number: int, entry: Any, words: dict[str, str]) -> TextRule:
    if not isinstance(entry, dict) or not _ID.fullmatch(str(entry.get("id", ""))):
        raise RulesError(f"{path}: rule number {number} needs an `id` in kebab-case, such as 'charged-twice'")
    where = f"{path}: rule {entry['id']!r}"
    if unknown := sorted(set(map(str, entry)) - _KEYS):
        raise RulesError(
            f"{where}: there is no key {unknown[0]!r}; remove it or mend its name ({', '.join(sorted(_KEYS))})"
        )
    if ("forces" in entry) == ("vetoes" in entry):
        raise RulesError(f"{where}: it must have either `forces` or `vetoes`")
    forces = "forces" in entry
    types = _texts(where, "forces" if forces else "vetoes", entry)
    for name in types:
        if name not in ISSUE_TYPES:
            raise RulesError(f"{where}: {name!r} is no issue type; the taxonomy has {', '.join(ISSUE_TYPES)}")
    if forces and len(types) != 1:
        raise RulesError(f"{where}: a rule forces one type; make a rule of its own for each")
    languages = _texts(where, "languages", entry)
    for code in languages:
        if code not in LANGUAGES:
            raise RulesError(f"{where}: {code!r} is no language that is told apart; use some of {', '.join(LANGUAGES)}")
    if not str(entry.get("why") or "").strip():
        raise RulesError(f"{where}: `why` is empty; say in a line why this is beyond doubt")
    unless = _texts(where, "unless", entry) if "unless" in entry else ()
    return TextRule(
        rule_id=entry["id"],
        forces=forces,
        types=types,
        languages=frozenset(languages),
        pattern=_compiled(where, _texts(where, "patterns", entry), words),
        unless=_compiled(where, unless, words) if unless else None,
        examples=_texts(where, "examples", entry),
        counterexamples=_texts(where, "counterexamples", entry) if "counterexamples" in entry else (),
    )


def _texts(where: str, key: str, entry: dict[str, Any]) -> tuple[str, ...]:
    value = entry.get(key)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(one, str) and one for one in values):
        raise RulesError(f"{where}: `{key}` must name at least one text; add it (YAML reads a bare no or 5 as no text)")
    return tuple(values)


def _compiled(where: str, patterns: tuple[str, ...], words: dict[str, str]) -> re.Pattern[str]:
    """One regular expression for all patterns, anchored at the start of a word."""
    alternatives = [_expanded(pattern, words, where) for pattern in patterns]
    return re.compile(r"(?<!\w)(?:" + "|".join(alternatives) + ")", re.IGNORECASE)


def _expanded(pattern: str, words: dict[str, str], where: str) -> str:
    """Expand ``<name>`` and remove accents; refuses invalid patterns and patterns that could take super-linear time."""
    for name in _WORD.findall(pattern):
        if name not in words:
            raise RulesError(f"{where}: pattern {pattern!r} uses <{name}>, which stands not (above) in `words`; add it")
    whole = _WORD.sub(lambda found: words[found[1]], pattern)
    bare = "".join(one for one in unicodedata.normalize("NFKD", whole) if not unicodedata.combining(one))
    if _UNBOUNDED.search(bare):
        raise RulesError(f"{where}: pattern {pattern!r} may take for ever; bound its gaps, as in .{{0,40}}")
    try:
        re.compile(bare)
    except re.error as error:
        raise RulesError(f"{where}: pattern {pattern!r} is no regular expression: {error}; mend it") from None
    return bare
