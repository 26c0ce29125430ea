"""Weights of an AWS load balancer at a moto server; the second path is AWS' own client library.

Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.actuators.base import Conflict
from dagster_project.automation.outcomes import Rejected, outcome_of
from tests.servers.acts import actuator, after_kills, assert_faults_are_told, through_faults
from tests.servers.processes import TOOLS, free_port, running
from tests.servers.stories import needs_tools

AWAY = {"weights": {"canary": 0}}
MOTO, PYTHON = TOOLS / "moto" / "bin" / "moto_server", TOOLS / "moto" / "bin" / "python"

pytestmark = pytest.mark.skipif(not MOTO.exists(), reason="no moto is installed: run `make test-servers`")


@dataclass(frozen=True)
class Aws:
    """A running moto with one listener."""

    url: str
    listener: str = ""

    def asked(self, what: str, *arguments: str) -> Any:
        """What AWS' own library answers."""
        command = [str(PYTHON), str(Path(__file__).with_name("aws.py")), what, self.url, *arguments]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def weights(self) -> dict[str, int]:
        """The weights by target group."""
        return dict(self.asked("weights", self.listener))

    @property
    def entry(self) -> dict[str, Any]:
        """The target in the playbook."""
        return {"kind": "elbv2", "name": "edge", "region": "eu-central-1", "base_url": self.url, "settle_seconds": 0}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with running([MOTO, "-H", "127.0.0.1", "-p", str(port)], port, log), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "planted-id")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "planted-key")
        empty = Aws(f"http://127.0.0.1:{port}")
        yield Aws(empty.url, empty.asked("make")["listener"])


def test_elbv2_a_shift_is_seen_by_awss_own_library_and_an_undo_restores_the_very_state(aws: Aws) -> None:
    target, before = actuator(aws.entry), actuator(aws.entry).read(aws.listener)
    split = aws.weights()
    assert split == {"stable": 90, "canary": 10}
    assert [one.passed for one in target.preflights(aws.listener, AWAY, before)] == [True]
    applied = target.apply(aws.listener, AWAY, before, "plan 3fa9c2")
    shifted = aws.weights()
    assert shifted == {"stable": 90, "canary": 0} and target.shows(applied, AWAY)
    assert target.apply(aws.listener, AWAY, before, "again") == applied

    aws.asked("change", aws.listener, "50")
    assert not target.shows(target.read(aws.listener), AWAY), "somebody changed it: drifted"
    with pytest.raises(Conflict):
        target.apply(aws.listener, AWAY, before, "again")
    with pytest.raises(Conflict):
        target.restore(before, applied, "undo")
    assert aws.weights() == {"stable": 90, "canary": 50}, "a person's change is never overwritten"

    aws.asked("change", aws.listener, "0")
    assert target.restore(before, applied, "undo") == before == target.read(aws.listener)
    print(f"elbv2: {split} -> {shifted} -> {aws.weights()}")
    assert aws.weights() == split


def test_elbv2_refuses_what_leaves_nobody(aws: Aws) -> None:
    target, before = actuator(aws.entry), actuator(aws.entry).read(aws.listener)
    for weights in ({"stable": 0, "canary": 0}, {"blue": 0}):
        desired = {"weights": weights}
        outcome = outcome_of(lambda desired=desired: target.apply(aws.listener, desired, before, ""))  # type: ignore[misc]
        assert isinstance(outcome, Rejected), outcome
    assert aws.weights() == {"stable": 90, "canary": 10}


@needs_tools
def test_elbv2_through_faults(aws: Aws, tmp_path: Path) -> None:
    """The write is the third request: reads are POSTs, too."""
    told = through_faults(tmp_path, aws.entry, aws.url, aws.listener, AWAY, write=2)
    assert_faults_are_told(told)
    assert aws.weights() == {"stable": 90, "canary": 10}


def test_elbv2_killed_while_shifting_the_state_is_the_one_before_or_after(aws: Aws) -> None:
    after_kills(aws.entry, aws.listener, AWAY)
