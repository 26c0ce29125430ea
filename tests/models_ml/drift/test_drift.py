"""Drift statistics: false alarms, power, and the effect on accuracy."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models_ml.drift import (
    LEVEL,
    MIN_ROWS,
    TESTS,
    Corpus,
    Judged,
    Kind,
    Predictions,
    changes,
    compare,
    estimate_accuracy,
    explain,
    statistics,
    subsample,
)
from models_ml.drift.compare import holm
from models_ml.drift.performance import expected_change

TOPICS = {
    "app_crash": "app crash crashes closes freeze start opening screen phone android update again".split(),
    "praise": "love great best nice good happy recommend perfect thanks super easy works".split(),
    "shipping_delivery": "parcel late courier delivery waiting lost tracking days week arrived address box".split(),
}
KNOWN = frozenset(word for words in TOPICS.values() for word in words)
EXACT = settings(derandomize=True, deadline=None, max_examples=60)


def corpus_of(count: int, seed: int, shares: tuple[float, float, float] = (0.3, 0.4, 0.3)) -> Corpus:
    """Synthetic feedback: a topic for each text, eight of its words, a vector near the topic's, a confidence."""
    random, rng = Random(seed), np.random.default_rng(seed)
    types = random.choices(list(TOPICS), weights=shares, k=count)
    texts = [" ".join(random.choices(TOPICS[name], k=random.randint(4, 12))) for name in types]
    centres = np.random.default_rng(0).normal(size=(3, 48))
    vectors = centres[[list(TOPICS).index(name) for name in types]] + rng.normal(size=(count, 48))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    confidences = rng.beta(6, 2, size=count)
    predictions = Predictions(np.array(types), confidences, confidences < 0.4)
    languages = random.choices(["en", "de"], weights=[9, 1], k=count)
    return Corpus.measure(texts, predictions, unit, languages=languages, known_words=KNOWN)


def halves(corpus: Corpus) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows = np.arange(len(corpus.texts))
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def changed(corpus: Corpus, kind: Kind) -> Corpus:
    """The second half with one property, and that one alone, shifted plainly."""
    after = np.arange(len(corpus.texts)) >= len(corpus.texts) // 2
    predictions = corpus.predictions
    some = after & (np.random.default_rng(5).random(len(after)) < 0.5)
    match kind:
        case "length":
            return replace(corpus, length=corpus.length + 0.8 * after)
        case "non_letters":
            return replace(corpus, non_letters=corpus.non_letters + 0.2 * some)
        case "unknown_words":
            return replace(corpus, unknown_words=corpus.unknown_words + 0.2 * some)
        case "language":
            return replace(corpus, languages=np.where(some, "fr", corpus.languages))
        case "vocabulary":
            words = corpus.words.tolil()
            words[np.flatnonzero(some), 0] = 1.0
            words[np.flatnonzero(some), 1] = 1.0
            return replace(corpus, words=words.tocsr())
        case "single_word":
            words = corpus.words.tolil()
            words[np.flatnonzero(some)[::2], 0] = 1.0
            return replace(corpus, words=words.tocsr())
        case "embedding":
            moved = corpus.embeddings + 0.1 * after[:, np.newaxis]
            return replace(corpus, embeddings=moved.astype(np.float32))
        case "issue_type":
            return replace(corpus, predictions=replace(predictions, types=np.where(some, "other", predictions.types)))
        case "confidence":
            return replace(corpus, predictions=replace(predictions, confidences=predictions.confidences - 0.15 * after))
        case "abstention":
            return replace(corpus, predictions=replace(predictions, abstained=predictions.abstained | some))


# --- the verdict


@pytest.mark.parametrize("size", [60, 300])
def test_windows_of_one_source_rarely_raise_an_alarm(size: int) -> None:
    pool = corpus_of(3_000, seed=1)
    rng = np.random.default_rng(2)
    alarms = sum(
        compare(pool, rng.integers(3_000, size=size), rng.integers(3_000, size=size), seed=draw).verdict == "drift"
        for draw in range(60)
    )
    assert alarms <= 6  # were the true rate 5 %, more would come up in 3 % of all seeds


@pytest.mark.parametrize("kind", list(TESTS))
def test_a_shift_of_one_property_is_found_by_its_own_test_and_no_other(kind: Kind) -> None:
    corpus = changed(corpus_of(1_200, seed=3), kind)
    result = compare(corpus, *halves(corpus))
    assert result.verdict == "drift"
    # A vocabulary is made of single words.
    drifted = {finding.kind for finding in result.findings if finding.drifted}
    assert drifted == ({kind, "single_word"} if kind == "vocabulary" else {kind})


def test_a_trifle_is_no_drift_however_sure_it_is() -> None:
    corpus = corpus_of(10_000, seed=4)
    after = np.arange(10_000) >= 5_000
    corpus = replace(corpus, length=corpus.length + 0.1 * corpus.length.std() * after)
    result = compare(corpus, *halves(corpus))
    length = next(finding for finding in result.findings if finding.kind == "length")
    assert length.p_adjusted <= LEVEL
    assert 0 < length.effect < length.minimum
    assert result.verdict == "no_drift"


def test_a_large_effect_that_chance_explains_is_no_drift() -> None:
    noise = np.random.default_rng(6).standard_cauchy(2 * MIN_ROWS)
    corpus = replace(corpus_of(2 * MIN_ROWS, seed=6), length=noise)
    result = compare(corpus, *halves(corpus))
    length = next(finding for finding in result.findings if finding.kind == "length")
    assert length.observed > length.minimum
    assert result.verdict == "no_drift"


@pytest.mark.parametrize("sizes", [(0, 0), (0, 500), (MIN_ROWS - 1, 500), (500, MIN_ROWS - 1)])
def test_too_few_rows_have_a_verdict_of_their_own(sizes: tuple[int, int]) -> None:
    corpus = corpus_of(1_000, seed=7)
    result = compare(corpus, np.arange(sizes[0]), 500 + np.arange(sizes[1]))
    assert (result.verdict, result.findings) == ("insufficient_data", ())


def test_the_same_input_gives_the_same_result() -> None:
    corpus = corpus_of(400, seed=8)
    assert compare(corpus, *halves(corpus), seed=3) == compare(corpus, *halves(corpus), seed=3)


def test_windows_larger_than_the_limits_are_sampled_and_the_sample_is_stable() -> None:
    rows = np.arange(7, 9_000)
    chosen = subsample(rows, 100, seed=1)
    assert len(set(chosen)) == 100
    assert set(chosen) <= set(rows)
    assert (chosen == subsample(rows, 100, seed=1)).all()
    assert (subsample(rows[:50], 100, seed=1) == rows[:50]).all()


def test_texts_that_nobody_embedded_are_no_embedding_drift() -> None:
    corpus = corpus_of(400, seed=9)
    corpus = replace(corpus, embedded=np.arange(400) < 200, embeddings=corpus.embeddings)
    result = compare(corpus, *halves(corpus))
    embedding = next(finding for finding in result.findings if finding.kind == "embedding")
    assert (embedding.effect, embedding.p_value, embedding.drifted) == (0.0, 1.0, False)


def test_holm_steps_down() -> None:
    p_values: dict[Kind, float] = {"length": 0.01, "language": 0.04, "embedding": 0.03}
    assert holm(p_values) == pytest.approx({"length": 0.03, "embedding": 0.06, "language": 0.06})


# --- the distances


numbers = st.lists(st.floats(-100, 100).map(lambda value: round(value, 1)), min_size=2, max_size=40)


def grouped(reference: int, current: int) -> statistics.Groups:
    return statistics.permuted_groups(reference, current, 5, 0)


@EXACT
@given(numbers, numbers)
def test_the_wasserstein_distance_is_the_textbook_one(reference: list[float], current: list[float]) -> None:
    from scipy.stats import wasserstein_distance

    ours = statistics.wasserstein(np.array(reference + current), grouped(len(reference), len(current)))
    assert ours[0] == pytest.approx(wasserstein_distance(reference, current), abs=1e-3)


counts = st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any)


@EXACT
@given(counts, counts)
def test_the_jensen_shannon_divergence_is_the_textbook_one(reference: list[int], current: list[int]) -> None:
    from scipy.spatial.distance import jensenshannon

    rows = np.repeat(np.eye(4, dtype=np.float32), reference, axis=0), np.repeat(np.eye(4), current, axis=0)
    ours = statistics.jensen_shannon(*statistics.uses(np.vstack(rows), grouped(sum(reference), sum(current))))
    expected = 0.0 if reference == current else jensenshannon(reference, current, base=2) ** 2
    assert ours[0] == pytest.approx(expected, abs=1e-5)


def test_every_permutation_keeps_the_sizes_of_the_groups() -> None:
    groups = statistics.permuted_groups(30, 70, 200, seed=1)
    assert groups.shape == (100, 201)
    assert (groups.sum(axis=0) == 70).all()
    assert (groups[:30, 0] == 0).all()
    assert len({tuple(column) for column in groups.T}) == 201


def test_equal_texts_do_not_tell_the_windows_apart() -> None:
    vectors = np.ones((400, 16), dtype=np.float32)
    areas = [statistics.separability(vectors, grouped(200, 200), seed)[0] for seed in range(30)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)


def test_windows_that_lie_apart_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(400, 16)).astype(np.float32)
    vectors[200:, 3] += 10
    area = statistics.separability(vectors, grouped(200, 200), 0)
    assert area[0] > 0.99
    assert abs(area[1:].mean() - 0.5) < 0.1


# --- the properties


def test_a_text_is_measured_as_people_would() -> None:
    predictions = Predictions(np.array(["other"] * 3), np.full(3, 0.5), np.zeros(3, dtype=np.bool_))
    texts = ["App CRASHES, app crashes!", "🙃 12", "wibble crash"]
    corpus = Corpus.measure(
        texts, predictions, np.zeros((3, 2), dtype=np.float32), known_words={"app", "crashes", "crash"}
    )
    assert corpus.vocabulary == ("app", "crash", "crashes", "wibble")
    assert corpus.words.toarray().tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]]
    assert corpus.unknown_words.tolist() == [0.0, 0.0, 0.5]
    assert corpus.non_letters.tolist() == pytest.approx([2 / 22, 1.0, 0.0])
    assert np.expm1(corpus.length).round().tolist() == [25, 4, 12]


@EXACT
@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_any_text_can_be_measured(texts: list[str]) -> None:
    predictions = Predictions(
        np.array(["other"] * len(texts)), np.full(len(texts), 0.5), np.zeros(len(texts), dtype=np.bool_)
    )
    corpus = Corpus.measure(texts, predictions, np.zeros((len(texts), 2), dtype=np.float32), known_words=KNOWN)
    for values in (corpus.non_letters, corpus.unknown_words):
        assert ((values >= 0) & (values <= 1)).all()


# --- the accuracy


def answers(count: int, seed: int, overconfidence: float = 0.0) -> tuple[Corpus, Judged]:
    """Answers that are right as often as their confidence says, less the overconfidence."""
    corpus = corpus_of(count, seed)
    confidences = corpus.predictions.confidences
    corpus = replace(corpus, predictions=replace(corpus.predictions, abstained=np.zeros(count, dtype=np.bool_)))
    right = np.random.default_rng(seed + 1).random(count) < confidences - overconfidence
    return corpus, Judged(confidences, right)


@pytest.mark.parametrize("overconfidence", [0.0, 0.1, 0.2])
def test_the_interval_holds_the_true_accuracy(overconfidence: float) -> None:
    held = 0
    for seed in range(40):
        _, judged = answers(300, 2 * seed, overconfidence)
        corpus, truth = answers(500, 1_000 + 2 * seed, overconfidence)
        estimate = estimate_accuracy(corpus, np.arange(500), judged)
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= truth.right.mean() <= estimate.high
    assert held >= 35  # of 40, at 95 % each


def test_fewer_answers_are_known_less_well() -> None:
    _, judged = answers(300, 1)
    corpus, _ = answers(5_000, 2)
    few, many = (estimate_accuracy(corpus, np.arange(size), judged) for size in (50, 5_000))
    assert few.low is not None and few.high is not None and many.low is not None and many.high is not None
    assert few.high - few.low > many.high - many.low
    assert (few.answered, few.coverage) == (50, 1.0)


def test_the_estimate_is_the_mean_confidence_of_what_was_answered() -> None:
    corpus = corpus_of(300, seed=4)
    estimate = estimate_accuracy(corpus, np.arange(300), answers(300, 1)[1])
    answered = corpus.predictions.confidences[~corpus.predictions.abstained]
    assert estimate.accuracy == pytest.approx(answered.mean())
    assert estimate.answered == len(answered) < 300


def test_without_answers_there_is_no_estimate() -> None:
    corpus = corpus_of(100, seed=1)
    silent = replace(corpus, predictions=replace(corpus.predictions, abstained=np.ones(100, dtype=np.bool_)))
    nothing = estimate_accuracy(silent, np.arange(100), answers(100, 1)[1])
    assert (nothing.answered, nothing.coverage, nothing.accuracy, nothing.low) == (0, 0.0, None, None)


# --- what moved it


@EXACT
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_the_parts_of_a_change_add_up_to_the_whole(seed: int, names: int) -> None:
    corpus = corpus_of(600, seed % 7)
    rng = np.random.default_rng(seed)
    groups = [f"group {index}" for index in rng.integers(names, size=600)]
    before, after = halves(corpus)
    found = changes(corpus, before, after, groups)
    assert sum(change.effect for change in found) == pytest.approx(expected_change(corpus, before, after))
    assert sum(change.share_after for change in found) == pytest.approx(1)


def test_the_group_that_lost_its_confidence_comes_first_and_is_put_into_words() -> None:
    corpus = corpus_of(1_000, seed=5)
    before, after = halves(corpus)
    crashes = (corpus.predictions.types == "app_crash") & (np.arange(1_000) >= 500)
    confidences = np.where(crashes, 0.5, corpus.predictions.confidences)
    corpus = replace(corpus, predictions=replace(corpus.predictions, confidences=confidences))
    first = changes(corpus, before, after, corpus.predictions.types.tolist())[0]
    assert first.group == "app_crash"
    assert first.effect < first.high < 0
    sentence = explain.change_sentence(first)
    assert "app_crash" in sentence
    assert "to 0.50" in sentence
    assert "−" in sentence


def test_a_group_that_is_new_has_no_confidence_before() -> None:
    corpus = corpus_of(400, seed=6)
    before, after = halves(corpus)
    groups = np.where((np.arange(400) >= 200) & (np.arange(400) % 2 == 0), "new", "old").tolist()
    new = next(change for change in changes(corpus, before, after, groups) if change.group == "new")
    assert (new.share_before, new.confidence_before) == (0.0, None)
    assert "with a mean confidence of" in explain.change_sentence(new)


def test_more_of_what_the_model_is_unsure_about_costs_accuracy() -> None:
    corpus = corpus_of(2_000, seed=7)
    unsure = corpus.predictions.types == "shipping_delivery"
    confidences = np.where(unsure, 0.45, 0.9)
    corpus = replace(
        corpus, predictions=replace(corpus.predictions, confidences=confidences, abstained=confidences < 0)
    )
    rows = np.arange(2_000)
    before, after = rows[~unsure], rows
    effect = explain.accuracy_effect(corpus, "issue_type", before, after, [""] * 2_000)
    assert effect == pytest.approx(-0.45 * unsure.mean())
    assert explain.accuracy_effect(corpus, "abstention", before, after, [""] * 2_000) is None


@pytest.mark.parametrize("kind", list(TESTS))
def test_every_finding_has_one_plain_sentence(kind: Kind) -> None:
    corpus = changed(corpus_of(400, seed=8), kind)
    before, after = halves(corpus)
    finding = next(one for one in compare(corpus, before, after).findings if one.kind == kind)
    effect = explain.accuracy_effect(corpus, kind, before, after, explain.topics(corpus, np.arange(400)))
    sentence = explain.finding_sentence(corpus, finding, before, after, effect)
    assert sentence.endswith(".")
    assert "nan" not in sentence
    assert ("points" in sentence) == (kind != "abstention")


def test_topics_are_named_by_their_own_words() -> None:
    corpus = corpus_of(600, seed=9)
    named = explain.topics(corpus, np.arange(600))
    for topic, issue_type in zip(named, corpus.predictions.types, strict=True):
        words = set(topic.split(" · "))
        assert len(words & set(TOPICS[issue_type])) >= 2


def test_the_words_that_moved_are_named_with_their_shares() -> None:
    corpus = changed(corpus_of(400, seed=10), "vocabulary")
    first, second = explain.moved_words(corpus, *halves(corpus))[:2]
    assert {first.word, second.word} == set(corpus.vocabulary[:2])
    assert first.share_after > 0.4
