"""Prometheus and GitHub: the requests made, what becomes of the answers, and errors that say which setting to mend."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from dagster_project import lake
from dagster_project.errors import SourceError
from dagster_project.home import Home
from dagster_project.ingestion.api_client import ApiClient
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.readers import github, prometheus
from dagster_project.ingestion.records import Record
from dagster_project.ingestion.sources import SourceConfig

START = datetime(2026, 4, 1, tzinfo=UTC)
WINDOW = (START, START + timedelta(hours=1))


def metrics(url: str = "http://prometheus.test", **settings: object) -> SourceConfig:
    queries = [
        {"column": "requests", "expression": "sum by (service) (increase(requests_total[15m]))"},
        {"column": "errors", "expression": "sum by (service) (increase(errors_total[15m]))"},
    ]
    return SourceConfig.model_validate(
        {
            "name": "metrics",
            "reader": "prometheus",
            "url": url,
            "queries": queries,
            "constants": {"product": "app"},
            **settings,
        }
    )


class Streamed(httpx.BaseTransport):
    """A simulated answer as a stream, as a server sends it."""

    def __init__(self, simulated: httpx.MockTransport) -> None:
        self._simulated = simulated

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._simulated.handle_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


def client_of(source: SourceConfig, simulated: httpx.MockTransport) -> ApiClient:
    return ApiClient(source, transport=Streamed(simulated))


def answering(value: float) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        start, step = float(request.url.params["start"]), float(request.url.params["step"])
        wanted = value if "requests" in request.url.params["query"] else value / 10
        series = {
            "metric": {"service": "checkout"},
            "values": [[start + step * index, str(wanted)] for index in range(4)],
        }
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": [series]}})

    return httpx.MockTransport(answer)


def test_queries_of_one_instant_become_one_row() -> None:
    with client_of(metrics(), answering(50.0)) as client:
        records = [one for one in prometheus.fetch(metrics(), WINDOW, client) if isinstance(one, Record)]
    assert len(records) == 4
    assert records[0].values == {"service": "checkout", "bucket_start": START.isoformat(), "requests": 50, "errors": 5}


def test_a_long_window_is_asked_in_pages() -> None:
    asked: list[tuple[float, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((float(request.url.params["start"]), float(request.url.params["end"])))
        return httpx.Response(200, json={"data": {"result": []}})

    with client_of(metrics(), httpx.MockTransport(answer)) as client:
        list(prometheus.fetch(metrics(step_seconds=15), (START, START + timedelta(days=3)), client))
    assert all((end - start) / 15 < 11_000 for start, end in asked)
    assert max(end for _, end in asked) == (START + timedelta(days=3)).timestamp()


def test_a_refused_query_is_named() -> None:
    refuse = httpx.MockTransport(lambda request: httpx.Response(400, text="parse error at char 3"))
    with client_of(metrics(), refuse) as client, pytest.raises(SourceError, match=r"`sum by .*refused.*parse error"):
        list(prometheus.fetch(metrics(), WINDOW, client))


def releases(**settings: object) -> SourceConfig:
    wanted = {"name": "gh", "reader": "github", "url": "https://api.github.test", "repository": "acme/shop", **settings}
    return SourceConfig.model_validate(wanted)


def test_pages_are_followed_until_the_window_is_covered() -> None:
    pages = [
        [{"id": 3, "tag_name": "v2.1", "created_at": "2026-04-01T00:30:00Z", "published_at": "2026-04-01T00:40:00Z"}],
        [{"id": 2, "tag_name": "v2.0", "created_at": "2026-03-01T00:00:00Z"}],
        [{"id": 1, "tag_name": "v1.0", "created_at": "2026-02-01T00:00:00Z"}],
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("page", "1"))
        link = f'<https://api.github.test/repos/acme/shop/releases?page={page + 1}>; rel="next"'
        return httpx.Response(200, json=pages[page - 1], headers={"Link": link})

    with client_of(releases(), httpx.MockTransport(answer)) as client:
        records = [one for one in github.fetch(releases(), WINDOW, client) if isinstance(one, Record)]
    assert [record.values["version"] for record in records] == ["2.1", "2.0"]


def test_a_wrong_token_names_the_setting_and_not_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "very-secret")
    refuse = httpx.MockTransport(lambda request: httpx.Response(401, json={"message": "Bad credentials"}))
    source = releases(token_env="SHOP_TOKEN")
    with client_of(source, refuse) as client, pytest.raises(SourceError) as caught:
        list(github.fetch(source, WINDOW, client))
    assert "$SHOP_TOKEN" in str(caught.value)
    assert "very-secret" not in str(caught.value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real Prometheus with two days of backfilled samples."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("prometheus is not installed (apt-get install prometheus)")
    samples = []
    for name, rate in (("requests_total", 100), ("errors_total", 7)):
        samples.append(f"# TYPE {name.removesuffix('_total')} counter")
        for minute in range(0, 24 * 60, 5):
            at = START.timestamp() + 60 * minute
            samples.append(f'{name}{{service="checkout"}} {rate * minute / 15} {at:.0f}')
    metrics_file = tmp_path / "samples.txt"
    metrics_file.write_text("\n".join([*samples, "# EOF", ""]))
    create = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(metrics_file), str(tmp_path / "data")]
    subprocess.run(create, check=True, capture_output=True)
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y", "--log.level=error"]
    with subprocess.Popen(command) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                if httpx.get(f"{url}/-/ready").is_success:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield url
        process.terminate()


def test_a_real_server_fills_service_metrics(server: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    window = (START + timedelta(hours=2), START + timedelta(hours=6))
    report = land(home, [metrics(server)], now=START + timedelta(days=1), window=window)
    rows = lake.scan(home, "service_metrics").collect()
    assert report.problems == []
    assert rows.height == 16
    assert rows["requests"].to_list() == [100] * 16
    assert rows["errors"].to_list() == [7] * 16
    again = land(home, [metrics(server)], now=START + timedelta(days=1), window=window)
    assert (again.lines[0].landed, again.lines[0].unchanged) == (0, 16)
