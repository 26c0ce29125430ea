"""Label of one text: classifier, rules and detectors combined.

Precedence for the issue type:

1. no letter in the text: ``other``;
2. a forcing rule: its type; the classifier's prediction is kept beside it;
3. a language without sufficient measured precision: ``other``, abstained as ``unsupported_language``;
4. a vetoing rule against the predicted type: the runner-up if it reaches its threshold, else ``other``;
5. the classifier, from its type's threshold on; below it ``other``, abstained as ``low_confidence``.

A text on which any step raises is ``other``, abstained as ``failed``; the texts beside it are labelled all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models_ml.model.classifier import ABSTAINED, Classifier, Prediction
from models_ml.model.key_phrases import Phrase
from models_ml.text import duplicates, entities, language, spam
from models_ml.text.masking import mask
from models_ml.text.rules import Rules, RuleVerdict, load_rules

CODE_VERSION = 3
"""Raise it when a change of this module changes labels for the same text, model and rules."""

Reason = Literal["", "no_text", "unsupported_language", "vetoed", "low_confidence", "failed"]
DecidedBy = Literal["rule", "classifier", "nobody"]

SECONDARY_FLOOR = 0.25
"""Least probability of a runner-up that is reported as a second complaint."""
_PROBE = "The app does not work any more."
"""Any plain text: if it cannot be labelled either, the fault is not in a text."""
_NO_COMPLAINT = ("praise", "other")


@dataclass(frozen=True)
class Decision:
    """Final issue type, its confidence, and its origin (rule, classifier, nobody)."""

    issue_type: str
    secondary_type: str
    confidence: float
    abstained: bool
    abstain_reason: Reason
    decided_by: DecidedBy
    rule_id: str


@dataclass(frozen=True)
class TextLabel:
    """Everything derived from the text alone.

    ``words_sentiment`` (-1 to 1) is None if the language cannot be read; ``signature`` is None for short texts.
    """

    decision: Decision
    prediction: Prediction
    verdict: RuleVerdict
    language: str
    language_confidence: float
    words_sentiment: float | None
    spam_reason: str
    entities: dict[str, list[str]]
    signature: bytes | None
    masked_text: str
    key_phrases: tuple[Phrase, ...]


class Labeller:
    """A classifier with a set of rules; ``version`` identifies both and this code."""

    def __init__(self, classifier: Classifier, rules: Rules | None = None) -> None:
        self.classifier = classifier
        self.rules = rules or load_rules()
        self.version = f"{classifier.version}-{self.rules.content_hash[:6]}-{CODE_VERSION}"

    def label(self, texts: Sequence[str]) -> list[TextLabel]:
        """One label per text, in the order given; any string is valid. Prepare texts with ``channels.prepare``.

        A text that raises is found by bisection and labelled as failed. If a plain text raises as well, so does this.
        """
        try:
            return self._label_all(texts)
        except MemoryError:
            raise
        except Exception:
            if len(texts) == 1:
                return [self._failed()]
            half = len(texts) // 2
            return [*self.label(texts[:half]), *self.label(texts[half:])]

    def _failed(self) -> TextLabel:
        """Label of a text that raises; nothing of the text is in it, as it could not be masked."""
        blank, _ = self._label_all(["", _PROBE])
        return replace(blank, decision=_declined("failed", blank.prediction))

    def _label_all(self, texts: Sequence[str]) -> list[TextLabel]:
        languages = language.detect(texts)
        return [
            self._label(text, prediction, spoken)
            for text, prediction, spoken in zip(texts, self.classifier.predict(texts), languages, strict=True)
        ]

    def _label(self, text: str, prediction: Prediction, spoken: language.Language) -> TextLabel:
        verdict = self.rules.apply(text, spoken.code)
        masked = mask(text)
        readable = spoken.code in (*self.classifier.languages, language.UNDETERMINED)
        return TextLabel(
            decision=decide(text, prediction, verdict, readable, self.classifier.thresholds, self.rules.confidence),
            prediction=prediction,
            verdict=verdict,
            language=spoken.code,
            language_confidence=round(spoken.confidence, 4),
            words_sentiment=prediction.sentiment if readable else None,
            spam_reason=spam.detect(text).reason,
            entities=entities.extract(text),
            signature=duplicates.signature(text),
            masked_text=masked,
            key_phrases=tuple(one for one in prediction.key_phrases if one.phrase in masked),
        )


def decide(
    text: str,
    prediction: Prediction,
    verdict: RuleVerdict,
    readable: bool,
    thresholds: dict[str, float],
    rule_confidence: float,
) -> Decision:
    """Apply the precedence in this module's docstring; pure."""
    if not any(character.isalpha() for character in text):
        return _declined("no_text", prediction)
    if verdict.forced:
        agrees = prediction.confidence if prediction.best_type == verdict.forced and readable else 0.0
        second = next(iter(verdict.also), "") or _second(prediction, verdict.forced, readable)
        confidence = max(rule_confidence, agrees)
        return Decision(verdict.forced, second, confidence, False, "", "rule", verdict.forced_by or "")
    if not readable:
        return _declined("unsupported_language", prediction)
    vetoed = dict(verdict.vetoed)
    name, confidence, second = prediction.best_type, prediction.confidence, _second(prediction, "", readable)
    if name in vetoed:
        name, confidence, second = prediction.runner_up_type, prediction.runner_up_confidence, ""
        if name in vetoed or confidence < thresholds[name]:
            return _declined("vetoed", prediction, vetoed[prediction.best_type])
    if confidence < thresholds[name]:
        return _declined("low_confidence", prediction)
    return Decision(name, second, confidence, False, "", "classifier", vetoed.get(prediction.best_type, ""))


def _declined(reason: Reason, prediction: Prediction, rule_id: str = "") -> Decision:
    return Decision(ABSTAINED, "", prediction.confidence, True, reason, "nobody", rule_id)


def _second(prediction: Prediction, primary: str, readable: bool) -> str:
    """Type of a second complaint: the likeliest other type, if likely enough and a complaint."""
    ranked = [
        (prediction.best_type, prediction.confidence),
        (prediction.runner_up_type, prediction.runner_up_confidence),
    ]
    name, confidence = next(one for one in ranked if one[0] != (primary or prediction.best_type))
    return name if readable and confidence >= SECONDARY_FLOOR and name not in _NO_COMPLAINT else ""
