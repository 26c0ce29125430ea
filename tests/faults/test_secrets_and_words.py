"""Planted secrets and personal data leave by no door: not by files, Dagster, the ledger, pages or the terminal."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import httpx
import polars as pl
import pytest
from click.testing import CliRunner
from dagster import DagsterInstance, materialize

from dagster_project import lake, redaction
from dagster_project.automation.destinations.github import GitHubSettings
from dagster_project.automation.outcomes import DeliveryError
from dagster_project.cli.main import main
from dagster_project.home import REPOSITORY, Home
from dagster_project.ingestion import api_client
from dagster_project.ingestion.assets import landing
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.sources import load_sources
from dagster_project.outgoing import excerpt
from dagster_project.resources import HomeResource
from tests.automation.support import CHECKOUT, publish
from tests.faults.planted import PERSONAL, PIXEL, SECRETS, Scan, echoing, now, plant


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())
    monkeypatch.setattr(api_client, "_RETRY_SECONDS", ())
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with echoing() as address:
        yield address


@pytest.fixture
def home(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    plant(home, tmp_path / "exports", server, now())
    monkeypatch.setenv("FEEDBACK_HOME", str(home.root))
    return home


def cli(home: Home, *arguments: str) -> str:
    """What a command printed, on both streams; it may fail."""
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments]).output


def nothing_in(home: Home, **texts: str) -> None:
    scan = Scan()
    for place, text in texts.items():
        scan.text(place, text)
    assert scan.folder(home.root).found == []


def test_the_scan_finds_what_is_planted_in_every_format(tmp_path: Path) -> None:
    token, card = SECRETS["PLANTED_PUSH_TOKEN"], PERSONAL["card"]
    (tmp_path / "a.log").write_text(f"half of it: {token[3:17]}")
    (tmp_path / "b.log").write_text("Basic " + base64.b64encode(f"me:{token}".encode()).decode())
    pl.DataFrame({"x": [card] * 3}).write_parquet(tmp_path / "c.parquet")
    with sqlite3.connect(tmp_path / "d.sqlite") as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (?)", [PIXEL])
    database.close()
    (tmp_path / "e.log").write_text(PERSONAL["card with zero-width characters"])
    found = {one.split(": ")[0][-9:] for one in Scan().folder(tmp_path).found}
    assert {name[-5:] for name in found} >= {"a.log", "b.log", "e.log"}
    assert any(one.endswith("c.parquet") for one in found)
    assert any(one.endswith("/d.sqlite") for one in found)


def test_a_password_in_a_sources_url_is_neither_in_loaded_from_nor_in_quarantine_nor_in_a_report(home: Home) -> None:
    sources = load_sources(home.root / "sources.yml")
    told: list[str] = []
    report = land(home, sources, now=now(), progress=told.append)
    (origin,) = lake.scan(home, "releases").select("loaded_from").unique().collect()["loaded_from"]
    assert origin.startswith("answered:http://127.0.0.1:")
    assert origin.endswith("/good")
    quarantine = lake.scan(home, "quarantine").collect()
    assert {"answered", "reviews", "broken"} <= set(quarantine["source"])
    assert "jo.planted@example.com" in "".join(quarantine["raw"])  # customers' words are kept there as they came
    problems = "\n".join([*report.problems, *(line.problem for line in report.lines)])
    assert "refused with 422" in problems
    nothing_in(home, problems=problems, progress="\n".join(told))


def test_dagster_keeps_no_secret_and_no_raw_word_of_a_landing_that_fails(home: Home, tmp_path: Path) -> None:
    stored, output = tmp_path / "home" / "dagster", StringIO()
    stored.mkdir()
    resources = {"home": HomeResource(root=str(home.root), sources=str(home.root / "sources.yml"))}
    with DagsterInstance.local_temp(str(stored)) as instance, redirect_stdout(output), redirect_stderr(output):
        done = materialize(
            [landing], instance=instance, resources=resources, partition_key=f"{now():%Y-%m-%d}", raise_on_error=False
        )
        assert done.success
    nothing_in(home, output=output.getvalue())
    events = [path for path in stored.rglob("*.db") if b"ASSET_MATERIALIZATION" in path.read_bytes()]
    assert events
    said = b"".join(path.read_bytes() for path in events)
    assert b"[card]" in said or b"\\[card\\]" in said  # the previews were there, masked


def test_tickets_refused_by_destinations_that_repeat_the_request_leave_no_token_anywhere(home: Home) -> None:
    publish(home, [CHECKOUT])
    printed = cli(home, "push") + cli(home, "push", "--json") + cli(home, "dead-letters", "list")
    assert "answered 422" in printed
    nothing_in(home, printed=printed, doctor=cli(home, "doctor"), audit=cli(home, "audit", "show", CHECKOUT.issue_id))


@pytest.mark.parametrize("padding", range(260, 300, 3))
def test_an_echo_is_cleaned_before_it_is_cut(padding: int) -> None:
    token = SECRETS["PLANTED_PUSH_TOKEN"]
    echo = "x" * padding + f" {PERSONAL['card']} {token} " + base64.b64encode(token.encode()).decode()
    transport = httpx.MockTransport(lambda _: httpx.Response(422, text=echo))
    settings = GitHubSettings.model_validate({"kind": "github", "repository": "a/b", "token_env": "PLANTED_PUSH_TOKEN"})
    tracker = settings.build(Home(Path("/nowhere")))
    tracker._http._transport = transport
    with pytest.raises(DeliveryError) as refused:
        tracker._http.read("/repos/a/b/issues", object)
    scan = Scan()
    scan.text("reason", refused.value.outcome.reason)
    scan.text("message", str(refused.value))
    scan.text("excerpt", excerpt(echo, padding + 10))
    assert scan.found == []
    assert token[:6] not in refused.value.outcome.reason
    assert "4012" not in refused.value.outcome.reason


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:{secret}@127.0.0.1:9/ledger",
        "postgresql+psycopg://me:{secret}@127.0.0.1:port/ledger",
        "nosuch+driver://me:{secret}@127.0.0.1/ledger",
        "sqlite:////nowhere/{secret}/x?password={secret}",
        "://{secret}",
    ],
)
@pytest.mark.parametrize("secret", ["PLANTED_URL_PASSWORD", "PLANTED_QUERY_KEY"])
def test_a_ledger_that_cannot_be_opened_does_not_say_its_password(
    home: Home, monkeypatch: pytest.MonkeyPatch, url: str, secret: str
) -> None:
    monkeypatch.setenv("FEEDBACK_LEDGER_URL", url.format(secret=SECRETS[secret]))
    publish(home, [CHECKOUT])
    printed = cli(home, "push") + cli(home, "doctor")
    scan = Scan()
    scan.text("printed", printed)
    assert scan.found == []
    assert "ledger" in printed


@pytest.mark.parametrize(
    "broken",
    [
        "sources:\n- {name: a, reader: github, url: 'https://me:SECRET@host', : }\n",
        "sources:\n- {name: a, reader: github, url: 'https://me:SECRET@host'\n",
        "sources:\n  url: https://me:SECRET@host\n\t- x\n",
        "sources:\n- {name: a, reader: github, repository: x/y, url: 'https://me:SECRET@host', kind: 'SECRET'}\n",
        "sources:\n- {name: a, reader: github, url: 'https://me:SECRET@host', SECRET: 1}\n",
        "sources:\n- name: a\n  reader: github\n  repository: x/y\n  url: https://me:SECRET@host\n  timezone: 'https://me:SECRET@h'\n",
    ],
)
def test_a_configuration_that_cannot_be_read_is_not_quoted_with_its_password(home: Home, broken: str) -> None:
    (home.root / "sources.yml").write_text(broken.replace("SECRET", SECRETS["PLANTED_QUERY_KEY"]))
    printed = cli(home, "run") + cli(home, "doctor")
    scan = Scan()
    scan.text("printed", printed)
    assert scan.found == []
    assert "sources.yml" in printed


def full(home: Home) -> None:
    home.models.symlink_to(REPOSITORY / ".feedback-control" / "models")


@pytest.mark.soak
def test_after_a_full_run_by_the_command_line_nothing_planted_is_anywhere(home: Home) -> None:
    full(home)
    printed = cli(home, "run") + cli(home, "run", "--json") + cli(home, "issues", "--json") + cli(home, "tickets")
    issue = next(word for word in printed.split('"') if word.startswith("ISS-"))
    printed += cli(home, "explain", issue) + cli(home, "preview", issue) + cli(home, "audit", "show", issue)
    printed += cli(home, "drift") + cli(home, "label-queue") + cli(home, "doctor")
    assert list(home.tickets.glob("FC-*.md"))
    nothing_in(home, printed=printed)


@pytest.mark.soak
def test_after_a_full_run_by_dagster_nothing_planted_is_anywhere(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    full(home)
    home.dagster.mkdir(parents=True)
    shutil.copy(REPOSITORY / "dagster.yaml", home.dagster / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    from dagster_project.cli.demo import run_in_dagster

    output = StringIO()
    with redirect_stderr(output):
        turned, mitigated, pushed = run_in_dagster(home, sources=str(home.root / "sources.yml"), as_of=now())
    assert turned.success
    assert mitigated.success
    assert not pushed.success  # two destinations refuse everything
    assert list(home.tickets.glob("FC-*.md"))
    nothing_in(home, output=output.getvalue())
