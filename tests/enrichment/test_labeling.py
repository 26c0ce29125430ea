from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.enrichment import labeling
from dagster_project.enrichment.labeling import label_new
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from models_ml.model.classifier import Classifier
from models_ml.taxonomy import ISSUE_TYPES

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, classifier: Classifier, models_dir: Path) -> Home:
    """An empty lake beside the one trained model."""
    here = Home(tmp_path)
    here.models.symlink_to(models_dir)
    lake.ensure_table(here, "feedback")
    return here


def say(
    home: Home,
    feedback_id: str,
    text: str,
    *,
    title: str | None = None,
    at: datetime = START,
    content: str = "1",
    rating: float | None = None,
    product: str = "app",
) -> None:
    row = {
        "feedback_id": feedback_id,
        "source": "test",
        "channel": "app_review",
        "product": product,
        "occurred_at": at,
        "title": title,
        "text": text,
        "rating": rating,
        "known_at": at,
        "schema_version": 1,
        "content_hash": content,
    }
    lake.append(home, "feedback", pl.DataFrame([row], schema=schema_of("feedback")))


def labels(home: Home) -> pl.DataFrame:
    return lake.scan(home, "labels").sort("feedback_id", "known_at").collect()


def test_every_column_of_a_label_is_filled(home: Home, classifier: Classifier) -> None:
    say(home, "a", "every time I open it, write me at jo@example.com", title="Crashes")
    report = label_new(home)
    rows = labels(home)
    assert dict(rows.schema) == schema_of("labels")
    row = rows.row(0, named=True)
    assert {name for name, value in row.items() if value is None} == {"duplicate_of"}
    assert (row["issue_type"], row["best_type"], row["abstained"]) == ("app_crash", "app_crash", False)
    assert row["masked_text"] == "Crashes. every time I open it, write me at [email]"
    assert row["known_at"] == START < row["labeled_at"]
    assert {"text_id", "issue_type", "similarity"} == set(json.loads(row["explanation"])[0])
    assert (report.labeled, report.from_cache, report.abstained) == (1, 0, 0)
    assert report.by_type == {"app_crash": 1}
    assert report.model_version == classifier.version == row["model_version"]
    assert report.model_card.is_file()


def test_only_what_is_new_is_labelled(home: Home) -> None:
    say(home, "a", "it crashes all the time")
    assert label_new(home).labeled == 1
    assert label_new(home).labeled == 0
    say(home, "b", "too many ads")
    assert label_new(home).labeled == 1
    assert labels(home)["feedback_id"].to_list() == ["a", "b"]


def test_the_same_words_of_someone_else_are_not_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    say(home, "a", "it crashes all the time")
    label_new(home)
    monkeypatch.setattr(Classifier, "predict", lambda self, texts: [] if not texts else pytest.fail("read again"))
    say(home, "b", "it crashes  all the time", at=START + timedelta(days=1))
    report = label_new(home)
    assert (report.labeled, report.from_cache) == (1, 1)
    first, second = labels(home).drop("feedback_id", "known_at", "labeled_at").rows()
    assert first == second


def test_each_version_of_a_text_has_its_label_from_when_it_was_known(home: Home) -> None:
    later = START + timedelta(days=3)
    say(home, "a", "it crashes all the time")
    say(home, "a", "fixed now, works perfectly, love it", at=later, content="2")
    label_new(home)
    rows = labels(home)
    assert rows["known_at"].to_list() == [START, later]
    assert rows["issue_type"].to_list() == ["app_crash", "praise"]


def test_of_two_versions_at_one_instant_the_one_that_the_marts_take_counts(home: Home) -> None:
    say(home, "a", "too many ads", content="9")
    say(home, "a", "it crashes all the time", content="1")
    label_new(home)
    assert labels(home)["issue_type"].to_list() == ["app_crash"]


def test_another_model_labels_everything_anew(home: Home) -> None:
    say(home, "a", "it crashes all the time")
    label_new(home)
    old = labels(home).with_columns(pl.lit("older").alias("label_version"))
    for path in (home.lake / "labels").rglob("*.parquet"):
        path.unlink()
    lake.append(home, "labels", old)
    assert label_new(home).labeled == 1
    assert set(labels(home)["label_version"].unique()) > {"older"}


def test_a_killed_run_goes_on_where_it_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labeling, "_CHUNK", 2)
    for number in range(5):
        say(home, f"f{number}", f"it crashes {number} times a day", at=START + timedelta(hours=number))
    appended, append = [], lake.append  # type: ignore[var-annotated]

    def killed_at_the_second(*arguments: object) -> None:
        if appended:
            raise KeyboardInterrupt
        appended.append(append(*arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(lake, "append", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        label_new(home)
    monkeypatch.setattr(lake, "append", append)
    assert labels(home)["feedback_id"].to_list() == ["f0", "f1"]
    said: list[str] = []
    assert label_new(home, progress=said.append).labeled == 3
    assert labels(home)["feedback_id"].to_list() == [f"f{number}" for number in range(5)]
    assert said[-1].startswith("labelled 3 of 3")


def test_labels_do_not_depend_on_what_they_are_made_with(home: Home, tmp_path: Path, models_dir: Path) -> None:
    texts = ["it crashes", "ads ads ads", "where is my order? it should have come on Monday", "meh", "love it"]
    other = Home(tmp_path / "other")
    other.root.mkdir()
    other.models.symlink_to(models_dir)
    lake.ensure_table(other, "feedback")
    for number, text in enumerate(texts):
        say(home, f"f{number}", text, at=START + timedelta(hours=number))
        label_new(home)
        say(other, f"f{number}", text, at=START + timedelta(hours=number))
    label_new(other)
    assert labels(home).drop("labeled_at").equals(labels(other).drop("labeled_at"))


@pytest.mark.parametrize("text", ["🙃", "x" * 1_000_000, "\x00 nul", "مرحبا بكم", " . "])
def test_any_text_gets_exactly_one_valid_label(home: Home, text: str) -> None:
    say(home, "a", text)
    label_new(home)
    row = labels(home).row(0, named=True)
    assert row["issue_type"] in ISSUE_TYPES
    assert len(row["masked_text"]) <= 1_000


COMPLAINT = "ordered two chairs in march, one came broken and nobody answers my mails about the other one"


def test_copies_are_found_across_runs_as_within_one(home: Home, tmp_path: Path, models_dir: Path) -> None:
    texts = [COMPLAINT, "it crashes", COMPLAINT + "!!", COMPLAINT.replace("march", "april"), "love it"]
    other = Home(tmp_path / "other")
    other.root.mkdir()
    other.models.symlink_to(models_dir)
    lake.ensure_table(other, "feedback")
    for number, text in enumerate(texts):
        for here in (home, other):
            say(here, f"f{number}", text, at=START + timedelta(days=number))
        label_new(home)
    label_new(other)
    assert labels(home)["duplicate_of"].to_list() == [None, None, "f0", "f0", None]
    assert labels(other)["duplicate_of"].equals(labels(home)["duplicate_of"])


def test_a_sentence_said_of_one_product_is_no_copy_in_another_within_a_run_or_across(home: Home) -> None:
    say(home, "a1", COMPLAINT, product="app")
    say(home, "b1", COMPLAINT, product="bank", at=START + timedelta(hours=1))
    label_new(home)
    say(home, "c1", COMPLAINT, product="cinema", at=START + timedelta(hours=2))
    say(home, "b2", COMPLAINT, product="bank", at=START + timedelta(hours=3))
    label_new(home)
    found = dict(labels(home).select("feedback_id", "duplicate_of").iter_rows())
    assert found == {"a1": None, "b1": None, "b2": "b1", "c1": None}


def test_what_was_known_later_is_nobodys_original(home: Home) -> None:
    say(home, "f2", COMPLAINT, at=START + timedelta(days=2))
    label_new(home)
    say(home, "f1", COMPLAINT + "!", at=START + timedelta(days=1))
    say(home, "f3", COMPLAINT + "?", at=START + timedelta(days=3))
    label_new(home)
    assert dict(labels(home).select("feedback_id", "duplicate_of").iter_rows()) == {"f1": None, "f2": None, "f3": "f2"}


def test_the_stars_count_beside_the_words_and_alone_where_those_cannot_be_read(home: Home) -> None:
    say(home, "a", "it crashes all the time")
    say(home, "b", "it crashes all the time", rating=5.0)
    say(home, "c", "Aplikacja ciągle się zawiesza, nie mogę nic zrobić, proszę to naprawić jak najszybciej", rating=1.0)
    label_new(home)
    rows = labels(home)
    assert rows["sentiment_score"][0] < rows["sentiment_score"][1]
    assert rows["words_sentiment"][0] == rows["words_sentiment"][1]
    assert (rows["words_sentiment"][2], rows["sentiment"][2], rows["sentiment_score"][2]) == (None, "negative", -1.0)


def test_an_empty_lake_is_no_work(home: Home) -> None:
    report = label_new(home)
    assert (report.labeled, report.by_type) == (0, {})
    assert labels(home).is_empty()
