from __future__ import annotations

from random import Random

import pytest

from dagster_project.simulation.products.phrases_abroad import ABROAD
from dagster_project.simulation.products.texts import FORMS, TYPE_OF_TOPIC, Pool, pool_size, text_of
from dagster_project.simulation.shop.grammar import expand
from models_ml.taxonomy import ISSUE_TYPES


def test_every_issue_type_has_words() -> None:
    assert set(TYPE_OF_TOPIC.values()) == set(ISSUE_TYPES)
    assert set(TYPE_OF_TOPIC) == set(FORMS)
    assert set(ABROAD) <= set(FORMS)


@pytest.mark.parametrize("kind", sorted(set(TYPE_OF_TOPIC.values())))
def test_a_type_is_spoken_of_in_many_forms(kind: str) -> None:
    grammars = [line for topic, of in TYPE_OF_TOPIC.items() if of == kind for line in FORMS[topic]]
    said = {expand(line, Random(number)) for line in grammars for number in range(30)}
    assert len(said) >= 25


@pytest.mark.parametrize("topic", TYPE_OF_TOPIC)
def test_texts_of_a_pool_differ(topic: str) -> None:
    texts = {text_of(topic, "short", number) for number in range(pool_size(topic, "short"))}
    assert len(texts) > 0.45 * pool_size(topic, "short")


@pytest.mark.parametrize("language_and_line", [pair for lines in ABROAD.values() for pair in lines])
def test_sentences_from_abroad_expand(language_and_line: tuple[str, str]) -> None:
    assert len(language_and_line[0]) == 2
    assert expand(language_and_line[1], Random(1)).strip()


def test_a_pool_gives_each_text_once_before_any_again() -> None:
    pool = Pool("a")
    drawn = [pool.draw("wish", "post") for _ in range(pool_size("wish", "post"))]
    assert sorted(drawn) == sorted(text_of("wish", "post", number) for number in range(pool_size("wish", "post")))
    assert pool.draw("wish", "post") == drawn[0]
    assert Pool("b").draw("wish", "post") != drawn[0] or Pool("c").draw("wish", "post") != drawn[0]


def test_complaints_seldom_name_a_version() -> None:
    assert not [line for lines in FORMS.values() for line in lines if "version 4" in line]
