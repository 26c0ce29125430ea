"""Acts at real control systems, as the tests make them: built as a turn does, through faults, and killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.automation.actuators.base import Actuator, Closeable, Reading, VerifiesEffect
from dagster_project.automation.actuators.config import KINDS
from dagster_project.automation.outcomes import Deferred, Unknown, outcome_of
from dagster_project.home import Home
from tests.servers.acting import act
from tests.servers.stories import FAULTS, faulty

KILLS = min(int(os.environ.get("KILLS", "100")), 100)
"""Number of acts to kill at each control system; fewer to try the rest."""

OPEN = ExitStack()
"""Connections of the test that runs."""


def actuator(entry: dict[str, Any], **settings: Any) -> Actuator:
    """The actuator of an entry, as a turn builds it; its connections are closed after the test."""
    built = KINDS[entry["kind"]].model_validate({**entry, **settings}).build(Home.locate(Path("unused")))
    if isinstance(built, Closeable):
        OPEN.callback(built.close)
    return built


def seen(target: Actuator, item: str, desired: dict[str, Any]) -> bool | None:
    """The effect, by the target's own second path."""
    assert isinstance(target, VerifiesEffect)
    return target.effect(item, desired)


@dataclass
class Told:
    """What one fault made of an act: its outcome, and whether the act was made."""

    outcome: Any
    made: bool


def through_faults(
    folder: Path, entry: dict[str, Any], upstream: str, item: str, desired: dict[str, Any], *, write: int = 0
) -> dict[str, Told]:
    """Every fault once; what was lost is settled by a read, what was not made is made again, and undone.

    ``write`` counts the requests of an act that are no GET before the one that changes something.
    """
    direct = actuator(entry)
    before = direct.read(item)
    told: dict[str, Told] = {}
    for fault in FAULTS:
        (folder / fault).mkdir()
        with faulty(folder / fault, upstream, {str(write): fault}) as url:
            target = actuator(entry, base_url=url, timeout_seconds=2)
            outcome = outcome_of(lambda target=target: target.apply(item, desired, before, "plan"))  # type: ignore[misc]
            time.sleep(3 if fault == "silence" else 0)
            found = target.read(item)
            made = target.shows(found, desired)
            assert made or found.digest == before.digest
            told[fault] = Told(outcome, made)
            applied = target.apply(item, desired, before, "again")
            assert target.shows(applied, desired)
            assert target.restore(before, applied, "undo").state == before.state
        assert direct.read(item) == before
    return told


def assert_faults_are_told(told: dict[str, Told]) -> None:
    assert {fault: type(one.outcome) for fault, one in told.items()} == {
        "429": Deferred,
        "503": Unknown,
        "cut before": Unknown,
        "502": Unknown,
        "cut after": Unknown,
        "silence": Unknown,
    }
    assert {fault for fault, one in told.items() if one.made} == {"502", "cut after", "silence"}


def after_kills(entry: dict[str, Any], item: str, desired: dict[str, Any]) -> None:
    """Kill -9 acts at random instants: a read tells whether each was made, and an undo restores the state before."""
    chance, target = random.Random(7), actuator(entry)
    before = target.read(item)
    wanted = target.apply(item, desired, before, "")
    target.restore(before, wanted, "")
    counts = {"before": 0, "after": 0, "finished": 0}
    usual = 0.0
    while counts["before"] + counts["after"] < KILLS and counts["finished"] < 5 * KILLS:
        patience = chance.uniform(0, 1.3 * usual) if usual else 60
        took = killed_while_acting(entry, item, desired, before, patience)
        found = target.read(item)
        assert found.digest in (before.digest, wanted.digest), found
        made = target.shows(found, desired)
        assert made is (found.digest == wanted.digest)
        if took is None:
            counts["after" if made else "before"] += 1
            usual *= 1.1
        else:
            counts["finished"] += 1
            usual = usual * 0.8 or took
            assert made
        assert target.restore(before, wanted, "undo").state == before.state
    print(f"{entry['kind']}: killed before and after the write, or too late: {counts}")
    assert counts["before"] + counts["after"] == KILLS and counts["before"] and (counts["after"] or KILLS < 50)


def killed_while_acting(
    entry: dict[str, Any], item: str, desired: dict[str, Any], before: Reading, after: float
) -> float | None:
    """Act in a process, and kill -9 it that many seconds after it began; how many it took if it ended before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.servers.acting"])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=act, args=(dict(os.environ), entry, item, desired, before, there))
    process.start()
    there.close()
    try:
        assert here.recv() == "begins"
        began = time.monotonic()
        while time.monotonic() - began < after:  # waiting by the system would round a millisecond up
            if here.poll(0):
                assert here.recv() == "done", "the act failed by itself"
                return time.monotonic() - began
        process.kill()
        return None
    finally:
        process.join()
        process.close()
        here.close()
