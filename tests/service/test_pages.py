"""The server of the pages: what it shows, and all that it refuses, over real HTTP."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagster_project.cli.main import main
from dagster_project.home import Home
from dagster_project.service.pages import serve

PAGE = "<!doctype html><title>start</title>"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with pages, a ticket, and much that is nobody's business."""
    home = Home(tmp_path / "home")
    files = {
        "reports/index.html": PAGE,
        "reports/issues/ISS-1.html": "one",
        "reports/rows/issues.csv": "a,b\n",
        "reports/drift/2026-11-30/index.html": "drift",
        "reports/drift/2026-11-30/evidently_previous.html": "<script>1</script>",
        "reports/.hidden.html": "no",
        "reports/notes.sqlite": "no",
        "tickets/FC-1.md": "# a ticket",
        "tickets/index.md": "no",
        "ledger.sqlite": "no",
        "home.yml": "no",
    }
    for name, content in files.items():
        (home.root / name).parent.mkdir(parents=True, exist_ok=True)
        (home.root / name).write_text(content)
    (home.reports / "way_out.html").symlink_to(home.root / "home.yml")
    (tmp_path / "secret.html").write_text("no")
    (home.reports / "elsewhere").symlink_to(tmp_path)
    return home


@pytest.fixture
def port(home: Home) -> Iterator[int]:
    """The port of a server that runs."""
    with serve(home, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, target: str, method: str = "GET", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    """A request, its target as it is; status, body and headers of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, target, skip_host="host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


@pytest.mark.parametrize(
    ("target", "body", "media_type"),
    [
        ("/", PAGE, "text/html; charset=utf-8"),
        ("/index.html?from=mail", PAGE, "text/html; charset=utf-8"),
        ("/issues/ISS-1.html", "one", "text/html; charset=utf-8"),
        ("/rows/issues.csv", "a,b\n", "text/csv; charset=utf-8"),
        ("/drift/2026-11-30/", "drift", "text/html; charset=utf-8"),
        ("/tickets/FC-1.md", "# a ticket", "text/plain; charset=utf-8"),
    ],
)
def test_pages_rows_and_tickets_are_shown(port: int, target: str, body: str, media_type: str) -> None:
    status, shown, headers = ask(port, target)
    assert (status, shown, headers["content-type"]) == (200, body, media_type)
    assert "script-src" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]


def test_only_evidentlys_own_pages_may_run_their_scripts(port: int) -> None:
    policy = ask(port, "/drift/2026-11-30/evidently_previous.html")[2]["content-security-policy"]
    assert "script-src 'unsafe-inline'" in policy and "default-src 'none'" in policy


def test_a_folder_leads_to_its_page_so_that_links_in_it_are_right(port: int) -> None:
    status, _, headers = ask(port, "//drift/2026-11-30")
    assert (status, headers["location"]) == (301, "/drift/2026-11-30/")


@pytest.mark.parametrize(
    "target",
    [
        *("/../home.yml", "/..%2fhome.yml", "/%2e%2e/ledger.sqlite", "/issues/../../home.yml", "/rows/", "/issues"),
        *("/way_out.html", "/elsewhere/secret.html", "/.hidden.html", "/notes.sqlite", "/index.html%00.csv"),
        *(
            "/tickets/",
            "/tickets/index.md",
            "/tickets/../home.yml",
            "/tickets/FC-1.md/../../home.yml",
            "/" + "x" * 5000,
        ),
    ],
)
def test_nothing_else_is_shown_and_nothing_is_listed(port: int, target: str) -> None:
    status, shown, _ = ask(port, target)
    assert status == 404
    assert "home.yml" not in shown and "ISS-1" not in shown


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(port: int, method: str) -> None:
    assert ask(port, "/index.html", method)[0] == 501


def test_a_page_elsewhere_does_not_reach_it_by_a_name_of_its_own(port: int) -> None:
    assert ask(port, "/", host="evil.example")[0] == 421
    assert ask(port, "/", host=f"localhost:{port}")[0] == 200


def test_head_has_no_body(port: int) -> None:
    status, shown, headers = ask(port, "/", "HEAD")
    assert (status, shown, headers["content-length"]) == (200, "", str(len(PAGE)))


def test_without_pages_or_with_a_port_that_is_taken_the_command_names_the_remedy(home: Home, port: int) -> None:
    taken = CliRunner().invoke(main, ["--home", str(home.root), "serve", "--port", str(port)])
    assert (taken.exit_code, "give --port another one" in taken.stderr) == (2, True)
    (home.reports / "index.html").unlink()
    nothing = CliRunner().invoke(main, ["--home", str(home.root), "serve"])
    assert (nothing.exit_code, "has no pages yet; run `feedback-control --home" in nothing.stderr) == (2, True)
