"""Broken caches: every kind of state file, damaged in every way, heals with a line, or is named with its remedy."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dagster_project import lake_files
from dagster_project.cli.main import main
from dagster_project.decisioning.incremental import plan
from dagster_project.decisioning.published import mend_published, publish, read_mart, writing
from dagster_project.enrichment.labeling import label_new
from dagster_project.errors import DecisionError, FeedbackControlError
from dagster_project.files import UnreadableError, telling_repairs
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.sources import load_sources
from dagster_project.loop import turn
from dagster_project.state import STATE_FILES, StateFile
from models_ml.errors import ModelError
from tests.faults.damage import DAMAGES, NOW, cases, copy, damages, flip, remove, rows, tables, write_sources

LATER = NOW + timedelta(hours=1)
MARTS = ("fct_feedback", "fct_issues", "fct_issue_activity", "out_tickets")
OF_THE_LAKE = [state for state in STATE_FILES if state.pattern.startswith("lake/") and "_locks" not in state.pattern]
ELSEWHERE = [
    # A replay home has no clock; ``test_clock`` breaks it.
    state
    for state in STATE_FILES
    if not state.pattern.startswith(("lake/", "models/", "dbt_target", "clock.json"))
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sources(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sources: Path, models_dir: Path) -> Home:
    """A home after one turn; every test breaks a copy of it."""
    home = Home(tmp_path_factory.mktemp("whole") / "home").marked("replay")  # decides and publishes as of the past
    home.models.symlink_to(models_dir)
    land(home, load_sources(sources), now=NOW)
    assert turn(home, sources=sources, as_of=NOW, send=False).repairs == []
    return home


@pytest.fixture
def home(whole: Home, tmp_path: Path) -> Home:
    return copy(whole, tmp_path / "home")


def healed(home: Home, sources: Path, now: datetime = LATER) -> tuple[list[str], LandingReport]:
    """What a turn does before and after its build, which takes seconds: the repairs, and the report on the sources."""
    with telling_repairs() as repairs:
        landed = land(home, load_sources(sources), now=now)
        label_new(home)
        mend_published(home)
        with writing(home):
            plan(home, now)
    return repairs, landed


@cases(OF_THE_LAKE)
def test_a_broken_file_of_the_lake_heals_and_the_rows_are_as_before(
    whole: Home, home: Home, sources: Path, kind: StateFile, damage: str
) -> None:
    broken = list(kind.paths(home))
    assert broken
    for path in broken:
        DAMAGES[damage](path)
    repairs, landed = healed(home, sources)
    assert rows(home) == rows(whole)
    assert [problem for problem in landed.problems if "lost" in problem or "could not" in problem] == []
    unread = "1970" in kind.pattern or kind.pattern == "lake/_landed/*.parquet"  # nobody asks for it in this turn
    harmless = unread or damage in ("missing", "of a newer version", "a flipped byte")
    assert repairs or harmless, "nothing was said"
    again, _ = healed(home, sources, LATER + timedelta(hours=1))
    assert again == []
    assert rows(home) == rows(whole)


@damages(*(name for name in DAMAGES if name != "of a newer version"), short=["cut", "missing"])
def test_a_lake_file_that_broke_or_vanished_is_named_moved_and_landed_again_with_its_instants(
    whole: Home, home: Home, sources: Path, damage: str
) -> None:
    path = next((home.lake / "releases").glob("ingest_date=2*/*.parquet"))
    known = rows(whole)["releases"]
    DAMAGES[damage](path)
    repairs, landed = healed(home, sources, LATER + timedelta(days=30))
    assert any(str(path.relative_to(home.root)) in line for line in repairs)
    assert any(line.startswith("landed again from their sources: 1 rows in 1 files of releases") for line in repairs)
    assert rows(home)["releases"] == known
    assert path.exists()
    assert landed.lines[1].landed == 1
    moved = list((home.root / "broken" / "releases").glob("*")) if (home.root / "broken").exists() else []
    assert len(moved) == (damage != "missing")


def test_rows_whose_source_is_gone_stay_named_until_they_are_given_up(home: Home, tmp_path: Path, whole: Home) -> None:
    sources = write_sources(tmp_path / "exports")  # other places: nothing here has a mark
    path = next((home.lake / "releases").glob("ingest_date=2*/*.parquet"))
    shutil.rmtree(path.parent)
    for mark in (home.lake / "_landed").glob("*.json"):
        mark.unlink()
    (tmp_path / "exports" / "releases.csv").write_text("release_id,product,version,environment,deployed_at\n")
    for _ in range(2):
        _, landed = healed(home, sources)
        (problem,) = [one for one in landed.problems if "is gone" in one]
        assert "releases:releases.csv could not be read again" in problem
        assert "repair --give-up" in problem
    runner = CliRunner()
    listed = runner.invoke(main, ["--home", str(home.root), "repair"])
    assert (listed.exit_code, "lost: lake/releases/" in listed.stdout) == (1, True)
    given = runner.invoke(main, ["--home", str(home.root), "repair", "--give-up"])
    assert (given.exit_code, "given up: lake/releases/" in given.stdout) == (0, True)
    assert [one for one in healed(home, sources)[1].problems if "is gone" in one] == []


def test_repair_finds_a_byte_that_flipped_without_a_trace_in_the_time_of_writing(home: Home) -> None:
    path = next((home.lake / "feedback").glob("ingest_date=2*/*.parquet"))
    stat = path.stat()
    flip(path, stat.st_size // 2)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert lake_files.check(home, "feedback") == []
    said = CliRunner().invoke(main, ["--home", str(home.root), "repair"])
    assert (said.exit_code, "is not as it was written" in said.stdout) == (1, True)


@cases(ELSEWHERE, first=3)
def test_a_broken_memory_warehouse_or_published_copy_is_made_anew(
    home: Home, sources: Path, kind: StateFile, damage: str
) -> None:
    path = sorted(kind.paths(home))[0]
    DAMAGES[damage](path)
    repairs, _ = healed(home, sources)
    with writing(home):
        everything = plan(home, LATER).rebuild_from is None
    if kind.pattern in ("built.json", "warehouse.duckdb"):
        assert everything or damage == "of a newer version"
    if kind.pattern == "warehouse.duckdb" and damage in ("empty", "cut", "garbage", "a folder", "missing"):
        assert any("warehouse.duckdb is" in line for line in repairs)
    if kind.pattern == "built.json" and damage not in ("missing", "of a newer version", "a flipped byte"):
        assert any("all models are built anew" in line for line in repairs)
    if kind.pattern != "warehouse.duckdb":
        publish(home)
        assert read_mart(home, "fct_feedback").height == 40


@damages("empty", "cut", "garbage", "a folder", short=["garbage"])
def test_commands_that_read_name_the_remedy_for_a_broken_published_copy(home: Home, damage: str) -> None:
    DAMAGES[damage](home.published)
    said = CliRunner().invoke(main, ["--home", str(home.root), "issues"])
    assert said.exit_code == 1
    assert f"build it anew with `feedback-control --home {home.root} run`" in said.stderr
    assert "Traceback" not in said.output


def test_a_warehouse_that_breaks_behind_an_intact_memory_is_noticed(home: Home) -> None:
    stat = home.warehouse.stat()
    home.warehouse.write_bytes(os.urandom(stat.st_size))
    os.utime(home.warehouse, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with telling_repairs() as repairs, writing(home):
        assert plan(home, LATER).rebuild_from is None
    assert "is broken" in repairs[0] and "all models are built anew" in repairs[0]
    with pytest.raises(DecisionError, match="broken"):
        publish(home)


def test_a_warehouse_in_use_is_not_taken_for_a_broken_one(home: Home) -> None:
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")
    opened, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(home.warehouse, opened, done))
    other.start()
    opened.wait()
    try:
        with pytest.raises(DecisionError, match="let the dbt that uses it finish"):
            publish(home)
    finally:
        done.set()
        other.join()


def _hold(path: Path, opened: object, done: object) -> None:
    with duckdb.connect(str(path)):
        opened.set()  # type: ignore[attr-defined]
        done.wait()  # type: ignore[attr-defined]


def test_a_state_file_that_may_not_be_read_is_named_with_the_command(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "built.json":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnreadableError, match=r"built.json cannot be read \(Permission denied\).*chmod u\+rw"):
        plan(home, LATER)


def test_a_turn_heals_what_broke_and_its_report_says_so(whole: Home, home: Home, sources: Path) -> None:
    for name in ("cut", "garbage"):
        DAMAGES[name](next((home.lake / "feedback").glob(f"ingest_date=2026-05-0{2 + (name == 'cut')}/*.parquet")))
    for path in (home.root / "built.json", home.warehouse, home.published):
        DAMAGES["garbage"](path)
    DAMAGES["a folder"](home.outbound / "out_tickets.jsonl")
    DAMAGES["garbage"](home.root / "dbt_target" / "partial_parse.msgpack")
    said: list[str] = []
    report = turn(home, sources=sources, as_of=NOW, send=False, progress=said.append)
    assert report.failures == []
    for part in ("built.json is broken", "published", "lake/feedback/", "landed again", "out_tickets.jsonl"):
        assert any(part in line for line in report.repairs), (part, report.repairs)
    assert {line.removeprefix("repaired: ") for line in said} >= set(report.repairs)
    before, after = tables(whole, MARTS), tables(home, MARTS)
    for mart in MARTS:
        assert_frame_equal(before[mart], after[mart])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def _any_damage(whole: Home, scratch: Path, chance: st.DataObject) -> tuple[Home, list[str]]:
    remove(scratch / "home")
    home = copy(whole, scratch / "home")
    places = [path for path in sorted(home.root.rglob("*")) if path.is_file() and home.models not in path.parents]
    broken = chance.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True))
    for path in broken:
        kind = chance.draw(st.sampled_from([*DAMAGES, "flip"]))
        flip(path, chance.draw(st.integers(0, 10**6))) if kind == "flip" else DAMAGES[kind](path)
    return home, [str(path.relative_to(home.root)) for path in broken]


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(chance=st.data())
def test_whatever_breaks_the_rows_are_the_same_or_the_error_is_named(
    whole: Home, sources: Path, scratch: Path, chance: st.DataObject
) -> None:
    home, _ = _any_damage(whole, scratch, chance)
    try:
        healed(home, sources)
    except (FeedbackControlError, ModelError):
        return
    assert rows(home) == rows(whole)


@pytest.mark.soak
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.data())
def test_whatever_breaks_the_next_turn_publishes_the_same_tables_or_names_the_error(
    whole: Home, sources: Path, scratch: Path, chance: st.DataObject
) -> None:
    home, _ = _any_damage(whole, scratch, chance)
    try:
        turn(home, sources=sources, as_of=NOW, send=False)
    except (FeedbackControlError, ModelError):
        return
    before, after = tables(whole, MARTS), tables(home, MARTS)
    for mart in MARTS:
        assert_frame_equal(before[mart], after[mart])
