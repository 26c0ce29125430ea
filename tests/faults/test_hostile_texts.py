"""Texts made to take long: each step of labelling is bounded by the length of the text, not by what it repeats."""

from __future__ import annotations

import time

import pytest

from models_ml.text import duplicates, entities, spam
from models_ml.text.channels import prepare
from models_ml.text.masking import mask
from models_ml.text.preprocess import MAX_CHARACTERS
from models_ml.text.rules import load_rules

PARTS = [
    "a ",
    "1",
    "1 ",
    "@",
    ".",
    "(",
    "-",
    "_",
    "http://",
    "+1 ",
    "4111 ",
    "\u200b",
    "]",
    ":",
    "\r\n",
    "\n> ",
    "On ",
    "A. ",
]
SECONDS = 2.0
"""For one text of a megabyte; the slowest takes a tenth of it on an idle machine."""


@pytest.mark.parametrize("second", ["", "\n", "a"])
def test_no_repetition_takes_long(second: str) -> None:
    rules = load_rules()
    for first in PARTS:
        text = (first + second) * (1_000_000 // len(first + second))
        started = time.perf_counter()
        words = prepare("a title", text, "support_ticket" if second else "chat")
        assert len(words) <= MAX_CHARACTERS
        mask(words)
        rules.apply(words, "en")
        spam.detect(words)
        entities.extract(words)
        duplicates.signature(words)
        assert time.perf_counter() - started < SECONDS, repr(first + second)
