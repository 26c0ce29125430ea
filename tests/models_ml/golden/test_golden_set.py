from __future__ import annotations

from pathlib import Path

import pytest

from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import GoldenSetError, load_golden

HEADER = "text_id,text,channel,language,issue_type,secondary_type,sentiment,split,note\n"
ROW = "t1,It crashes,app_review,en,app_crash,,negative,train,\n"


def written(folder: Path, content: str) -> Path:
    (folder / "golden.csv").write_text(HEADER + content, encoding="utf-8")
    return folder


def test_several_languages_are_there() -> None:
    assert {"en", "de", "es", "fr", "pt"} <= {text.language for text in load_golden().texts}


def test_the_golden_set_is_documented() -> None:
    assert "provenance" in (GOLDEN / "README.md").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (ROW + ROW.replace("t1", "t2"), "row 3.*stands already in golden.csv, row 2"),
        (ROW + ROW.replace("It", "Now it"), "row 3.*'t1' stands already"),
        (ROW.replace("It crashes", " "), "row 2: text is empty"),
        (ROW.replace("app_crash", "app_krash"), "row 2: issue_type 'app_krash' is not in the taxonomy"),
        (ROW.replace("train", "test"), "row 2: split 'test' is none of train, calibration, evaluation"),
        (ROW.replace("negative", "furious"), "row 2: sentiment 'furious' is none of negative, neutral, positive"),
        (ROW.replace("app_review", "telepathy"), "row 2: channel 'telepathy' is none of"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: str, complaint: str) -> None:
    with pytest.raises(GoldenSetError, match=complaint):
        load_golden(written(tmp_path, rows))


def test_a_missing_golden_set_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(GoldenSetError, match="restore its CSV files"):
        load_golden(tmp_path)


def test_the_hash_follows_the_content_and_not_the_order(tmp_path: Path) -> None:
    other = ROW.replace("t1", "t2").replace("It", "She")
    one = load_golden(written(tmp_path, ROW + other)).content_hash
    assert load_golden(written(tmp_path, other + ROW)).content_hash == one
    assert load_golden(written(tmp_path, ROW + other.replace("en", "de"))).content_hash != one
