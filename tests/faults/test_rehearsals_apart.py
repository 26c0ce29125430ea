"""A line between rehearsal and the real thing: whatever the order of commands, nothing crosses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from dagster import materialize
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dagster_project.automation.destinations import load_destinations, refused_destinations
from dagster_project.automation.destinations.local import list_tickets
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.automation.tickets.push import push
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.published import publish as publish_built
from dagster_project.errors import ConfigurationError
from dagster_project.home import DEFAULT_HOME, DEMO_HOME, REPOSITORY, Home
from dagster_project.home_kind import KINDS, kind_of, read_marker
from dagster_project.ingestion.provenance import sources_of
from dagster_project.resources import HomeResource
from dagster_project.views import open_view
from models_ml.model.classifier import Classifier
from tests.automation.support import publish
from tests.faults.homes import (
    PAST,
    REAL,
    SECRET,
    SIMULATED,
    Receiver,
    cli,
    decided,
    push_all,
    receiving,
    webhook,
    without_a_warehouse,
    write_real_exports,
    write_small_shop,
)

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY, LAST_WEEK = ((TODAY - timedelta(days=days)).strftime("%Y-%m-%d") for days in (1, 7))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A working directory with exports of a real shop, and its two default homes."""
    demo, real = without_a_warehouse(monkeypatch, tmp_path)
    return SimpleNamespace(demo=demo, real=real, sources=str(write_real_exports(tmp_path / "exports")), folder=tmp_path)


def ids(home: Home) -> set[str]:
    """The issues that a home's tickets are about."""
    return {path.read_text().partition("\nissue: ")[2].split("\n")[0] for path in home.tickets.glob("FC-*.md")}


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


# ---------- the measured cases


def test_demo_then_run_then_demo_on_another_day_deletes_nothing(two: SimpleNamespace) -> None:
    assert cli("demo", "--until", LAST_WEEK).exit_code == 0
    assert cli("run", "--sources", two.sources).exit_code == 0
    before = tree(two.real.root)
    assert ids(two.real) == {REAL.issue_id}
    again = cli("demo")
    assert again.exit_code == 0
    assert tree(two.real.root) == before
    (backup,) = two.folder.glob(".feedback-control-demo.backup-*")
    assert backup.name in again.stderr
    assert (backup / "tickets" / "FC-1.md").exists()
    assert (backup / "ledger.sqlite").exists()
    assert (two.demo.kind, two.real.kind) == ("demo", "production")


def test_a_demo_in_a_home_with_real_data_is_refused(two: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("run", "--sources", two.sources).exit_code == 0
    before = tree(two.real.root)
    refused = cli("--home", str(two.real.root), "demo")
    monkeypatch.setenv("FEEDBACK_HOME", str(two.real.root))
    by_environment = cli("demo", "--yes")
    assert (refused.exit_code, by_environment.exit_code) == (2, 2)
    assert "is a production home; a demo has a home of its own" in refused.stderr
    assert tree(two.real.root) == before


@pytest.mark.parametrize("name", ["sources.yml", "destinations.yml", "playbook.yml", "golden", "unknown.txt"])
def test_a_demo_in_a_home_that_somebody_has_only_configured_is_refused(two: SimpleNamespace, name: str) -> None:
    two.real.root.mkdir()
    (two.real.root / name).write_text("mine")
    assert cli("--home", str(two.real.root), "demo").exit_code == 2
    assert (two.real.root / name).read_text() == "mine"


def test_run_with_ones_own_sources_in_the_demos_home_is_refused(two: SimpleNamespace) -> None:
    cli("demo")
    before = tree(two.demo.lake)
    refused = cli("--home", str(two.demo.root), "run", "--sources", two.sources)
    assert refused.exit_code == 2
    assert "is a demo home" in refused.stderr and "--home .feedback-control run" in refused.stderr
    assert tree(two.demo.lake) == before


@pytest.mark.parametrize("way", ["sources", "copied shop", "link", "pattern"])
def test_a_production_home_is_not_fed_by_a_demo(two: SimpleNamespace, way: str) -> None:
    cli("demo")
    shop, here = two.demo.root / "demo", two.folder / "mine"
    here.mkdir()
    entry = "sources:\n- {{name: reviews, table: feedback, path: '{}'}}\n"
    if way == "sources":
        path = shop / "sources.yml"
    elif way == "copied shop":
        path = Path(shutil.copytree(shop, here / "copy")) / "sources.yml"
    elif way == "link":
        (here / "reviews.csv").symlink_to(shop / "reviews.csv")
        followed = entry.replace("}}", ", limits: {{follow_links: true}}}}")  # without it, links are not read at all
        (path := here / "sources.yml").write_text(followed.format("*.csv"))
    else:
        (path := here / "sources.yml").write_text(entry.format(f"{shop}/*.csv"))
    refused = cli("run", "--sources", str(path))
    assert refused.exit_code == 2
    assert "another home" in refused.stderr or "simulated shop" in refused.stderr
    assert not list(two.real.lake.glob("feedback/ingest_date=2*"))
    assert sources_of(Home(two.folder / "elsewhere").marked("replay"), path)


def test_the_demos_sources_are_no_fallback_of_a_production_home(two: SimpleNamespace) -> None:
    with pytest.raises(ConfigurationError, match="no sources at"):
        two.real.marked("production").sources()
    write_small_shop(two.real.root / "demo", until=TODAY)
    with pytest.raises(ConfigurationError, match="this is a demo home"):
        two.real.sources()


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
    from dagster_project.resources import dbt_resource

    home = two.real.marked("production")
    decided(home, [REAL], TODAY)
    before = tree(home.root)
    result = materialize(
        [warehouse],
        resources={"home": HomeResource(root=str(home.root)), "dbt": dbt_resource()},
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


def test_a_lake_that_is_linked_from_another_home_is_not_written(two: SimpleNamespace, tmp_path: Path) -> None:
    cli("run", "--sources", two.sources)
    before = tree(two.real.lake)
    other = Home(tmp_path / "other").marked("staging")
    other.lake.symlink_to(two.real.lake)
    assert cli("--home", str(other.root), "run", "--sources", two.sources).exit_code == 2
    assert tree(two.real.lake) == before


def test_a_demo_that_starts_over_remembers_nothing_of_the_one_before(two: SimpleNamespace) -> None:
    cli("demo", "--yes")
    before = Ledger.of(two.demo)
    done = cli("demo", "--yes", "--until", YESTERDAY)
    now = Ledger.of(two.demo)
    assert done.exit_code == 0
    assert now.continuity.epoch() is None
    (backup,) = two.folder.glob(f"{DEMO_HOME}.backup-*")
    assert Ledger(f"sqlite:///{backup / 'ledger.sqlite'}", head=backup / "ledger.head").continuity.gap is None
    assert before.continuity.has_head


@pytest.mark.parametrize("inner", ["lake", "tickets/inner", "deep/er"])
def test_no_home_is_made_inside_another_one(tmp_path: Path, inner: str) -> None:
    home = Home(tmp_path / "home").marked("production")
    refused = cli("--home", str(home.root / inner), "init", "--kind", "demo")
    assert (refused.exit_code, "lies inside another home" in refused.stderr) == (2, True)
    assert not (home.root / inner / "home.yml").exists()


@pytest.mark.parametrize("name", ["a home", "what?", "100%3F", "it's #1; $x"])
def test_the_ledger_lies_in_its_home_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "homes" / name).marked("production")
    publish(home, [REAL])
    push_all(home)
    assert [path.name for path in (tmp_path / "homes").iterdir()] == [name]
    assert (home.root / "ledger.sqlite").stat().st_size


@pytest.mark.parametrize("name", ["home*", "home [1]", "home?", "home#1", "a;b", 'my "home"'])
def test_a_folder_that_reads_as_a_pattern_or_address_is_no_home(tmp_path: Path, name: str) -> None:
    refused = cli("--home", str(tmp_path / name), "init")
    assert (refused.exit_code, "give --home another folder" in refused.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


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


def test_a_demo_sends_nothing_to_a_configured_webhook(
    two: SimpleNamespace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.demo.marked("demo")
    (two.demo.root / "destinations.yml").write_text(webhook(receiver))
    done = cli("demo")
    push_all(two.demo)
    assert done.exit_code == 0
    assert "webhook: nothing is sent to 127.0.0.1: this is a demo home" in done.stderr
    assert receiver.bodies == []
    assert ids(two.demo) == {SIMULATED.issue_id}


def test_the_destinations_of_the_working_directory_are_nobodys(two: SimpleNamespace, receiver: Receiver) -> None:
    (two.folder / "destinations.yml").write_text(webhook(receiver))
    cli("demo")
    cli("run", "--sources", two.sources)
    assert receiver.bodies == []
    assert [one.name for one in load_destinations(two.real)] == ["local"]


# ---------- of the same kind


EVERY_KIND = """\
version: 1
destinations:
- {kind: local}
- {kind: local, name: elsewhere, folder: ../shared}
- {kind: events, file: ../events.jsonl}
- {kind: github, repository: acme/shop}
- {kind: jira, base_url: https://acme.atlassian.net, project: OPS, user: bot@example.com}
- {kind: mail, host: localhost, sender: a@example.com, to: [b@example.com]}
- {kind: opsgenie}
- {kind: pagerduty}
- {kind: request_tracker, base_url: 'http://127.0.0.1:8080/rt', queue: ops}
- {kind: servicenow, base_url: https://acme.service-now.com, user: bot}
- {kind: slack, channel: C01ABCDEF}
- {kind: webhook, base_url: 'http://localhost:9/hook'}
"""


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_leaves_the_home_fits_its_kind(tmp_path: Path, kind: str) -> None:
    home = Home(tmp_path / "home").marked(next(one for one in KINDS if one == kind))
    path = home.root / "destinations.yml"
    path.write_text(EVERY_KIND)
    names = {one.name for one in load_destinations(home)}
    refused = refused_destinations(home)
    if kind == "production":
        assert (len(names), refused) == (12, [])
    else:
        assert (names, len(refused)) == ({"local"}, 11)
    path.write_text(EVERY_KIND.replace("}", ", environment: staging}"))
    assert len(load_destinations(home)) == {"production": 1, "staging": 12}.get(kind, 1)
    path.write_text(EVERY_KIND.replace("}", ", environment: simulated}"))
    simulated = {one.name for one in load_destinations(home)}
    if kind in ("demo", "replay"):
        assert simulated == {"local", "mail", "request_tracker", "webhook"}
    else:
        assert simulated == {"local"}


def test_tickets_that_are_linked_into_another_home_are_not_written(tmp_path: Path) -> None:
    real = Home(tmp_path / "real").marked("production")
    real.tickets.mkdir()
    rehearsal = Home(tmp_path / "demo").marked("demo")
    rehearsal.tickets.symlink_to(real.tickets)
    publish(rehearsal, [SIMULATED])
    assert "lies in another home (production)" in refused_destinations(rehearsal)[0]
    push_all(rehearsal)
    assert list_tickets(real.tickets) == []


def test_a_rehearsal_has_a_ledger_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    monkeypatch.setenv("FEEDBACK_LEDGER_URL", shared)
    for kind in KINDS:
        home = Home(tmp_path / kind).marked(kind)
        assert (home.ledger_url == shared) is (kind in ("production", "staging"))


def test_a_ledger_belongs_to_one_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_LEDGER_URL", f"sqlite:///{tmp_path / 'shared.sqlite'}")
    first, other = Home(tmp_path / "first").marked(), Home(tmp_path / "other").marked()
    staging = Home(tmp_path / "staging").marked("staging")
    for home in (first, other, staging):
        publish(home, [REAL])
    push_all(first)
    for stranger in (other, staging):
        with pytest.raises(ConfigurationError, match="the ledger belongs to another home"):
            push_all(stranger)
        assert cli("--home", str(stranger.root), "pull").exit_code == 2
        assert cli("--home", str(stranger.root), "dead-letters", "list").exit_code == 2
    assert cli("--home", str(other.root), "ledger", "accept").exit_code == 0
    push_all(other)
    with pytest.raises(ConfigurationError, match="belongs to another home"):
        push_all(first)
    assert cli("--home", str(staging.root), "ledger", "accept").exit_code == 2
    assert Ledger(other.ledger_url).verify_audit().holds


def test_a_kind_never_changes(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert cli("--home", str(home.root), "init", "--kind", "staging").stdout == f"{home.root} is a staging home\n"
    changed = cli("--home", str(home.root), "init", "--kind", "production")
    assert (changed.exit_code, "is a staging home, not a production home" in changed.stderr) == (2, True)
    publish(home, [REAL])
    push_all(home)
    marker = home.root / "home.yml"
    marker.write_text(marker.read_text().replace("kind: staging", "kind: production"))
    with pytest.raises(ConfigurationError, match="belongs to another home"):
        push_all(home)


@pytest.mark.parametrize(
    "content", ["", "kind: demo", "kind: [", "kind: test\nhome_id: x\ncreated_at: 2026-01-01", "\0"]
)
def test_a_damaged_marker_lets_nothing_out(tmp_path: Path, content: str) -> None:
    home = Home(tmp_path)
    publish(home, [REAL])
    (tmp_path / "home.yml").write_text(content)
    with pytest.raises(ConfigurationError, match=r"home\.yml"):
        push_all(home)
    assert cli("--home", str(tmp_path), "demo").exit_code == 2


def test_a_home_without_a_marker_is_what_it_holds(tmp_path: Path) -> None:
    write_small_shop(tmp_path / "old" / "demo", until=TODAY)
    assert (kind_of(tmp_path / "old"), kind_of(tmp_path / "new")) == ("demo", "production")
    assert not (tmp_path / "old" / "home.yml").exists()
    assert Home(tmp_path / "old").marker == read_marker(tmp_path / "old")
    assert Home(tmp_path / "old").marker.home_id == Home(tmp_path / "old").marker.home_id
    with pytest.raises(ConfigurationError, match="is a demo home, not a production home"):
        Home(tmp_path / "old").marked("production")


def edited_ticket(home: Home) -> None:
    path = home.tickets / "FC-1.md"
    path.write_text(path.read_text() + "\nI have looked at this for an hour.\n")


def label_queue(home: Home) -> None:
    (home.reports / "drift" / "x").mkdir(parents=True)
    (home.reports / "drift" / "x" / "queue.csv").write_text(
        "text,issue_type\nI have looked at this for an hour,other\n"
    )


def note_beside_tickets(home: Home) -> None:
    (home.tickets / "notes.md").write_text("I have looked at this for an hour")


def own_export(home: Home) -> None:
    (home.root / "demo" / "mine.csv").write_text("I have looked at this for an hour")


def edited_sources(home: Home) -> None:
    (home.root / "demo" / "sources.yml").write_text("# I have looked at this for an hour")


def settled_letter(home: Home) -> None:
    Ledger.of(home, actor="jo").continuity.set_place("local", "elsewhere", datetime.now(UTC))


@pytest.mark.parametrize(
    "write", [edited_ticket, edited_sources, label_queue, note_beside_tickets, own_export, settled_letter]
)
def test_what_people_wrote_in_a_demo_is_asked_about_and_kept(
    two: SimpleNamespace, write: Callable[[Home], None]
) -> None:
    cli("demo", "--until", LAST_WEEK)
    write(two.demo)
    before = tree(two.demo.root)
    refused = cli("demo")
    assert (refused.exit_code, "what people may have written" in refused.stderr) == (2, True)
    assert {name for name in before if tree(two.demo.root).get(name) != before[name]} <= {"ledger.sqlite-shm"}
    assert cli("demo", "--yes").exit_code == 0
    (backup,) = two.folder.glob("*.backup-*")
    if write is not settled_letter:
        assert any(b"I have looked at this for an hour" in content for content in tree(backup).values())
    assert cli("demo").exit_code == 0  # the same day: nothing to start over


def test_an_edited_sources_file_is_not_overwritten_on_the_same_day(two: SimpleNamespace) -> None:
    cli("demo")
    edited_sources(two.demo)
    assert cli("demo").exit_code == 2
    assert cli("demo", "--yes").exit_code == 0
    (backup,) = two.folder.glob("*.backup-*")
    assert "for an hour" in (backup / "demo" / "sources.yml").read_text()


def test_a_home_has_a_playbook_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").marked()
    assert home.playbook == REPOSITORY / "playbook.yml"
    (home.root / "playbook.yml").write_text("version: 9\n")
    assert home.playbook == home.root / "playbook.yml"
    view = open_view(home, TODAY - timedelta(days=3))
    assert view.playbook.read_text() == "version: 9\n"
    with pytest.raises(ConfigurationError, match=r"home/playbook\.yml"):
        load_playbook(home.playbook)


def test_make_clean_keeps_every_home(tmp_path: Path) -> None:
    for name in (".feedback-control", ".feedback-control-demo", ".feedback-control-demo.backup-1", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "home.yml").write_text("kept")
    subprocess.run(["make", "-f", str(REPOSITORY / "Makefile"), "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert len(list(tmp_path.glob("*/home.yml"))) == 4


# ---------- every order


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
