"""Label errors: planted ones are found among the golden set's own texts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from models_ml.evaluation.label_errors import Suspicion, TooFewTextsError, find_label_errors, main
from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import GoldenSet, GoldenText, load_golden

TYPES = ("app_crash", "shipping_delivery", "pricing_expectation", "login_account")
"""Types that even a frozen encoder tells apart."""
PLAIN = ("crash", "shipping", "pricing", "login")


def few(count: int) -> list[GoldenText]:
    """So many plain English training texts of each of these types."""
    texts = [
        text for text in load_golden().split("train") if text.language == "en" and text.text_id.split("-")[0] in PLAIN
    ]
    return [one for name in TYPES for one in [text for text in texts if text.issue_type == name][:count]]


@pytest.fixture(scope="module")
def planted() -> dict[str, str]:
    """The ids of texts whose type is made wrong, and their true type."""
    return {one.text_id: one.issue_type for one in few(15)[::15]}


@pytest.fixture(scope="module")
def wrong(planted: dict[str, str]) -> GoldenSet:
    texts = [
        replace(one, issue_type=TYPES[TYPES.index(one.issue_type) - 1]) if one.text_id in planted else one
        for one in few(15)
    ]
    return GoldenSet(tuple(sorted(texts, key=lambda text: text.text_id)), "planted")


@pytest.fixture(scope="module")
def found(wrong: GoldenSet) -> list[Suspicion]:
    return find_label_errors(wrong)


def test_planted_errors_are_the_first_to_be_suspected(found: list[Suspicion], planted: dict[str, str]) -> None:
    first = found[: len(planted) + 2]
    assert planted.keys() <= {one.text_id for one in first}
    assert {one.text_id: one.suggested for one in first if one.text_id in planted} == planted


def test_a_suspicion_tells_text_given_type_and_how_strange_it_is(found: list[Suspicion], wrong: GoldenSet) -> None:
    by_id = {one.text_id: one for one in wrong.texts}
    for one in found:
        assert (one.text, one.given) == (by_id[one.text_id].text, by_id[one.text_id].issue_type)
        assert one.suggested != one.given
        assert 0 <= one.score <= 1
    assert [one.score for one in found] == sorted(one.score for one in found)


def test_the_same_texts_raise_the_same_suspicions(found: list[Suspicion], wrong: GoldenSet) -> None:
    said: list[str] = []
    assert find_label_errors(wrong, progress=said.append) == found
    assert said[0] == "fold 1 of 5: 12 texts are judged by what 48 others teach"


def test_a_type_with_fewer_texts_than_folds_is_told(wrong: GoldenSet) -> None:
    with pytest.raises(TooFewTextsError, match=r"has 1[0-9] texts, too few for 20 folds; use fewer folds"):
        find_label_errors(wrong, folds=20)


def write(folder: Path, texts: tuple[GoldenText, ...]) -> Path:
    with next(GOLDEN.glob("*.csv")).open(encoding="utf-8") as source:
        columns = next(csv.reader(source))
    with (folder / "golden.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, columns)
        writer.writeheader()
        writer.writerows({name: getattr(text, name, "") for name in columns} for text in texts)
    return folder


def test_the_command_prints_json_or_a_table(tmp_path: Path, wrong: GoldenSet, found: list[Suspicion]) -> None:
    folder = write(tmp_path, wrong.texts)
    result = CliRunner().invoke(main, ["--golden", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    assert {one["text_id"] for one in json.loads(result.stdout)} == {one.text_id for one in found}
    table = CliRunner().invoke(main, ["--golden", str(folder), "--limit", "1"]).stdout.splitlines()
    assert table[0] == f"{len(found)} suspected labels, the first 1 of them"
    assert len(table) == 3
    assert found[0].text_id in table[2]


def test_a_golden_set_that_cannot_be_used_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--golden", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {tmp_path} holds no golden set")
    assert CliRunner().invoke(main, ["--golden", str(tmp_path / "nowhere")]).exit_code == 2
    assert CliRunner().invoke(main, ["--folds", "1"]).exit_code == 2
