"""APIs that answer badly, beside a healthy file: the file lands, the API is named, in bounded time and memory."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project.errors import SourceError
from dagster_project.home import Home
from dagster_project.ingestion import api_client
from dagster_project.ingestion.api_client import ApiClient
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.sources import SourceConfig
from tests.faults.hostile_server import Hostile, serving
from tests.ingestion.exports import HEADER, NOW, held, row, source
from tests.ingestion.test_apis import Streamed, metrics

LIMITS = {"answer_seconds": 1, "api_seconds": 2, "answer_bytes": "2 MiB", "pages": 5, "inflated_bytes": "64 MiB"}
WINDOW = (datetime(2026, 4, 30, tzinfo=UTC), NOW)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.setattr(api_client, "sleep", lambda _: None)
    with serving() as first, serving() as second:
        first.elsewhere, second.elsewhere = second.url, first.url
        yield first


def api(url: str, **settings: Any) -> SourceConfig:
    named = {"name": "deploys", "reader": "github", "url": url, "repository": "a/b", "constants": {"product": "app"}}
    return SourceConfig.model_validate({**named, "limits": LIMITS, **settings})


def land_beside_a_file(tmp_path: Path, tested: SourceConfig) -> LandingReport:
    (tmp_path / "a.csv").write_text(HEADER + row(1))
    home = Home(tmp_path / "home")
    report = land(home, [tested, source("a.csv", tmp_path)], now=NOW, window=WINDOW)
    assert (report.lines[1].landed, held(home)["text"].to_list()) == (1, ["it broke"])
    return report


BAD = [
    ("login", "answered with text/html where JSON is expected (“<html><form>Sign in [31m</form></html>”)"),
    ("no_list", "answered with no list; check `url`"),
    ("deep", "nested too deeply"),
    ("digits", "where JSON is expected"),
    ("latin", "where JSON is expected"),
    ("bomb", "sent too large an answer (limit `limits.answer_bytes`: 2.0MiB)"),
    ("brotli", "answers in the encoding 'br', which was not asked for"),
    ("broken_gzip", "sent damaged gzip"),
    ("huge", "sent too large an answer"),
    ("drip", "took longer than allowed"),
    ("drip_headers", "took longer than allowed"),
    ("silent", "took longer than allowed"),
    ("endless", "goes on with ever more pages (limit `limits.pages`: 5)"),
    ("circle", "names an earlier page as the next one"),
    ("link_elsewhere", "leads to another origin, http://127.0.0.1:"),
    ("link_file", "leads to file:, which is no web address"),
    ("redirect_elsewhere", "leads to another origin, http://127.0.0.1:"),
    ("redirect_loop", "redirects more than 5 times"),
    ("fault", "refused with 503 (“try later”)"),
    ("unknown", "cannot be reached"),
]


@pytest.mark.parametrize(("how", "said"), BAD, ids=[how for how, _ in BAD])
def test_an_api_that_answers_badly_is_a_problem_of_its_own(
    hostile: Hostile, tmp_path: Path, how: str, said: str
) -> None:
    started = time.monotonic()
    report = land_beside_a_file(tmp_path, api(f"{hostile.url}/{how}"))
    [problem] = report.problems
    assert problem.startswith(f"deploys: {hostile.url}/{how}")
    assert said in problem
    assert problem.isprintable()
    assert report.lines[0].state == "unreadable"
    assert report.failures == [problem]
    assert time.monotonic() - started < 8


def test_one_odd_entry_costs_one_row(hostile: Hostile, tmp_path: Path) -> None:
    report = land_beside_a_file(tmp_path, api(f"{hostile.url}/odd_rows"))
    assert (report.lines[0].landed, report.lines[0].quarantined, report.lines[0].state) == (1, 2, "read")


def test_a_wrong_content_type_does_not_matter_where_the_body_is_json(hostile: Hostile, tmp_path: Path) -> None:
    assert land_beside_a_file(tmp_path, api(f"{hostile.url}/text")).lines[0].landed == 1


def test_pages_read_before_a_failure_land(hostile: Hostile, tmp_path: Path) -> None:
    assert land_beside_a_file(tmp_path, api(f"{hostile.url}/endless")).lines[0].landed == 1


@pytest.mark.parametrize("how", ["good", "redirect_here", "redirect_elsewhere", "link_elsewhere", "echo"])
@pytest.mark.parametrize("allowed", [False, True])
def test_the_token_goes_to_the_configured_origin_only_and_is_quoted_nowhere(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, allowed: bool
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "very-secret")
    origins = [hostile.elsewhere] if allowed else []
    report = land_beside_a_file(tmp_path, api(f"{hostile.url}/{how}", token_env="SHOP_TOKEN", origins=origins))
    with_token = "Bearer very-secret"
    assert {said for path, said in hostile.asked} == {with_token}
    assert "very-secret" not in str(report)
    if how in ("redirect_elsewhere", "link_elsewhere"):
        assert (report.problems == []) == allowed


def test_another_origin_that_is_allowed_gets_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "very-secret")
    with serving() as first, serving() as second:
        first.elsewhere = second.url
        tested = api(f"{first.url}/redirect_elsewhere", token_env="SHOP_TOKEN", origins=[second.url])
        report = land_beside_a_file(tmp_path, tested)
        assert (report.problems, report.lines[0].landed) == ([], 1)
        assert [said for _, said in second.asked] == [None]


def test_user_and_password_in_the_address_authorise_and_show_nowhere(hostile: Hostile, tmp_path: Path) -> None:
    with_password = hostile.url.replace("http://", "http://jo:pa%40ss@")
    report = land_beside_a_file(tmp_path, api(f"{with_password}/good?key=s3cret"))
    assert (report.lines[0].landed, report.problems) == (1, [])
    assert [said for _, said in hostile.asked] == ["Basic am86cGFAc3M="]
    landed = held(Home(tmp_path / "home"), "releases")["loaded_from"].item()
    assert landed == f"deploys:{hostile.url}/good"
    (tmp_path / "again").mkdir()
    report = land_beside_a_file(tmp_path / "again", api(f"{with_password}/echo?key=s3cret"))
    for secret in ("pa%40ss", "pa@ss", "s3cret", "am86cGFAc3M="):
        assert secret not in str(report)


def test_https_is_never_left_for_http() -> None:
    moved = Streamed(httpx.MockTransport(lambda _: httpx.Response(302, headers={"Location": "http://x.example/"})))
    tested = api("https://x.example", origins=["http://x.example"])
    with ApiClient(tested, transport=moved) as client, pytest.raises(SourceError, match="not encrypted"):
        client.get("/repos")


def test_name_resolution_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(4))
    started = time.monotonic()
    report = land_beside_a_file(tmp_path, api("http://slow.example"))
    assert "took longer than allowed" in report.problems[0]
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("token", ["two\nlines", "schön", ""])
def test_a_token_that_cannot_be_sent_names_its_variable(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", token)
    report = land_beside_a_file(tmp_path, api(f"{hostile.url}/good", token_env="SHOP_TOKEN"))
    assert "SHOP_TOKEN" in report.problems[0]
    assert token == "" or token not in str(report)
    assert hostile.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"result": [{"metric": {"service": "checkout"}, "values": [[1777600000, "NaN"], [1777600900, "5"]]}]}},
        {"data": {"result": [{"metric": {"service": "checkout"}, "values": [[1777600000, "+Inf"], [1777600900, 5]]}]}},
    ],
)
def test_a_sample_that_is_no_number_costs_its_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    (tmp_path / "saved.json").write_text(json.dumps({"requests": answer}))
    saved = metrics(path=str(tmp_path / "saved.json"), name="saved")
    report = land_beside_a_file(tmp_path, saved)
    assert (report.lines[0].landed, report.lines[0].quarantined) == (1, 1)
    assert (
        "requests is nan in the bucket" in report.problems[0] or "requests is inf in the bucket" in report.problems[0]
    )


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"result": 5}},
        {"data": {"result": [{"metric": None, "values": []}]}},
        {"data": {"result": [{"metric": {}, "values": [[1e300, "1"]]}]}},
        {"data": {"result": [{"metric": {"service": ["a"]}, "values": [["x", "1"]]}]}},
        {"data": {"result": [{"metric": {}, "values": [[1777600000, "one"]]}]}},
    ],
)
def test_an_answer_of_another_shape_is_a_problem_of_its_source(tmp_path: Path, answer: dict[str, Any]) -> None:
    (tmp_path / "saved.json").write_text(json.dumps({"requests": answer}))
    report = land_beside_a_file(tmp_path, metrics(path=str(tmp_path / "saved.json"), name="saved"))
    assert "saved: saved.json: the answer for requests is none of query_range" in report.problems[0]
