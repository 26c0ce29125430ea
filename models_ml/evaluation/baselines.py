"""Baseline classifiers behind one interface: keywords, TF-IDF, and the encoder without fine-tuning.

Each is what a team would reasonably write first. They are calibrated by the same code as the classifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models_ml.model.calibration import softmax
from models_ml.model.encoder import embed, load_encoder
from models_ml.model.linear_head import LinearHead, fit_head
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.text.preprocess import clean
from models_ml.training.train import TrainingConfig

KEYWORDS: dict[str, tuple[str, ...]] = {
    "checkout_failure": ("checkout", "check out", "cart", "basket", "promo code", "coupon", "place order", "booking"),
    "payment_failure": ("payment", "card declined", "declined", "charged twice", "transfer", "top up", "paypal"),
    "login_account": ("login", "log in", "sign in", "sign up", "password", "verification", "locked out"),
    "app_crash": ("crash", "force close", "closes itself", "won't open", "wont open", "won't start"),
    "performance": ("slow", "lag", "freez", "frozen", "hang", "battery", "loading", "memory"),
    "search_discovery": ("search", "can't find", "cant find", "results", "filter", "recommend"),
    "feature_bug": ("bug", "not working", "doesn't work", "doesnt work", "broken feature", "notification", "sync"),
    "ui_usability": ("design", "layout", "interface", "confusing", "hard to use", "redesign", "font", "button"),
    "inventory_availability": ("out of stock", "in stock", "sold out", "unavailable", "not available", "my country"),
    "shipping_delivery": ("delivery", "delivered", "shipping", "shipped", "parcel", "courier", "late", "tracking"),
    "product_defect": ("broke", "defective", "faulty", "poor quality", "wrong item", "stopped working", "wrong size"),
    "packaging": ("packaging", "package", "box", "wrapped", "wrapping", "crushed", "dented"),
    "pricing_expectation": ("expensive", "overpriced", "price", "ads", "adverts", "misleading", "not worth"),
    "billing_subscription": ("bill", "invoice", "subscription", "fee", "cancel", "renewal", "free trial"),
    "returns_refunds": ("refund", "return", "money back", "exchange", "send it back"),
    "customer_service": ("customer service", "support", "rude", "no answer", "no reply", "on hold", "staff", "agent"),
    "security_privacy": ("fraud", "hacked", "stolen", "privacy", "permission", "scam", "security", "my data"),
    "feature_request": ("please add", "would be nice", "wish", "should have", "feature request", "option to", "add a"),
    "praise": ("love", "great", "excellent", "perfect", "amazing", "best", "thank", "good"),
    "other": (),
}
"""Keyword list, written in one evening from the taxonomy alone; never tuned on texts."""


class Baseline(Protocol):
    """A text classifier of issue types that gives probabilities."""

    def fit(self, texts: Sequence[str], types: Sequence[str]) -> None:
        """Fit on texts and their issue types; replaces an earlier fit."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Shape (texts, types) in the order of ``ISSUE_TYPES``; rows sum to 1, and a type never seen gets 0."""


class Keywords:
    """Predicts the type with the most keywords in the text, ``other`` without any. Nothing is fitted."""

    _NOT_FOUND = 0.1
    """Weight of a type without keywords; every keyword found weighs 1."""
    _FALLBACK = 0.5
    """Weight of ``other`` in a text without any keyword: less than one keyword."""

    def fit(self, texts: Sequence[str], types: Sequence[str]) -> None:
        """No-op."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Smoothed shares of the keywords found; ties go to the first type."""
        found = np.array([self._found(clean(text).casefold()) for text in texts], dtype=np.float64)
        found = found.reshape(len(texts), len(ISSUE_TYPES))
        found[found.sum(axis=1) == 0, ISSUE_TYPES.index("other")] = self._FALLBACK
        found += self._NOT_FOUND
        shares: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
        return shares

    def _found(self, text: str) -> list[int]:
        return [len(set(pattern.findall(text))) if pattern else 0 for pattern in self._patterns]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str] | None]:
        """Patterns that match at the start of a word, so that ``crash`` finds ``crashes``."""
        lists = [KEYWORDS[name] for name in ISSUE_TYPES]
        return [re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})") if words else None for words in lists]


class TfIdf:
    """TF-IDF of word 1- and 2-grams and character 3- to 5-grams, under a logistic regression."""

    def fit(self, texts: Sequence[str], types: Sequence[str]) -> None:
        """Fit vocabulary and weights; at least two types are needed."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        features = make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
        )
        regression = LogisticRegression(C=TrainingConfig().inverse_regularisation, max_iter=2_000)
        self._model: Any = make_pipeline(features, regression)
        self._model.fit([clean(text) for text in texts], list(types))

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities of the regression."""
        result = np.zeros((len(texts), len(ISSUE_TYPES)))
        if texts:
            seen = [ISSUE_TYPES.index(name) for name in self._model.classes_]
            result[:, seen] = self._model.predict_proba([clean(text) for text in texts])
        return result


class FrozenEncoder:
    """The packaged MiniLM without fine-tuning, under the same kind of head as the classifier."""

    def fit(self, texts: Sequence[str], types: Sequence[str]) -> None:
        """Fit the head; at least two types are needed."""
        self._seen = [index for index, name in enumerate(ISSUE_TYPES) if name in set(types)]
        classes = [self._seen.index(ISSUE_TYPES.index(name)) for name in types]
        self._head: LinearHead = fit_head(self._embed(texts), classes, TrainingConfig().inverse_regularisation)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities of the head."""
        result = np.zeros((len(texts), len(ISSUE_TYPES)))
        if texts:
            result[:, self._seen] = softmax(self._head.logits(self._embed(texts)))
        return result

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return embed(self._encoder, [clean(text) for text in texts])

    @cached_property
    def _encoder(self) -> Any:
        return load_encoder(None, TrainingConfig().max_tokens)


BASELINES: dict[str, Callable[[], Baseline]] = {
    "keywords": Keywords,
    "TF-IDF + logistic regression": TfIdf,
    "frozen MiniLM + logistic regression": FrozenEncoder,
}
"""Baselines by their names in reports."""
