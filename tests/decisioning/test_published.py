"""The published copy: whole at every instant, one way to read it, and openable by others' DuckDB."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import pytest

from dagster_project.decisioning import decide as decide_module
from dagster_project.decisioning.published import publish, read_mart, writing
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.home import Home

ROWS = 200
TABLES = ("fct_issues", "out_mitigations", "out_tickets")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A warehouse as a build leaves it, made by hand: two tables, and views of the lake."""
    home = Home(tmp_path / "home")
    home.root.mkdir()
    with duckdb.connect(str(home.warehouse)) as connection:
        for table in TABLES:
            connection.execute(
                f"create table {table} as select printf('ISS-%04d', {ROWS} - i) as issue_id, i % 2 as number,"
                " case i % 3 when 0 then 'open' else 'resolved' end as status, 'regression' as verdict,"
                " timestamp '2026-03-01' as started_at, timestamptz '2026-03-01 12:00:00+02' as seen_at"
                f" from range({ROWS}) as numbers (i)"
            )
        connection.execute("create schema lake")
        connection.execute("create view lake.feedback as select 1 as one")
        connection.execute("create view stg_feedback as select * from lake.feedback")
        connection.execute("create view fct_open as select * from fct_issues where status = 'open'")
    return home


def _publish_often(root: Path, times: int) -> list[str]:
    failures = []
    for _ in range(times):
        try:
            publish(Home(root))
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
    return failures


def _read_on(root: Path, begun: Event, done: Event) -> tuple[int, list[str]]:
    home, reads, failures = Home(root), 0, []
    while not done.is_set():
        try:
            found = {table: read_mart(home, table, ["issue_id"]).height for table in TABLES}
            if set(found.values()) != {ROWS}:
                failures.append(f"rows: {found}")
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
        reads += 1
        begun.set()
    return reads, failures


def test_two_processes_publish_at_once_and_a_third_never_finds_a_table_missing(home: Home) -> None:
    publish(home)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, spawn.Pool(3) as pool:
        begun, done = manager.Event(), manager.Event()
        reading = pool.apply_async(_read_on, (home.root, begun, done))
        begun.wait()
        publishing = [pool.apply_async(_publish_often, (home.root, 40)) for _ in range(2)]
        failures = [failure for one in publishing for failure in one.get()]
        done.set()
        reads, unread = reading.get()
    assert (failures, unread) == ([], [])
    assert reads > 40
    assert [path.name for path in home.published.parent.iterdir()] == ["warehouse.duckdb"]


def _hold(root: Path, taken: Event, done: Event) -> None:
    with writing(Home(root)):
        taken.set()
        done.wait()


def test_a_decision_waits_for_the_one_in_progress_and_lets_nobody_in_before_it_has_published(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = multiprocessing.get_context("spawn")
    taken, done, told = spawn.Event(), spawn.Event(), []
    holder = spawn.Process(target=_hold, args=(home.root, taken, done))
    holder.start()
    taken.wait()

    def progress(message: str) -> None:
        told.append(message)
        done.set()

    def built(home: Home, *, as_of: datetime) -> None:
        told.append(f"built as of {as_of:%Y-%m-%d}")
        other.start()
        assert not published.wait(0.3)  # it waits until this decision has published

    def publish_too() -> None:
        publish(home)
        published.set()

    published, other = threading.Event(), threading.Thread(target=publish_too)
    monkeypatch.setattr(decide_module, "build", built)
    report = decide_module.decide(home, as_of=datetime(2026, 3, 1, tzinfo=UTC), progress=progress)
    other.join()
    holder.join()
    assert told[0].startswith(f"waiting for process {holder.pid}, which holds {home.warehouse.with_suffix('.lock')}")
    assert told[1:3] == ["deciding: dbt builds the models", "built as of 2026-03-01"]
    assert report.outbound == {"out_tickets": ROWS, "out_mitigations": ROWS}


def test_a_mart_comes_back_as_a_frame_with_the_columns_and_rows_that_were_asked_for(home: Home) -> None:
    publish(home)
    assert read_mart(home, "fct_issues").shape == (ROWS, 6)
    chosen = {"issue_id": ["ISS-0001", "ISS-0002", "ISS-NOPE"], "status": "open"}
    found = read_mart(home, "fct_issues", ["issue_id", "seen_at"], where=chosen)
    assert found.rows() == [("ISS-0002", datetime(2026, 3, 1, 10, tzinfo=UTC))]
    assert read_mart(home, "fct_issues", where={"issue_id": []}).height == 0
    assert read_mart(home, "fct_issues", where={"issue_id": "' or true --"}).height == 0


def test_the_lake_is_not_published_and_outbound_rows_stand_in_the_order_of_their_columns(home: Home) -> None:
    publish(home)
    with duckdb.connect(str(home.published), read_only=True) as connection:
        assert connection.sql("select table_name from duckdb_tables() order by all").fetchall() == [
            (table,) for table in TABLES
        ]
        assert connection.sql("select view_name from duckdb_views() where not internal").fetchall() == [("fct_open",)]
        assert connection.sql("select schema_name from duckdb_schemas() where schema_name = 'lake'").fetchall() == []
    assert 0 < read_mart(home, "fct_open").height < ROWS
    lines = (home.outbound / "out_tickets.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == ROWS
    assert lines == sorted(lines, key=lambda line: line.split('"issue_id": ')[1])


def test_before_anything_is_published_the_error_names_a_command_that_exists(home: Home) -> None:
    from click.testing import CliRunner

    from dagster_project.cli.main import main

    with pytest.raises(ConfigurationError) as error:
        read_mart(home, "fct_issues")
    command = str(error.value).split("`")[1].split()
    assert command == ["feedback-control", "--home", str(home.root), "run"]
    assert CliRunner().invoke(main, [*command[1:], "--help"]).exit_code == 0


def test_a_mart_that_this_version_does_not_publish_is_named(home: Home) -> None:
    publish(home)
    with pytest.raises(DecisionError, match=r"fct_roi.*feedback-control --home .* run"):
        read_mart(home, "fct_roi")
    with pytest.raises(DecisionError, match="margin"):
        read_mart(home, "fct_issues", ["margin"])


def test_a_warehouse_that_a_dbt_started_by_hand_is_writing_is_not_copied(home: Home) -> None:
    publish(home)
    before = home.published.read_bytes()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_open_for_writing, (home.warehouse,))
        with pytest.raises(DecisionError, match="let the dbt that uses it finish"):
            publish(home)
    assert home.published.read_bytes() == before


def _open_for_writing(path: Path) -> None:
    globals()["kept"] = duckdb.connect(str(path))


def test_rows_that_a_killed_dbt_left_in_the_log_are_published_too(home: Home) -> None:
    kept = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(home.warehouse,))
    kept.start()
    kept.join()
    assert home.warehouse.with_name("warehouse.duckdb.wal").exists()
    publish(home)
    assert read_mart(home, "fct_issues").height == ROWS + 1


def _write_and_die(path: Path) -> None:
    connection = duckdb.connect(str(path))
    connection.execute("insert into fct_issues (issue_id) values ('late')")
    os.kill(os.getpid(), signal.SIGKILL)
