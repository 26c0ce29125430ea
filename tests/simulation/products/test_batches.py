"""Batches of fictional products: every world once, each batch a mixture; a batch of other worlds is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.decisions import products_beside
from benchmarks.product_lakes import UNTIL, Job, jobs_of, prepare, truths_of
from benchmarks.product_scores import HALVES, Result, half_of
from benchmarks.products import BATCH, Run, batches, instants, summarise
from dagster_project.simulation.products import Truth, catalogue

AT = datetime(2026, 5, 15, 12, tzinfo=UTC)
TRUTH = Truth("plain_01", 1, "shop", AT, AT + timedelta(days=20), 9, ("a",), complaints=(AT, AT + timedelta(hours=1)))


def test_every_world_is_in_one_batch_of_its_half() -> None:
    found = batches(HALVES, 16)
    assert sorted(found) == [f"{half}-{number}" for half in HALVES for number in (1, 2, 3, 4)]
    assert sorted(job.scenario for jobs in found.values() for job in jobs) == sorted(catalogue())
    for name, jobs in found.items():
        assert {half_of(job.scenario) for job in jobs} == {name.rsplit("-", 1)[0]}
        assert len({job.scenario.rsplit("_", 1)[0] for job in jobs}) > 8


def test_fewer_scenarios_and_more_seeds() -> None:
    found = batches(HALVES, 3, "plain_*", "1,2")
    assert sum(len(jobs) for jobs in found.values()) == 2 * sum(name.startswith("plain_") for name in catalogue())
    assert max(len(jobs) for jobs in found.values()) <= 3


@pytest.mark.parametrize(("hours", "looks"), [(24, 26), (48, 13), (96, 7)])
def test_fewer_looks_spare_time(hours: int, looks: int) -> None:
    found = instants(timedelta(hours=hours))
    assert found == sorted(found)
    assert (len(found), found[-1]) == (looks, UNTIL)


def test_a_prepared_batch_is_used_again_and_never_for_other_worlds(tmp_path: Path) -> None:
    content = json.dumps([asdict(TRUTH)], default=str)
    (tmp_path / "truths.json").write_text(content, encoding="utf-8")
    assert truths_of(tmp_path) == [TRUTH]
    assert jobs_of([TRUTH]) == [Job("plain_01", 1)]
    prepare([Job("plain_01", 1)], tmp_path, tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["truths.json"]
    with pytest.raises(ValueError, match="other worlds"):
        prepare([Job("plain_01", 2)], tmp_path, tmp_path, tmp_path)


def test_of_the_held_out_half_only_sums_are_written(tmp_path: Path) -> None:
    for scenario in ("plain_01", "plain_02"):
        result = {"scenario": scenario, "seed": 1, "product": "p", "quiet": True, "cause_kind": "", "issue_type": ""}
        path = Job(scenario, 1).result(tmp_path)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"result": {**result, "months": 1.0}}), encoding="utf-8")
    assert "| held out | 1 |" in summarise(tmp_path)
    assert [one["scenario"] for one in json.loads((tmp_path / "results.json").read_bytes())] == ["plain_01"]


def test_beside_the_worlds_only_the_batches_asked_for_are_run_and_shown(tmp_path: Path) -> None:
    wanted = batches(HALVES, BATCH)
    for job in (*wanted["dev-1"], *wanted["held-out-1"], *wanted["dev-2"]):
        path = job.result(tmp_path)
        path.parent.mkdir(exist_ok=True)
        result = Result(job.scenario, job.seed, "shop", True, "", "", 1.0)
        path.write_text(json.dumps({"result": asdict(result)}), encoding="utf-8")
    with products_beside(Run(tmp_path, tmp_path / "lakes"), 1, 1) as found:
        pass
    assert {one.scenario for one in found} == {job.scenario for job in (*wanted["dev-1"], *wanted["held-out-1"])}
