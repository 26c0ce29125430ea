from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.sources import load_sources
from dagster_project.simulation.products import Truth, catalogue, write_product
from dagster_project.simulation.products.shape import Shape

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
NAME = "crowd_overload_01"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("product")
    return folder, write_product(folder, catalogue()[NAME], 1, UNTIL)


@pytest.fixture(scope="module")
def landed(product: tuple[Path, Truth], tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, LandingReport]:
    home = Home(tmp_path_factory.mktemp("home")).marked("replay")
    return home, land(home, load_sources(product[0] / "sources.yml"), now=UNTIL)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_equal_arguments_give_equal_bytes(product: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, truth = product
    assert write_product(tmp_path, catalogue()[NAME], 1, UNTIL) == truth
    assert digests(tmp_path) == digests(folder)


def test_every_row_meets_its_contract(product: tuple[Path, Truth], landed: tuple[Home, LandingReport]) -> None:
    home, report = landed
    assert (report.problems, report.quarantined) == ([], 0)
    tables = ("feedback", "releases", "flag_changes", "service_metrics", "funnel_metrics", "orders", "customers")
    for table in (*tables, "campaigns"):
        assert lake.scan(home, table).select(pl.len()).collect().item() > 0, table
    assert lake.scan(home, "feedback").select(pl.len()).collect().item() == product[1].feedback


def test_feedback_arrives_late_but_never_before_it_is_written(landed: tuple[Home, LandingReport]) -> None:
    feedback = lake.scan(landed[0], "feedback").select("occurred_at", "known_at").collect()
    hours = np.array((feedback["known_at"] - feedback["occurred_at"]).dt.total_seconds().to_list()) / 3600
    assert hours.min() >= 0
    assert 0.02 < np.mean(hours > 6) < 0.12


def test_the_truth_is_complete_and_stays_out_of_the_files(product: tuple[Path, Truth]) -> None:
    folder, truth = product
    assert truth.issue_type == "checkout_failure"
    assert truth.onset is not None
    assert truth.telemetry_shows
    assert min(truth.complaints) >= truth.onset
    assert len(truth.complaints) < truth.feedback / 2
    assert truth.cause_id not in truth.innocent_changes
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert NAME not in text
        assert "caused" not in text.splitlines()[0]


def test_texts_are_hardly_ever_repeated(product: tuple[Path, Truth]) -> None:
    folder, _ = product
    reviews = io.StringIO((folder / "reviews.csv").read_text(encoding="utf-8"), newline="")
    tickets = (folder / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [row["body"] for row in csv.DictReader(reviews)] + [json.loads(line)["message"] for line in tickets]
    assert len(set(texts)) > 0.6 * len(texts)
    # What occurs more than a few times is as short as such words are.
    assert all(len(text) < 60 for text, count in Counter(texts).items() if count > 12)


def test_days_scatter_more_than_chance() -> None:
    shape = Shape(catalogue()["plain_01"].build(1, UNTIL), "plain_01/1")
    days = (shape.talk / shape.usual).reshape(-1, 96).mean(axis=1)
    assert 0.15 < days.std() / days.mean() < 0.4


def test_several_versions_live_at_once() -> None:
    shape = Shape(catalogue()["plain_01"].build(1, UNTIL), "plain_01/1")
    shares = np.array([cell.share for cell in shape.cells])
    assert shares.sum(axis=0) == pytest.approx(np.ones(shape.count))
    assert ((shares > 0.05).sum(axis=0) > 3).mean() > 0.3


def test_a_failure_hits_its_scope_alone() -> None:
    world = catalogue()["app_release_01"].build(1, UNTIL)
    assert world.failure
    shape = Shape(world, "app_release_01/1")
    hit = {(cell.platform, cell.version) for cell in shape.cells if shape.fails_in(cell).any()}
    assert hit == {(world.failure.platform, world.failure.version)}
    assert not shape.failing[: shape.bucket(world.failure.onset)].any()
