"""``destinations.yml``: defaults without a file, and error messages for a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.destinations.github import GitHubIssues
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

GITHUB = """\
version: 1
destinations:
  - kind: local
    folder: board
  - kind: github
    name: shop
    repository: acme/shop
"""


def test_without_a_file_tickets_are_kept_locally(home: Home) -> None:
    (only,) = load_destinations(home)
    assert isinstance(only.destination, LocalTracker)
    assert (only.name, only.destination._folder) == ("local", home.tickets)


def test_destinations_are_built_as_configured(home: Home) -> None:
    (home.root / "destinations.yml").write_text(GITHUB)
    local, github = [configured.destination for configured in load_destinations(home)]
    assert isinstance(local, LocalTracker) and local._folder == home.root / "board"
    assert isinstance(github, GitHubIssues) and (github.name, github.settle_seconds) == ("shop", 60)


def test_no_file_outside_the_home_configures_it(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "destinations.yml").write_text(GITHUB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dagster_project.home.REPOSITORY", tmp_path)
    assert [one.name for one in load_destinations(home)] == ["local"]
    (home.root / "destinations.yml").write_text("version: 1\ndestinations: []\n")
    assert load_destinations(home) == []


def test_a_template_is_looked_for_in_the_home(home: Home) -> None:
    (home.root / "destinations.yml").write_text(one(kind="local", template="own.md.j2"))
    (only,) = load_destinations(home)
    assert only.policy.template == home.root / "own.md.j2"


def one(**settings: object) -> str:
    lines = "\n    ".join(f"{name}: {value}" for name, value in settings.items())
    return f"version: 1\ndestinations:\n  - {lines}\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "there must be `version: 1` and a list `destinations`"),
        ("- kind: local", "there must be `version: 1` and a list `destinations`"),
        ("version: 1\ndestinations: [", "is not YAML"),
        ("version: 2\ndestinations: []", "version: Input should be 1"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_named(home: Home, content: str, says: str) -> None:
    path = home.root / "destinations.yml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load_destinations(home)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (one(kind="trello"), "destinations.0: Input tag 'trello'"),
        ("version: 1\ndestinations: [7]", "destinations.0: an entry is a `kind` with its settings"),
        (one(kind="github"), "destinations.0.github.repository: Field required"),
        (one(kind="github", repository="shop"), "destinations.0.github.repository"),
        (one(kind="github", repository="a/b", repo="x"), "destinations.0.github.repo: there is no such setting"),
        (one(kind="github", repository="a/b", token="ghp_planted"), "no secrets in this file"),
        (one(kind="github", repository="a/b", base_url="http://ghe.example/api/v3"), "must begin with https://"),
        (
            one(kind="github", repository="a/b", base_url="https://u:p@ghe.example"),
            "must not contain a user or password",
        ),
        (one(kind="github", repository="a/b", token_env="a b"), "destinations.0.github.token_env"),
        (one(kind="github", repository="a/b", settle_seconds=-1), "destinations.0.github.settle_seconds"),
        (one(kind="local", name="Has Spaces"), "destinations.0.local.name"),
        (one(kind="local") + "  - kind: local\n", "two destinations are named 'local'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file_and_stops_no_other(home: Home, content: str, says: str) -> None:
    path = home.root / "destinations.yml"
    path.write_text(content.rstrip() + ("" if "[7]" in content else "\n  - {kind: events}\n"))
    wrong, *others = load_destinations(home)
    assert str(path) in wrong.broken
    assert says in wrong.broken
    assert "ghp_planted" not in wrong.broken
    assert all(not one.broken for one in others if one.name == "events")


@pytest.mark.parametrize("url", ["http://127.0.0.1:4001", "http://localhost/api/v3", "https://ghe.example/api/v3"])
def test_an_enterprise_server_and_a_local_one_are_fine(tmp_path: Path, url: str) -> None:
    path = tmp_path / "destinations.yml"
    path.write_text(one(kind="github", repository="a/b", base_url=url))
    assert [one.broken for one in load_destinations(Home(tmp_path))] == [""]


def test_fields_that_a_destination_does_not_have_are_refused(home: Home) -> None:
    path = home.root / "destinations.yml"
    path.write_text(one(kind="github", repository="acme/shop", fields='{urgency: "1"}'))
    assert "no further fields" in load_destinations(home)[0].broken
    path.write_text(one(kind="local", fields='{status: "done"}'))
    assert "status is kept by the tracker itself" in load_destinations(home)[0].broken
