"""Label queue: the most informative texts come first, and only valid labels join the golden set."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models_ml.golden import GOLDEN, active_learning
from models_ml.golden.active_learning import (
    COLUMNS,
    Candidate,
    Chosen,
    add_labelled,
    choose,
    rejected_first,
    split_of,
    write_queue,
)
from models_ml.golden.golden_set import SPLITS, GoldenSetError, load_golden

SURE = Candidate("0", "the app crashes", "app_review", "en", "app_crash", 0.95, "performance", 0.02, False)


def candidate(number: int, text: str, confidence: float = 0.95, **changes: Any) -> Candidate:
    return replace(SURE, text_hash=f"{number:04}" * 6, text=text, confidence=confidence, **changes)


@pytest.fixture(autouse=True)
def vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that begin with the same word lie together, others apart."""

    def embed(encoder: None, texts: list[str]) -> NDArray[np.float32]:
        firsts = sorted({text.split()[0] for text in texts})
        return np.eye(len(firsts), dtype=np.float32)[[firsts.index(text.split()[0]) for text in texts]]

    monkeypatch.setattr(active_learning, "embed", embed)


def chosen_texts(candidates: list[Candidate], size: int, **recall: float) -> list[str]:
    return [one.candidate.text for one in choose(candidates, recall, None, ["a golden text stands here"], size)]


# --- choosing


def test_the_least_sure_comes_first() -> None:
    candidates = [
        candidate(1, "alpha goes wrong", 0.9),
        candidate(2, "bravo does nothing", 0.4, runner_up_confidence=0.38),
        candidate(3, "charlie is odd", 0.6),
    ]
    assert chosen_texts(candidates, 2) == ["bravo does nothing", "charlie is odd"]


def test_what_was_declined_comes_before_what_was_answered() -> None:
    candidates = [candidate(1, "alpha goes wrong", 0.4), candidate(2, "bravo does nothing", 0.4, abstained=True)]
    assert chosen_texts(candidates, 1) == ["bravo does nothing"]


def test_a_type_that_the_model_misses_comes_before_one_that_it_finds() -> None:
    candidates = [candidate(1, "alpha goes wrong", 0.5), candidate(2, "bravo is nice", 0.5, best_type="praise")]
    assert chosen_texts(candidates, 1, app_crash=0.9, praise=0.2) == ["bravo is nice"]
    assert chosen_texts(candidates, 1, app_crash=0.2, praise=0.9) == ["alpha goes wrong"]


def test_different_texts_come_before_more_of_the_same() -> None:
    candidates = [
        candidate(1, "alpha goes wrong every day", 0.40),
        candidate(2, "alpha stays black after lunch", 0.41),
        candidate(3, "bravo is somewhat unsure", 0.60),
    ]
    assert chosen_texts(candidates, 2) == ["alpha goes wrong every day", "bravo is somewhat unsure"]


def test_near_duplicates_are_asked_for_once() -> None:
    copies = [candidate(number, f"alpha never opens again on my old phone {number}", 0.4) for number in range(30)]
    assert len(chosen_texts([*copies, candidate(99, "bravo works")], 10)) == 2


@pytest.mark.parametrize(
    "text", ["A golden text  stands here", "a golden text stands here!", "🙃🙃", "12345", "meh", ""]
)
def test_what_is_known_already_or_says_nothing_is_not_asked_for(text: str) -> None:
    assert chosen_texts([candidate(1, text, 0.1)], 5) == []


def test_the_columns_are_those_of_the_golden_set() -> None:
    assert (GOLDEN / "golden.csv").read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)


def test_no_candidates_make_an_empty_queue(tmp_path: Path) -> None:
    assert choose([], {}, None, [], 5) == []
    assert write_queue(tmp_path / "q.csv", []).read_text() == ",".join(COLUMNS) + "\n"


def test_the_order_of_the_candidates_does_not_matter() -> None:
    candidates = [candidate(number, f"word{number % 7} and thing{number} again", 0.5) for number in range(40)]
    assert chosen_texts(candidates, 10) == chosen_texts(candidates[::-1], 10)


def test_the_reason_names_the_guess_and_the_weakness() -> None:
    unsure = candidate(1, "alpha is nice", 0.31, abstained=True, best_type="praise", runner_up_type="other")
    (one,) = choose([unsure], {"praise": 0.17}, None, [], 1)
    assert one.reason == "declined; guessed praise (0.31), then other (0.02); it finds only 17% of praise"


def test_what_people_doubted_comes_first_and_takes_half_of_the_queue() -> None:
    texts = [f"{letter}lpha {letter}ravo {letter}harlie" for letter in "bcdfghjklmnpqrstvw"]
    sure = [candidate(number, text, 0.99, rejection="jo said no") for number, text in enumerate(texts[:9])]
    unsure = [candidate(20 + number, text, 0.2) for number, text in enumerate(texts[9:])]
    chosen = rejected_first([*unsure, *sure], {}, None, [], 5)
    assert [bool(one.candidate.rejection) for one in chosen] == [True, True, True, False, False]
    assert chosen[0].reason == "jo said no; guessed app_crash (0.99), then performance (0.02)"
    assert len(rejected_first(unsure, {}, None, [], 5)) == 5
    copy = candidate(40, sure[0].text, 0.1)
    assert [one.candidate for one in rejected_first([copy, sure[0]], {}, None, [], 5)] == [sure[0]]


# --- labels


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "golden"))


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A queue of two texts, both labelled."""
    texts = ["wobbly quokkas ate the checkout", "=SUM(A1) is shown where the price was"]
    path = write_queue(
        tmp_path / "to_label.csv", [Chosen(candidate(number, text), "why") for number, text in enumerate(texts)]
    )
    return fill(path, issue_type="checkout_failure", sentiment="negative")


def fill(path: Path, row: int | None = None, **values: str) -> Path:
    with path.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    for number, one in enumerate(rows):
        if row is None or number == row:
            one.update(values)
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_labelled_texts_become_golden(golden: Path, filled: Path) -> None:
    before = len(load_golden(golden).texts)
    assert add_labelled(filled, golden) == 2
    after = {text.text: text for text in load_golden(golden).texts}
    assert len(after) == before + 2
    added = after["wobbly quokkas ate the checkout"]
    assert (added.issue_type, added.channel, added.split) == ("checkout_failure", "app_review", split_of(added.text))


def test_a_text_that_a_spreadsheet_would_run_is_written_guarded_and_read_plain(golden: Path, filled: Path) -> None:
    assert "'=SUM(A1)" in filled.read_text()
    add_labelled(filled, golden)
    assert "=SUM(A1) is shown where the price was" in {text.text for text in load_golden(golden).texts}


def test_what_nobody_labelled_is_left_out(golden: Path, filled: Path) -> None:
    fill(filled, row=1, issue_type="")
    assert add_labelled(filled, golden) == 1


def test_a_file_that_excel_saved_is_read(golden: Path, filled: Path) -> None:
    filled.write_text(filled.read_text().replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    assert add_labelled(filled, golden) == 2


@pytest.mark.parametrize(
    ("row", "values", "message"),
    [
        (1, {"issue_type": "crash"}, "row 3: issue_type 'crash' is not in the taxonomy"),
        (0, {"secondary_type": "slow"}, "row 2: secondary_type 'slow' is not in the taxonomy"),
        (0, {"channel": "fax"}, "row 2: channel 'fax' is none of app_review"),
        (1, {"sentiment": "grumpy"}, "row 3: sentiment 'grumpy' is none of"),
        (0, {"sentiment": ""}, "row 2: sentiment is empty"),
        (1, {"language": " "}, "row 3: language is empty"),
        (1, {"text": ""}, "row 3: text is empty"),
        (0, {"split": "train"}, "row 2: split must stay empty"),
        (1, {"text": "Wobbly quokkas ATE the checkout"}, "stands already in row 2"),
        (1, {"text_id": "queue-000000000000"}, "row 3: 'queue-000000000000' stands already in row 2"),
        (1, {"text": "checkout page wont go past shipping step, just reloads"}, "stands already as checkout-t03"),
        (None, {"issue_type": ""}, "no row has an issue_type"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_added(
    golden: Path, filled: Path, row: int | None, values: dict[str, str], message: str
) -> None:
    files = set(golden.iterdir())
    fill(filled, row, **values)
    with pytest.raises(GoldenSetError, match=r"^to_label\.csv") as raised:
        add_labelled(filled, golden)
    assert message in str(raised.value)
    assert set(golden.iterdir()) == files


def test_every_wrong_row_is_named_at_once(golden: Path, filled: Path) -> None:
    fill(filled, issue_type="crash")
    with pytest.raises(GoldenSetError, match=r"row 2: .*; row 3: "):
        add_labelled(filled, golden)


def test_the_same_file_is_not_added_twice(golden: Path, filled: Path) -> None:
    add_labelled(filled, golden)
    with pytest.raises(GoldenSetError, match="stands already"):
        add_labelled(filled, golden)


def test_a_file_without_the_columns_says_which(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("text_id,text\n1,hello there\n")
    with pytest.raises(GoldenSetError, match="no column channel, language"):
        add_labelled(tmp_path / "q.csv", golden)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_says_so(golden: Path, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "q.csv").write_bytes(content)
    with pytest.raises(GoldenSetError, match="cannot be read"):
        add_labelled(tmp_path / "q.csv", golden)


def test_splits_are_stable_and_in_proportion() -> None:
    splits = [split_of(f"text number {number}") for number in range(4_000)]
    shares = [splits.count(name) / 4_000 for name in SPLITS]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.02)
    assert split_of("The app  crashes") == split_of("the app crashes")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\n-1", "＝1", "%x"])
def test_whatever_a_spreadsheet_takes_for_a_formula_is_guarded_and_comes_back(text: str) -> None:
    assert active_learning._guarded(text) == f"'{text}"
    assert active_learning._unguarded(active_learning._guarded(text)) == text
    assert active_learning._guarded("it's fine = good") == "it's fine = good"
