"""Through vendors' own API descriptions: a request or an answer that a description does not allow is refused.

Faults first, then the description (a validating proxy), then the simulated target that the contract suite uses, over
real HTTP. Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import TypeAdapter

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.base import ReportsChanges
from dagster_project.automation.destinations.config import Settings
from dagster_project.automation.tickets.pull import pull
from dagster_project.home import Home
from tests.automation import descriptions
from tests.automation.destinations.test_contract import SUBJECTS, Subject
from tests.automation.support import NOW, resolved
from tests.automation.tickets.test_pull import decided
from tests.servers.stories import BRISK, NODE, faulty, issues, planned, tell, validating

pytestmark = pytest.mark.skipif(not (NODE / "prism").exists(), reason="run `make test-servers`")


@dataclass(frozen=True)
class Vendor:
    """A vendor's description, what of our requests it does not know, and a request that it must refuse."""

    kind: str
    description: str
    canary: tuple[str, Any]
    base: str = ""
    undescribed: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """The simulated target, its settings and its secret."""
        return next(one for one in SUBJECTS if one.kind == self.kind)


VENDORS = [
    Vendor("jira", "jira-cloud-v3", ("/rest/api/3/issue", {"fields": "none"})),
    Vendor("servicenow", "servicenow-table", ("/api/now/table/incident", ["no object"])),
    Vendor("pagerduty", "pagerduty-events-v2", ("/v2/enqueue", {"event_action": "trigger", "payload": {}}), "/v2"),
    Vendor(
        "opsgenie",
        "opsgenie",
        ("/v2/alerts", {"message": "m", "priority": "P7"}),
        undescribed=("message", "description", "priority", "details"),
    ),
]


def described(vendor: Vendor, folder: Path) -> Path:
    """The description with whole paths, because the proxy leaves out the server's part of them."""
    document = json.loads(descriptions.path_of(vendor.description).read_text(encoding="utf-8"))
    before = document.pop("basePath", "") or urlsplit(document.pop("servers", [{"url": ""}])[0]["url"]).path
    document["paths"] = {before + path: operations for path, operations in document["paths"].items()}
    answers = {"202": {"description": "accepted"}}
    name = {"name": "identifier", "in": "path", "required": True, "type": "string"}
    body = {"name": "body", "in": "body", "schema": {"type": "object"}}
    for operation in vendor.undescribed:  # the published description ends before them: they pass unchecked
        passes = {"parameters": [name, body], "responses": answers, "consumes": ["application/json"]}
        document["paths"][f"/v2/alerts/{{identifier}}/{operation}"] = {"put": passes, "post": passes}
    for column in document.get("components", {}).get("schemas", {}).get("Record", {}).get("properties", {}).values():
        column.pop("format", None)  # ServiceNow's instants are `2026-01-15 10:30:00`, whatever this says
    (folder / f"{vendor.kind}.json").write_text(json.dumps(document))
    return folder / f"{vendor.kind}.json"


@dataclass
class Served:
    """A simulated target behind a real socket; what it could not answer is kept, not swallowed."""

    target: Any
    url: str = ""
    failures: list[BaseException] = field(default_factory=list)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> httpx.Response:
        """As the target does; it asks who is calling by the names of headers that HTTP itself adds, so those go."""
        request = httpx.Request(method, f"https://target.example{path}", headers=dict(headers), content=body)
        with self._one_at_a_time:
            try:
                answer: httpx.Response = self.target(request)
            except BaseException as error:
                self.failures.append(error)
                return httpx.Response(500, text=repr(error))
        return answer


@contextmanager
def serving(target: Any) -> Iterator[Served]:
    """The target over HTTP on loopback."""
    served = Served(target)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = served.answer(self.command, self.path, self.headers.items(), body)
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers.get("content-type", "application/json"))
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.kind)
def test_by_the_vendors_description_and_through_faults_there_is_one_each(
    vendor: Vendor, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not descriptions.path_of(vendor.description).exists():
        pytest.skip(f"the API description {vendor.description} is not at hand (FEEDBACK_CONTROL_SHARED)")
    subject, ours = vendor.subject, issues(vendor.kind, 5)
    monkeypatch.setenv(*subject.secret)
    target = subject.fake()
    comes_back: dict[str, int] = {}
    with serving(target) as served, validating(tmp_path, described(vendor, tmp_path), served.url) as checked:
        path, wrong = vendor.canary
        canary = httpx.post(f"{checked}{path}", json=wrong, headers={"authorization": "Basic YTpi"})
        assert canary.status_code in (400, 422), f"lets through what {vendor.description} forbids: {canary.text[:300]}"
        assert not target.requests
        with faulty(tmp_path, checked, planned(4)) as url:
            entry = {"kind": vendor.kind, **subject.settings, "base_url": url + vendor.base, **BRISK}
            settings: Any = TypeAdapter(Settings).validate_python(entry)
            configured = ConfiguredDestination(settings.build(home))
            runs = tell(home, configured, ours)
            seen = target.records()
            if isinstance(configured.destination, ReportsChanges):
                decided(home, [resolved(issue) for issue in ours])
                target.now = NOW + timedelta(days=1)
                for what, value in (("comment", "seen"), ("assign", "kim"), ("priority", "4"), ("reject", "")):
                    target.act(what, value)
                told = pull(home, now=target.now + timedelta(minutes=5), destinations=[configured])
                assert told.problems == []
                comes_back = told.counts
    print(f"{vendor.kind}: {len(ours)} issues in {runs} runs; {len(target.requests)} requests; {comes_back} came back")
    assert set(comes_back.values()) <= {1}
    assert bool(comes_back) is isinstance(configured.destination, ReportsChanges)
    assert not served.failures, served.failures
    assert len(seen) == len(ours) and all(one.closed for one in seen)
    if subject.keeps_notes:
        assert all(len(one.notes) == 2 for one in seen), [one.notes for one in seen]
