"""Confidence as it is said: in steps, and never surer than its record in the benchmark."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.confidence_record import RECORD, bands_of, record
from dagster_project.decisioning.wording import sureness


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (1.0, "over 99 %"),
        (0.991, "over 99 %"),
        (0.96, "over 95 %"),
        (0.95, "about 95 %"),
        (0.91, "about 90 %"),
        (0.05, "about 5 %"),
        (0.04, "under 5 %"),
    ],
)
def test_a_confidence_is_said_in_steps_of_five_per_cent(share: float, said: str) -> None:
    assert sureness(share) == said


def test_a_confidence_is_never_surer_than_its_record() -> None:
    assert sureness(0.999, 37, 37) == "over 95 %"  # (37 + 1) / (37 + 2) = 0.974
    assert sureness(0.999, 562, 564) == "over 99 %"  # 563 / 566 = 0.9947
    assert sureness(0.85, 49, 98) == "about 50 %"
    assert sureness(0.85, 98, 98) == "about 85 %"
    assert sureness(0.85, 0, 0) == "about 85 %"


def test_a_record_counts_the_changes_of_each_band_and_those_to_blame() -> None:
    points = [(0.0, False), (0.59, True), (0.6, True), (0.9, False), (1.0, True)]
    bands = [(0.0, 0.6), (0.6, 0.9), (0.9, 1.0)]
    assert record(points, bands) == [(0.0, 0.6, 2, 1), (0.6, 0.9, 1, 1), (0.9, 1.0, 2, 1)]


def test_the_bands_of_the_seed_cover_every_probability_once() -> None:
    bands = bands_of(RECORD)
    assert bands[0][0] == 0.0
    assert bands[-1][1] == 1.0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(bands))
