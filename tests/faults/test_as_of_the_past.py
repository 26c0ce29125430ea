"""Decisions as of a past instant are a view: they neither publish nor send, and write nothing into their home."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from dagster import materialize

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.automation.tickets.push import push
from dagster_project.decisioning.published import publish as publish_built
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from dagster_project.resources import HomeResource
from tests.faults.homes import (
    LAST_WEEK,
    PAST,
    REAL,
    TODAY,
    YESTERDAY,
    Receiver,
    cli,
    decided,
    ids,
    push_all,
    tree,
    webhook,
)


def test_a_run_as_of_the_past_neither_sends_nor_replaces_what_is_published(
    two: SimpleNamespace, receiver: Receiver
) -> None:
    cli("run", "--sources", two.sources)
    (two.real.root / "destinations.yml").write_text(webhook(receiver))
    cli("push")
    heard, before = list(receiver.bodies), tree(two.real.root)
    past = cli("run", "--sources", two.sources, "--as-of", LAST_WEEK)
    assert past.exit_code == 0
    assert f"as of {LAST_WEEK} 00:00 UTC: a view of its own in" in past.stderr
    assert "nothing was published or sent" in past.stderr
    after = {name: content for name, content in tree(two.real.root).items() if not name.startswith("views/")}
    assert {name for name in after if after[name] != before.get(name)} <= {"clock.json"}
    assert receiver.bodies == heard
    assert ids(two.real) == {REAL.issue_id}
    (view,) = (two.real.root / "views").iterdir()
    assert [issue.issue_id for issue in read_queue(Home(view))] == [PAST.issue_id]
    assert (Home(view).kind, Home(view).lake.joinpath("feedback").is_symlink()) == ("replay", True)
    assert cli("push").stdout.count("unchanged") == 1


def test_an_old_queue_is_not_sent_after_a_newer_one(two: SimpleNamespace) -> None:
    home = two.real.marked("production")
    decided(home, [REAL], TODAY)
    push_all(home)
    decided(home, [PAST], TODAY - timedelta(days=7))
    late = push(home, now=datetime.now(UTC), destinations=load_destinations(home))
    assert "one as of" in late.stopped[0] and "was sent before" in late.stopped[0]
    assert ids(home) == {REAL.issue_id}
    refused = cli("push")
    assert (refused.exit_code, "nothing is sent" in refused.stderr) == (1, True)


def test_a_warehouse_of_the_past_is_not_published(two: SimpleNamespace) -> None:
    home = two.real.marked("production")
    decided(home, [REAL], TODAY)
    before = home.published.read_bytes()
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("create table out_tickets as select timestamp '2026-01-01' as as_of")
    with pytest.raises(ConfigurationError, match="was built as of 2026-01-01 00:00 UTC, before what is published"):
        publish_built(home)
    assert home.published.read_bytes() == before


def test_dagster_pinned_to_the_past_builds_nothing_in_a_production_home(two: SimpleNamespace) -> None:
    from dagster_project.decisioning.assets import warehouse

    home = two.real.marked("production")
    decided(home, [REAL], TODAY)
    before = tree(home.root)
    result = materialize(
        [warehouse],
        resources={"home": HomeResource(root=str(home.root))},
        run_config={"ops": {"warehouse": {"config": {"as_of": LAST_WEEK}}}},
        raise_on_error=False,
    )
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "decides it in a view of its own" in str(failure.step_failure_data.error)
    assert {name: content for name, content in tree(home.root).items() if name in before} == before


def test_a_replay_leaves_what_is_published(two: SimpleNamespace) -> None:
    cli("run", "--sources", two.sources)
    published = two.real.published.read_bytes()
    done = cli("replay", "--sources", two.sources, "--from", LAST_WEEK, "--to", YESTERDAY, "--every-hours", "72")
    assert done.exit_code == 0
    assert two.real.published.read_bytes() == published
    assert ids(two.real) == {REAL.issue_id}
    assert [one.issue_id for one in read_queue(two.real.view(TODAY - timedelta(days=1)))] == [PAST.issue_id]


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--sources", "{}"),
        ("push",),
        ("pull",),
        ("replay", "--sources", "{}", "--from", LAST_WEEK, "--to", YESTERDAY),
    ],
)
def test_a_view_writes_nothing_into_the_lake_of_its_home(two: SimpleNamespace, command: tuple[str, ...]) -> None:
    cli("run", "--sources", two.sources)
    cli("run", "--sources", two.sources, "--as-of", YESTERDAY)
    view = two.real.view(TODAY - timedelta(days=1))
    before = tree(two.real.lake)
    refused = cli("--home", str(view.root), *(part.format(two.sources) for part in command))
    assert (refused.exit_code, f"run this command with --home {two.real.root}" in refused.stderr) == (2, True)
    assert tree(two.real.lake) == before


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_outside_the_years_that_exist_is_bad_usage(tmp_path: Path, instant: str) -> None:
    assert cli("--home", str(tmp_path / "home"), "run", "--as-of", instant).exit_code == 2


def test_an_as_of_in_the_future_is_refused(two: SimpleNamespace) -> None:
    ahead = (TODAY + timedelta(days=2)).strftime("%Y-%m-%d")
    for command in (
        ("run", "--sources", two.sources, "--as-of", ahead),
        ("demo", "--until", ahead),
        ("replay", "--sources", two.sources, "--from", LAST_WEEK, "--to", ahead),
        ("drift", "--as-of", ahead),
        ("label-queue", "--as-of", ahead),
    ):
        refused = cli(*command)
        assert (refused.exit_code, "lies in the future" in refused.stderr) == (2, True), command
