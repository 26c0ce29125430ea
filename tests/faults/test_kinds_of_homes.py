"""Kinds of homes: what belongs to one home (sources, destinations, ledger, folder) is refused by another kind."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from dagster_project.automation.destinations import load_destinations, refused_destinations
from dagster_project.automation.destinations.local import list_tickets
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.errors import ConfigurationError
from dagster_project.home import REPOSITORY, Home
from dagster_project.home_kind import KINDS, kind_of, read_marker
from dagster_project.ingestion.provenance import sources_of
from dagster_project.views import open_view
from tests.automation.support import publish
from tests.faults.homes import (
    REAL,
    SIMULATED,
    TODAY,
    Receiver,
    cli,
    push_all,
    tree,
    webhook,
    write_small_shop,
)


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


def test_a_lake_that_is_linked_from_another_home_is_not_written(two: SimpleNamespace, tmp_path: Path) -> None:
    cli("run", "--sources", two.sources)
    before = tree(two.real.lake)
    other = Home(tmp_path / "other").marked("staging")
    other.lake.symlink_to(two.real.lake)
    assert cli("--home", str(other.root), "run", "--sources", two.sources).exit_code == 2
    assert tree(two.real.lake) == before


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


def test_the_destinations_of_the_working_directory_are_nobodys(two: SimpleNamespace, receiver: Receiver) -> None:
    (two.folder / "destinations.yml").write_text(webhook(receiver))
    cli("demo")
    cli("run", "--sources", two.sources)
    assert receiver.bodies == []
    assert [one.name for one in load_destinations(two.real)] == ["local"]


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


def test_a_home_has_a_playbook_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").marked()
    assert home.playbook == REPOSITORY / "playbook.yml"
    (home.root / "playbook.yml").write_text("version: 9\n")
    assert home.playbook == home.root / "playbook.yml"
    view = open_view(home, TODAY - timedelta(days=3))
    assert view.playbook.read_text() == "version: 9\n"
    with pytest.raises(ConfigurationError, match=r"home/playbook\.yml"):
        load_playbook(home.playbook)
