"""Two homes, demo and production, in every order of commands: nothing crosses between them (state machine)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dagster_project.automation.tickets.issues import read_queue
from dagster_project.home import DEFAULT_HOME, DEMO_HOME, REPOSITORY, Home
from models_ml.model.classifier import Classifier
from tests.faults.homes import (
    LAST_WEEK,
    PAST,
    REAL,
    SECRET,
    SIMULATED,
    YESTERDAY,
    Receiver,
    cli,
    ids,
    tree,
    webhook,
    without_a_warehouse,
    write_real_exports,
)


class TwoHomes(RuleBasedStateMachine):
    """The demo's home and the real one in one working directory, with one receiver that both name."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = Path(tempfile.mkdtemp())
        self.before = Path.cwd()
        self.receiver = Receiver()
        self.demo, self.real = without_a_warehouse(self.patch, self.folder)
        self.sources = str(write_real_exports(self.folder / "exports"))
        self.words: set[str] = set()
        (self.folder / "destinations.yml").write_text(webhook(self.receiver))

    def teardown(self) -> None:
        self.patch.undo()
        os.chdir(self.before)
        self.receiver.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def demo_is_there(self) -> bool:
        return self.demo.root.joinpath("home.yml").exists()

    def real_is_there(self) -> bool:
        return self.real.root.joinpath("home.yml").exists()

    @rule(until=st.sampled_from([YESTERDAY, LAST_WEEK, ""]), sure=st.booleans())
    def run_demo(self, until: str, sure: bool) -> None:
        done = cli("demo", *(["--until", until] if until else []), *(["--yes"] if sure else []))
        assert done.exit_code in ((0,) if sure else (0, 2))

    @precondition(real_is_there)
    @rule()
    def run_demo_in_the_real_home(self) -> None:
        assert cli("--home", str(self.real.root), "demo", "--yes").exit_code == 2

    @rule(past=st.sampled_from(["", YESTERDAY, LAST_WEEK]), send=st.booleans())
    def run_real(self, past: str, send: bool) -> None:
        options = [*(["--as-of", past] if past else []), *([] if send else ["--no-send"])]
        assert cli("run", "--sources", self.sources, *options).exit_code == 0

    @precondition(demo_is_there)
    @rule()
    def run_what_crosses(self) -> None:
        assert cli("--home", str(self.demo.root), "run", "--sources", self.sources).exit_code == 2
        assert cli("run", "--sources", str(self.demo.root / "demo" / "sources.yml")).exit_code == 2

    @precondition(demo_is_there)
    @rule(past=st.sampled_from(["", YESTERDAY]))
    def run_in_the_demo(self, past: str) -> None:
        cli("--home", str(self.demo.root), "run", *(["--as-of", past] if past else []))

    @rule(simulated=st.booleans())
    def replay_past(self, simulated: bool) -> None:
        home, sources = (self.demo, []) if simulated and self.demo_is_there() else (self.real, [self.sources])
        told = ["--sources", *sources] if sources else []
        period = ("--from", LAST_WEEK, "--to", YESTERDAY, "--every-hours", "100")
        assert cli("--home", str(home.root), "replay", *told, *period).exit_code == 0

    @rule(simulated=st.booleans())
    def push_again(self, simulated: bool) -> None:
        home = self.demo if simulated else self.real
        if home.published.exists():
            assert cli("--home", str(home.root), "push").exit_code == 0
            cli("--home", str(home.root), "pull")

    @rule(simulated=st.booleans())
    def name_the_receiver(self, simulated: bool) -> None:
        home = self.demo if simulated else self.real
        if home.root.exists():
            (home.root / "destinations.yml").write_text(webhook(self.receiver))

    @rule(simulated=st.booleans(), word=st.sampled_from(["first word", "second word"]))
    def somebody_writes(self, simulated: bool, word: str) -> None:
        path = (self.demo if simulated else self.real).tickets / "FC-1.md"
        if path.exists():
            path.write_text(f"{path.read_text()}\n{word}\n")
            self.words.add(word)

    @rule()
    def clean(self) -> None:
        make = ["make", "-f", str(REPOSITORY / "Makefile"), "clean"]
        subprocess.run(make, cwd=self.folder, check=True, capture_output=True)

    @invariant()
    def nothing_crosses(self) -> None:
        assert self.receiver.heard(SIMULATED, PAST) == []
        assert ids(self.real) <= {REAL.issue_id}
        assert ids(self.demo) <= {SIMULATED.issue_id}
        if self.real.published.exists():
            assert [issue.issue_id for issue in read_queue(self.real)] == [REAL.issue_id]

    @invariant()
    def nothing_that_people_wrote_is_lost(self) -> None:
        texts = [path.read_text() for path in self.folder.glob(".feedback-control*/tickets/FC-*.md")]
        assert all(any(word in text for text in texts) for word in self.words)

    @invariant()
    def each_home_stays_what_it_is(self) -> None:
        for home, kind in ((self.demo, "demo"), (self.real, "production")):
            assert not home.root.joinpath("home.yml").exists() or home.kind == kind


_QUICK = settings(
    max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


class TestTwoHomesInEveryOrder(TwoHomes.TestCase):  # type: ignore[misc, valid-type]
    settings = _QUICK


@pytest.mark.soak
class TestTwoHomesInMoreOrders(TwoHomes.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(_QUICK, max_examples=60, stateful_step_count=25, derandomize=False)


@pytest.mark.soak
def test_demo_run_demo_replay_for_real(tmp_path: Path, receiver: Receiver, classifier: Classifier) -> None:
    """The real commands in processes of their own, with a receiver that both homes name."""
    real, demo = Home(tmp_path / DEFAULT_HOME), Home(tmp_path / DEMO_HOME)
    shutil.copytree(classifier.folder, real.models / classifier.version)
    sources = write_real_exports(tmp_path / "exports")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FEEDBACK_", "DAGSTER_HOME"))}
    environment = {**clean, "WEBHOOK_SECRET": SECRET, "PYTHONPATH": str(REPOSITORY)}

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "dagster_project", *arguments]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    def done(*arguments: str) -> str:
        result = command(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    done("--home", DEMO_HOME, "init", "--kind", "demo")
    (demo.root / "destinations.yml").write_text(webhook(receiver))
    assert "was trained from the same golden set before" in done("demo", "--until", LAST_WEEK)
    opened = ids(demo)
    assert len(opened) >= 2
    done("run", "--sources", str(sources))
    (real.root / "destinations.yml").write_text(webhook(receiver))
    before = tree(real.published.parent)
    assert "is kept in" in done("demo")
    (backup,) = tmp_path.glob("*.backup-*")
    assert ids(Home(backup)) == opened
    assert "a view of its own" in done("run", "--sources", str(sources), "--as-of", LAST_WEEK)
    done("replay", "--sources", str(sources), "--from", LAST_WEEK, "--to", YESTERDAY, "--every-hours", "144")
    assert command("--home", DEMO_HOME, "run", "--sources", str(sources)).returncode == 2
    assert command("run", "--sources", str(demo.root / "demo" / "sources.yml")).returncode == 2
    assert tree(real.published.parent) == before
    done("push")
    done("--home", DEMO_HOME, "push")
    assert (receiver.bodies, ids(real)) == ([], set())
