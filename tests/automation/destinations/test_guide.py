"""The example destination in docs/destinations.md passes the contract suite."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project.automation.destinations import load_destinations
from dagster_project.home import Home
from tests.automation.destinations import test_contract
from tests.automation.unreliable import Seen, Unreliable

GUIDE = (Path(__file__).parents[3] / "docs" / "destinations.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@dataclass
class FakeDesk(Unreliable):
    """The desk that the guide speaks of."""

    cases: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the desk does."""
        self.requests.append(request)
        if request.method != "GET":
            return self.unreliably(request, lambda: self._write(request))
        if key := request.url.params.get("external_key"):
            return httpx.Response(200, json=[case for case in self.cases if case["external_key"] == key])
        return httpx.Response(200, json=self.cases[int(request.url.path.rpartition("/")[2])])

    def records(self) -> list[Seen]:
        """The cases as people see them."""
        return [Seen(one["subject"], one["text"], one["closed"], tuple(one["comments"])) for one in self.cases]

    def _write(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.method == "POST":
            self.cases.append({"id": str(len(self.cases)), "closed": False, **body})
            return httpx.Response(201, json=self.cases[-1])
        case = self.cases[int(request.url.path.rpartition("/")[2])]
        comment = body.pop("comment")
        case["comments"] += [comment] if comment else []
        case |= body
        return httpx.Response(200, json=case)


@dataclass(frozen=True)
class Guided(test_contract.Subject):
    """The guide's own code as a subject."""

    def destination(self, target: Callable[[httpx.Request], httpx.Response], **changed: Any) -> Any:
        (code,) = blocks("python")
        names: dict[str, Any] = {"__name__": "guide"}
        exec(compile(code, "docs/destinations.md", "exec", dont_inherit=True), names)
        settings = names["DeskSettings"](kind="desk", base_url="https://desk.example", pace_seconds=0)
        return names["Desk"](settings, transport=httpx.MockTransport(target))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Guided:
    monkeypatch.setenv("DESK_TOKEN", "planted-desk")
    return Guided("desk", FakeDesk, ("DESK_TOKEN", "planted-desk"))


def test_the_guides_destination_tells_a_story(home: Home, desk: Guided) -> None:
    test_contract.test_a_story_is_told_as_it_goes(desk, home)


@pytest.mark.parametrize("fault", ["refused", "timeout before", "timeout after"])
def test_the_guides_destination_keeps_the_promise(home: Home, tmp_path: Path, desk: Guided, fault: str) -> None:
    homes = test_contract.copies_of(home, tmp_path)
    calm = test_contract.calm_end(desk, homes)
    test_contract.end_after(desk, homes, calm, fault, range(calm.writes))


def test_the_guides_settings_are_settings(home: Home) -> None:
    (text,) = blocks("yaml")
    (home.root / "destinations.yml").write_text(text)
    loaded = load_destinations(home)
    assert [one.broken for one in loaded] == [""] * len(loaded)
    kinds = [getattr(one.policy, "kind", None) for one in loaded]
    assert kinds == ["jira", "request_tracker", "slack", "webhook", "events"]
