"""Few-shot benchmark on any CSV: reading, sampling, and one small real training."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from click.testing import Result as Invocation
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.evaluation.fewshot import (
    Labelled,
    LabelledFileError,
    Result,
    Score,
    Spread,
    as_table,
    check,
    draw,
    main,
    read_labelled,
)
from models_ml.model.calibration import softmax
from models_ml.model.linear_head import fit_head
from models_ml.training.train import TrainingConfig

SUBJECTS = {
    "card_arrival": ("new bank card", "plastic card", "replacement card", "debit card", "credit card"),
    "top_up_failed": ("top-up", "adding money", "topping up", "loading money", "deposit by phone"),
    "weather": ("rain", "sunshine", "a storm", "snow", "fog"),
}
FRAMES = {
    "card_arrival": "when will my {} arrive in the post?",
    "top_up_failed": "{} did not work, it failed again",
    "weather": "they say {} comes tomorrow, is that so?",
}


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "category")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([header, *rows])
    return path


def rows(places: range) -> list[tuple[str, str]]:
    return [(FRAMES[name].format(SUBJECTS[name][place]), name) for name in SUBJECTS for place in places]


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return write(tmp_path / "train.csv", [*rows(range(3))])


@pytest.fixture
def test(tmp_path: Path) -> Path:
    return write(tmp_path / "test.csv", [*rows(range(3, 5))])


def run(*arguments: str | Path) -> Invocation:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.long
def test_it_trains_judges_and_tells_accuracy_and_macro_f1_with_their_spread(train: Path, test: Path) -> None:
    result = run("--train", train, "--test", test, "--shots", "2", "--seeds", "2", "--epochs", "1", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert (content["categories"], content["test_texts"], content["epochs"]) == (3, 6, 1)
    (found,) = content["results"]
    assert (found["shots"], found["texts"]) == (2, 6)
    assert [score["seed"] for score in found["scores"]] == [0, 1]
    for figure in ("accuracy", "macro_f1"):
        values = [score[figure] for score in found["scores"]]
        assert found[figure]["mean"] == pytest.approx(sum(values) / 2)
        assert found[figure]["least"] == min(values) >= 0.6  # three categories this different are told apart
        assert found[figure]["most"] == max(values)
    assert "training 2 of 2, 2 shots, seed 1: judging on 6 texts" in result.stderr


def test_a_table_has_a_line_for_each_number_of_shots() -> None:
    one, many = Score(0, 0.5, 0.4), Score(1, 0.7, 0.6)
    spread = Spread.of([one.accuracy, many.accuracy])
    columns, row = as_table([Result(5, 1_000, spread, Spread.of([0.4]), (one, many))]).splitlines()
    assert columns.split() == ["shots", "texts", "accuracy", "macro-F1"]
    assert row.split(maxsplit=2) == ["5", "1,000", "0.600 ± 0.141 (0.500 to 0.700)  0.400"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            "text,label\nhello,greeting\n",
            "no column category; the first row must name the columns, and names text, label",
        ),
        ("", "no column text and no column category; the first row must name the columns, and names none"),
        ("text,category\n", "holds no texts"),
        ("text,category\nhello,greeting\n ,greeting\n", "row 3: text is empty"),
        ("text,category\nhello\n", "row 2: category is empty"),
        (
            "text,category\nhello, you,greeting\n",
            "row 2: more fields than columns; a text with a comma in it needs quotes",
        ),
        ('text,category\n"hello,greeting\n', "cannot be read as CSV in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_row(
    content: str, complaint: str, tmp_path: Path, test: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(content, encoding="utf-8")
    result = run("--train", path, "--test", test)
    assert result.exit_code == 1
    assert f"error: {path}" in result.stderr
    assert complaint in result.stderr
    assert result.stdout == ""


def test_a_file_in_another_encoding_is_refused(tmp_path: Path, test: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,category\nschön,praise\n".encode("latin-1"))
    result = run("--train", path, "--test", test)
    assert (result.exit_code, "cannot be read as CSV in UTF-8" in result.stderr) == (1, True)


def test_bad_usage_is_told_before_anything_is_trained(train: Path, test: Path, tmp_path: Path) -> None:
    for arguments, complaint in {
        ("--train", train): "Missing option '--test'",
        ("--train", tmp_path / "nowhere.csv", "--test", test): "nowhere.csv' does not exist",
        ("--train", train, "--test", test, "--shots", "5,few"): "'5,few' is not a list of whole numbers",
        ("--train", train, "--test", test, "--shots", "1"): "at least 2 shots are needed",
        ("--train", train, "--test", test, "--seeds", "0"): "0 is not in the range",
    }.items():
        result = run(*arguments)
        assert (result.exit_code, complaint in result.stderr) == (2, True), result.stderr


def test_too_few_texts_of_a_category_are_told(train: Path, test: Path) -> None:
    with pytest.raises(LabelledFileError, match=r"train.csv: category 'card_arrival' has 3 texts, too few for 5 shots"):
        check(train, test, (2, 5))


def test_a_category_that_cannot_be_learnt_is_told_with_its_row(train: Path, test: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.csv", [("hello", "weather"), ("bye", "farewell")])
    with pytest.raises(LabelledFileError, match=r"more.csv, row 3: category 'farewell' does not stand in .*train.csv"):
        check(train, more, (2,))
    one = write(tmp_path / "one.csv", [("rain", "weather"), ("snow", "weather")])
    with pytest.raises(LabelledFileError, match="every text is of category 'weather'"):
        check(one, test, (2,))


def test_other_columns_byte_order_marks_and_line_breaks_in_texts_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('id,category,text\n1,weather,"rain,\nand more"\n', encoding="utf-8-sig")
    assert read_labelled(path) == [Labelled("rain, and more", "weather")]


@given(st.lists(st.integers(2, 9), min_size=2, max_size=5), st.integers(0, 99), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_so_many_different_texts_of_each_category_are_drawn(counts: list[int], seed: int, data: st.DataObject) -> None:
    known = [Labelled(f"{name}-{number}", str(name)) for name, count in enumerate(counts) for number in range(count)]
    shots = data.draw(st.integers(1, min(counts)))
    drawn = draw(known, shots, seed)
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(known)
    assert set(Counter(row.category for row in drawn).values()) == {shots}
    assert draw(known, shots, seed) == drawn


def test_another_seed_draws_other_texts() -> None:
    known = [Labelled(str(number), "one") for number in range(50)]
    assert draw(known, 5, 0) != draw(known, 5, 1)


def test_the_head_of_two_categories_gives_the_probabilities_of_its_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    config = TrainingConfig()
    vectors = np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)
    classes = [0, 1] * 6
    expected = LogisticRegression(C=config.inverse_regularisation, max_iter=2_000).fit(vectors, classes)
    head = fit_head(vectors, classes, config.inverse_regularisation)
    assert softmax(head.logits(vectors)) == pytest.approx(expected.predict_proba(vectors), abs=1e-6)
