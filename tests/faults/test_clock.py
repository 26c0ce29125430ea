"""Clocks that jump, and instants that cannot be: told, refused, and repaired by the next run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project import clock_repair, lake, loop
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.clock import EARLIEST, LONGEST_PAUSE, SKEW, check_clock
from dagster_project.clock_repair import repair_future
from dagster_project.errors import ConfigurationError
from dagster_project.files import telling_repairs
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from dagster_project.lake_tables import schema_of
from tests.automation.support import publish
from tests.faults.homes import REAL, cli, push_all, without_a_warehouse, write_real_exports

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").marked()


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The default home of a working directory, the sources to read, and a way to set the machine's clock."""
    _, home = without_a_warehouse(monkeypatch, tmp_path)
    sources = write_real_exports(tmp_path / "exports")

    def set_clock(instant: datetime) -> None:
        monkeypatch.setattr(loop, "datetime", SimpleNamespace(now=lambda _: instant))

    def run(*options: str) -> int:
        return cli("run", "--sources", str(sources), *options).exit_code

    return SimpleNamespace(home=home, sources=sources, set_clock=set_clock, run=run)


def write_row(sources: Path, key: str, occurred: str = "2026-05-02T10:00:00Z", known: str = "") -> None:
    """One more row of the export."""
    path = sources.parent / "reviews.csv"
    lines = path.read_text().splitlines()
    if known and "known_at" not in lines[0]:
        lines = [f"{lines[0]},known_at", *(f"{line}," for line in lines[1:])]
    row = f"{key},app_review,real-app,{occurred},the parcel is late" + (f",{known}" if "known_at" in lines[0] else "")
    path.write_text("\n".join([*lines, row]) + "\n")


def known(home: Home) -> dict[str, datetime]:
    """When each piece of feedback became known."""
    rows = lake.scan(home, "feedback").select("feedback_id", "known_at").collect()
    return dict(rows.iter_rows())


# ---------- the measured cases


def test_a_run_a_year_ahead_is_refused_and_reads_nothing(real: SimpleNamespace) -> None:
    real.set_clock(NOW)
    assert real.run() == 0
    write_row(real.sources, "r2")
    real.set_clock(NOW + YEAR)
    refused = cli("run", "--sources", str(real.sources))
    assert refused.exit_code == 2
    assert "365.0 days after the last run of this home (2026-06-01 12:00)" in refused.stderr
    assert "--force" in refused.stderr
    assert known(real.home).keys() == {"r1"}


def test_what_a_forced_run_a_year_ahead_hid_is_seen_by_the_next_run(real: SimpleNamespace) -> None:
    real.set_clock(NOW)
    assert real.run() == 0
    write_row(real.sources, "r2")
    real.set_clock(NOW + YEAR)
    assert real.run("--force") == 0
    assert known(real.home)["r2"] > NOW + timedelta(days=300)
    write_row(real.sources, "r3")
    real.set_clock(NOW + timedelta(hours=1))
    mended = cli("run", "--sources", str(real.sources))
    assert (mended.exit_code, "1 rows in 1 files were known in the future" in mended.stderr) == (0, True)
    assert max(known(real.home).values()) <= NOW + timedelta(hours=1)
    assert known(real.home)["r2"] < known(real.home)["r3"]
    assert list(real.home.lake.glob("_future/*/feedback/*/*.parquet"))
    assert "in the future" not in cli("run", "--sources", str(real.sources)).stderr
    assert lake.scan(real.home, "feedback").collect()["feedback_id"].sort().to_list() == ["r1", "r2", "r3"]


def test_a_home_that_was_made_with_the_clock_ahead_is_mended_without_force(real: SimpleNamespace) -> None:
    land(real.home, load_sources(real.sources), now=NOW + YEAR)  # by a version that did not look
    real.set_clock(NOW)
    assert real.run() == 0
    assert max(known(real.home).values()) <= NOW
    marks = [json.loads(path.read_text()) for path in (real.home.lake / "_landed").glob("*.json")]
    assert not [value for mark in marks for value in mark.values() if str(value).startswith("2027")]
    real.set_clock(NOW + timedelta(hours=2))
    (real.sources.parent / "reviews.csv").write_text(
        (real.sources.parent / "reviews.csv").read_text().replace("late", "lost")
    )
    assert real.run() == 0
    newest = lake.scan(real.home, "feedback").sort("known_at").collect().row(-1, named=True)
    assert newest["text"] == "the parcel is lost"
    assert newest["known_at"] <= NOW + timedelta(hours=2)


def test_a_repair_of_the_clock_loses_nothing_and_what_is_lost_later_returns_as_mended(real: SimpleNamespace) -> None:
    real.set_clock(NOW)
    assert real.run() == 0
    for key in ("r2", "r3"):
        write_row(real.sources, key)
        real.set_clock(NOW + YEAR + timedelta(hours=int(key[1])))
        assert real.run("--force") == 0
    real.set_clock(NOW + timedelta(hours=1))
    assert real.run("--force") == 0  # a second run had agreed with the first
    mended = known(real.home)
    assert NOW < mended["r2"] < mended["r3"] < NOW + timedelta(hours=1)
    deep = cli("--home", str(real.home.root), "repair")
    assert (deep.exit_code, "lost" in deep.stdout, "is gone" in deep.stdout) == (0, False, False)
    notes = [pl.read_parquet(path) for path in (real.home.lake / "_landed").glob("*.parquet")]
    assert not pl.concat(notes).filter(pl.col("known_at") > NOW + timedelta(hours=1)).height
    for file in real.home.lake.glob("feedback/ingest_date=2*/*.parquet"):
        file.unlink()
    real.set_clock(NOW + timedelta(hours=2))
    assert real.run() == 0
    assert known(real.home) == mended


def test_rows_that_were_lost_in_the_future_return_as_known_now(real: SimpleNamespace) -> None:
    land(real.home, load_sources(real.sources), now=NOW + YEAR)
    for file in real.home.lake.glob("feedback/ingest_date=2027*/*.parquet"):
        file.unlink()
    real.set_clock(NOW)
    assert real.run() == 0
    assert known(real.home) == {"r1": NOW}


def test_a_row_known_in_2199_is_known_now(real: SimpleNamespace) -> None:
    write_row(real.sources, "r2", known="2199-01-01T00:00:00Z")
    write_row(real.sources, "r3", known="2026-05-03T00:00:00Z")
    report = land(real.home, load_sources(real.sources), now=NOW)
    assert known(real.home) == {"r1": NOW, "r2": NOW, "r3": datetime(2026, 5, 3, tzinfo=UTC)}
    assert "known_at is not plausible in 1 row (first 2199-01-01 00:00 UTC, line 3)" in "; ".join(report.problems)
    again = land(real.home, load_sources(real.sources), now=NOW + timedelta(hours=1))
    assert sum(line.landed + line.changed for line in again.lines) == 0


# ---------- of the same kind


@pytest.mark.parametrize("occurred", ["2199-01-01", "2026-06-03", "1970-01-01", "1989-12-31T23:59:59Z"])
def test_a_row_that_cannot_have_happened_then_is_quarantined(real: SimpleNamespace, occurred: str) -> None:
    write_row(real.sources, "r2", occurred=occurred)
    report = land(real.home, load_sources(real.sources), now=NOW)
    assert (list(known(real.home)), report.quarantined) == (["r1"], 1)
    assert "occurred_at" in report.problems[0] and "is not plausible: it is 2026-06-01" in report.problems[0]


@pytest.mark.parametrize("occurred", ["2026-06-02T01:00:00", "1990-01-01"])
def test_a_time_zone_that_is_wrong_by_hours_is_no_reason(real: SimpleNamespace, occurred: str) -> None:
    write_row(real.sources, "r2", occurred=occurred)
    assert land(real.home, load_sources(real.sources), now=NOW).quarantined == 0


def test_a_replay_home_takes_rows_of_any_present(tmp_path: Path, real: SimpleNamespace) -> None:
    replay = Home(tmp_path / "replay").marked("replay")
    write_row(real.sources, "r2", occurred="2026-08-01", known="2026-08-01T00:00:00Z")
    assert land(replay, load_sources(real.sources), now=NOW).problems == []
    assert repair_future(replay, NOW) == []
    assert known(replay)["r2"] == datetime(2026, 8, 1, tzinfo=UTC)


def test_a_clock_that_went_back_is_refused(real: SimpleNamespace) -> None:
    real.set_clock(NOW)
    assert real.run() == 0
    for earlier in (NOW - timedelta(hours=1), NOW - 10 * YEAR, datetime(1970, 1, 1, tzinfo=UTC)):
        real.set_clock(earlier)
        assert real.run() == 2
    real.set_clock(NOW - timedelta(minutes=5))  # a correction by NTP
    assert real.run() == 0
    real.set_clock(NOW - timedelta(hours=1))
    assert (real.run("--force"), real.run()) == (0, 0)


def test_a_machine_that_was_off_for_weeks_just_goes_on(home: Home) -> None:
    for days in (0, 7, 28):
        check_clock(home, NOW + timedelta(days=days))
    with pytest.raises(ConfigurationError, match="nothing was read or sent"):
        check_clock(home, NOW + timedelta(days=28) + LONGEST_PAUSE + SKEW)


def test_a_machine_that_was_off_for_a_year_is_forced_once(home: Home) -> None:
    check_clock(home, NOW)
    check_clock(home, NOW + YEAR, force=True)
    check_clock(home, NOW + YEAR + timedelta(hours=1))
    with pytest.raises(ConfigurationError, match="before the last run"):
        check_clock(home, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"last": "soon", "ahead": null}',
        '{"last": "2026-11-30T20:00:00", "ahead": null}',
        '{"last": "0001-01-01T00:00:00+00:00", "ahead": null}',
        '{"last": "2026-11-30T20:00:00+00:00", "ahead": "2027-11-30T20:00:00"}',
    ],
)
def test_a_damaged_note_of_the_clock_stops_nothing(home: Home, content: str) -> None:
    (home.root / "clock.json").write_text(content)
    with telling_repairs() as repairs:
        check_clock(home, NOW)
    assert json.loads((home.root / "clock.json").read_text())["last"] == NOW.isoformat()
    assert any("clock.json is broken" in line for line in repairs) or "0001" in content


def test_what_a_push_ahead_left_in_the_ledger_waits_no_year(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDBACK_LEDGER_URL", raising=False)
    publish(home, [REAL])
    now = datetime.now(UTC)
    ledger = Ledger(home.ledger_url, now=now + YEAR)
    ledger.ownership.claim(home.marker)
    ledger.pull_cursors.limit_rate("local", now + YEAR)
    with ledger.pull_cursors.advance_cursor("local", now + YEAR):
        pass
    assert ledger.rate_limited_until("local", now)
    (said,) = ledger.repair_future(now)
    assert "pull_cursors.limited_until, pull_cursors.pulled_until" in said
    assert ledger.pull_cursors.pulled_until("local") is None
    assert ledger.repair_future(now) == []
    push_all(home)
    assert (home.tickets / "FC-1.md").exists()
    assert ledger.verify_audit().holds


def rows(instants: list[datetime]) -> pl.DataFrame:
    schema = schema_of("feedback")
    return pl.DataFrame(
        [
            {name: None for name in schema}
            | {"feedback_id": f"f{place % 3}", "content_hash": str(place), "known_at": instant, "occurred_at": NOW}
            for place, instant in enumerate(instants)
        ],
        schema=schema,
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(-5_000, 20_000), min_size=1, max_size=12, unique=True),
    st.sampled_from([None, "_plan", "append"]),
)
def test_a_repair_keeps_every_row_and_their_order_wherever_it_is_interrupted(
    tmp_path_factory: pytest.TempPathFactory, hours: list[int], stop: str | None
) -> None:
    home = Home(tmp_path_factory.mktemp("lake")).marked()
    before = rows([NOW + timedelta(hours=hour) for hour in hours])
    lake.append(home, "feedback", before)
    if stop:
        with interrupted(stop):
            repair_future(home, NOW)
    repair_future(home, NOW + timedelta(minutes=1))
    after = lake.scan(home, "feedback").collect()
    assert after["known_at"].max() <= NOW + timedelta(minutes=1) + SKEW  # type: ignore[operator]
    assert after.sort("known_at")["content_hash"].to_list() == before.sort("known_at")["content_hash"].to_list()
    kept = pl.col("known_at") <= NOW
    assert after.filter(kept).join(before.filter(kept), on=["content_hash", "known_at"], how="semi").height == (
        before.filter(kept).height
    )


class interrupted:
    """A kill in the middle of a repair: after the plan was noted, or after the first rows were appended."""

    def __init__(self, stop: str) -> None:
        self.stop, self.patch = stop, pytest.MonkeyPatch()

    def __enter__(self) -> None:
        module = clock_repair if self.stop == "_plan" else lake
        original = getattr(module, self.stop)

        def kill(*arguments: object) -> None:
            original(*arguments)
            raise KeyboardInterrupt

        self.patch.setattr(module, self.stop, kill)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.patch.undo()
        return kind in (None, KeyboardInterrupt)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-900, 900), st.booleans()), min_size=1, max_size=12))
def test_no_run_is_believed_that_jumped_without_force(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    home, believed = Home(tmp_path_factory.mktemp("clock")), NOW
    check_clock(home, believed)
    for days, force in steps:
        now = believed + timedelta(days=days)
        if now < EARLIEST:
            continue
        jumps = now < believed - SKEW or now > believed + LONGEST_PAUSE
        ahead = json.loads((home.root / "clock.json").read_text())["ahead"]
        agrees = ahead is not None and now >= datetime.fromisoformat(ahead) - SKEW
        try:
            check_clock(home, now, force=force)
        except ConfigurationError:
            assert jumps and not force
        else:
            assert not jumps or force or agrees
        believed = datetime.fromisoformat(json.loads((home.root / "clock.json").read_text())["last"])


def test_landing_in_dagster_looks_at_the_clock(real: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster import materialize

    from dagster_project.ingestion import assets
    from dagster_project.resources import HomeResource

    check_clock(real.home.marked(), datetime.now(UTC) - YEAR)
    result = materialize(
        [assets.landing],
        resources={"home": HomeResource(root=str(real.home.root), sources=str(real.sources))},
        partition_key=f"{datetime.now(UTC):%Y-%m-%d}",
        raise_on_error=False,
    )
    assert not result.success
    assert "after the last run of this home" in str(
        next(event for event in result.all_events if event.is_step_failure).step_failure_data.error
    )
    assert not list(real.home.lake.glob("feedback/*"))
