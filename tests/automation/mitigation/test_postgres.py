"""Mitigations with the ledger on a real PostgreSQL, and runs that are really concurrent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dagster_project.home import Home
from tests.automation.mitigation.support import CONTROL, FLAG, Stage
from tests.automation.postgres import empty, needs_postgresql, postgresql

pytestmark = needs_postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A throw-away cluster; its URL."""
    with postgresql() as url:
        yield url


@pytest.fixture
def stage(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose ledger is an empty database there."""
    monkeypatch.setenv("FEEDBACK_LEDGER_URL", server)
    empty(server)
    return Stage.set_up(Home.locate(tmp_path))


def test_a_plan_is_approved_carried_out_and_undone(stage: Stage) -> None:
    stage.run()
    stage.vote("dana")
    assert stage.control()["flags"]["new-checkout"]["enabled"] is False
    stage.undo(stage.proposals()[0])
    assert stage.control() == CONTROL
    assert stage.ledger.verify_audit().holds


def test_four_runs_at_once_make_one_plan_and_act_once(stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="auto")])
    stage.ledger  # noqa: B018 - the tables are made by one
    together = threading.Barrier(4)

    def run(_: int) -> list[str]:
        together.wait()
        return stage.run().problems

    with ThreadPoolExecutor(4) as pool:
        problems = [problem for found in pool.map(run, range(4)) for problem in found]
    assert problems == []
    stage.run(hours=1)
    assert stage.states() == ["in_force"]
    events = stage.events()
    assert [events.count(one) for one in ("proposed", "begun", "applied")] == [1, 1, 1]
    assert stage.ledger.verify_audit().holds


def test_what_the_one_run_ends_the_other_does_not_carry_out(stage: Stage) -> None:
    stage.decide([replace(FLAG, mode="approve")])
    stage.run()
    stage.ledger.switch.stop("kim", "both at once", stage.now)
    stage.vote("dana")
    stage.ledger.switch.resume("kim", "go", stage.now)
    going, ending = stage.turn(), stage.turn()
    stage.decide([])  # one of the two has read the decision of before
    going._wanted, ending._wanted = {FLAG.key: FLAG}, {}
    together = threading.Barrier(2)

    def run(turn: object) -> None:
        together.wait()
        turn.run()  # type: ignore[attr-defined]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, (going, ending)))
    state = stage.states()[0]
    assert (state, stage.control() == CONTROL) in (("void", True), ("in_force", False))
