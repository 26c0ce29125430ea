"""Against real trackers and emulators, with faults on the way, and with runs that are killed.

Not part of ``make test``: `make test-servers` installs what this needs, and runs it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.github import GitHubIssues, GitHubSettings
from dagster_project.automation.destinations.request_tracker import RequestTracker, RequestTrackerSettings
from dagster_project.automation.destinations.slack import Slack, SlackSettings
from dagster_project.automation.tickets.brief import marker_of, render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import push
from dagster_project.home import REPOSITORY, Home
from tests.automation import descriptions
from tests.automation.support import CHECKOUT, NOW, publish, resolved
from tests.servers import request_tracker as rt
from tests.servers.processes import free_port, running
from tests.servers.stories import BRISK, NODE, comes_back, faulty, issues, needs_tools, planned, tell, validating

KILLS = int(os.environ.get("KILLS", "200"))
"""Number of runs to kill; fewer to try the rest."""

needs_rt = pytest.mark.skipif(not rt.SERVER.exists(), reason="Debian's request-tracker5 is not installed")


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rt.RequestTracker]:
    """A Request Tracker, its token in the environment."""
    with rt.request_tracker(tmp_path_factory.mktemp("rt")) as running_one, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RT_TOKEN", running_one.token)
        yield running_one


def to_rt(url: str, **settings: Any) -> RequestTracker:
    entry = {"kind": "request_tracker", "base_url": url, "queue": "General", "pace_seconds": 0, **settings}
    return RequestTracker(RequestTrackerSettings.model_validate(entry))


def of(tracker: rt.RequestTracker, issue: Issue) -> list[dict[str, Any]]:
    """The tickets of an issue, as RT has them."""
    marker = marker_of(issue.issue_id, "request_tracker")
    return [one for one in tracker.tickets() if _mark(one).startswith(marker)]


def _mark(ticket: dict[str, Any]) -> str:
    return next((value for field in ticket["CustomFields"] for value in field["values"] if value), "")


@needs_rt
def test_rt_opens_reads_updates_comments_closes_and_reopens(tracker: rt.RequestTracker, home: Home) -> None:
    there = to_rt(tracker.url)
    ticket = render(replace(CHECKOUT, issue_id="life"), "request_tracker")
    opened = there.create(ticket)
    assert there.find_by_marker(ticket.marker) == [opened] and opened.says(ticket)
    lowered = replace(CHECKOUT, issue_id="life", priority="P2")
    changed = replace(render(lowered, "request_tracker"), note="Priority lowered.", note_key="a")
    for _ in range(2):
        assert there.update(opened.external_id, changed).says(changed)
    assert len(tracker.comments(opened.external_id)) == 1
    over = replace(render(resolved(lowered), "request_tracker"), note="Resolved.", note_key="b")
    assert there.resolve(opened.external_id, over).closed
    assert not there.update(opened.external_id, replace(changed, reopens=True, note_key="c")).closed
    assert len(tracker.comments(opened.external_id)) == 3
    hostile = replace(
        ticket, marker="f" * 24, title="日本 <b>🧨</b> é", body="**x** <script>a()</script> 日本 🧨" + " w" * 50_000
    )
    there.create(hostile)
    (seen,) = there.find_by_marker("f" * 24)
    assert seen.title == hostile.title
    assert there.read("99999") is None


@needs_rt
def test_rt_tells_what_people_did(tracker: rt.RequestTracker, home: Home) -> None:
    issue, configured = replace(CHECKOUT, issue_id="told"), ConfiguredDestination(to_rt(tracker.url))
    for stage in (issue, replace(issue, priority="P2")):
        publish(home, [stage])
        assert push(home, now=NOW, destinations=[configured]).problems == []
    (ticket,) = of(tracker, issue)
    tracker.jo_does("POST", f"/ticket/{ticket['id']}/comment", {"Content": "Our shard", "ContentType": "text/plain"})
    for change in ({"Owner": "jo"}, {"Priority": "80"}, {"Status": "rejected"}):
        tracker.jo_does("PUT", f"/ticket/{ticket['id']}", change)
    told = {"comment": "Our shard", "assignee": "jo", "priority": "80", "status": "rejected"}
    assert comes_back(home, configured, [issue]) == {kind: [("jo", value)] for kind, value in told.items()}


@needs_rt
@needs_tools
@pytest.mark.parametrize("seed", range(3))
def test_rt_has_one_ticket_per_issue_whatever_happened_on_the_way(
    tracker: rt.RequestTracker, home: Home, tmp_path: Path, seed: int
) -> None:
    plan = planned(seed, 0.4)
    ours = issues(f"faults{seed}", 8)
    with faulty(tmp_path, tracker.url, plan) as url:
        told = tell(home, ConfiguredDestination(to_rt(url, timeout_seconds=2)), ours)
    assert told > 8
    for issue in ours:
        (ticket,) = of(tracker, issue)
        assert ticket["Status"] == "resolved"
        assert len(tracker.comments(ticket["id"])) == 2  # less urgent; over


@needs_rt
def test_rt_has_one_ticket_per_issue_although_runs_are_killed(tracker: rt.RequestTracker, home: Home) -> None:
    chance, now = random.Random(7), NOW
    queue: dict[str, Issue] = {}
    killed = finished = 0
    usual = 1.0  # about how many seconds a run takes; machines differ, and what was killed piles up
    for number in range(KILLS):
        for fresh in issues(f"kill{number}", 2):
            queue[fresh.issue_id] = fresh
        for issue_id in chance.sample(sorted(queue), min(3, len(queue))):
            issue = queue[issue_id]
            if issue.status == "open":
                queue[issue_id] = resolved(issue) if chance.random() < 0.5 else replace(issue, priority="P2")
        publish(home, queue.values())
        now += timedelta(minutes=5)
        took = killed_while_pushing(home, tracker.url, now, chance.uniform(0, 1.3 * usual) if number else 60)
        if took is None:
            killed, usual = killed + 1, usual * 1.1
        else:
            finished, usual = finished + 1, took
    for _ in range(4):
        now += timedelta(hours=25)
        report = push(home, now=now, destinations=[ConfiguredDestination(to_rt(tracker.url, settle_seconds=1))])
    print(f"{killed} of {KILLS} runs were killed, {finished} finished first; {len(queue)} issues")
    assert killed > KILLS / 3 and finished and report.problems == []
    tickets: dict[str, list[dict[str, Any]]] = {}
    for ticket in tracker.tickets():
        tickets.setdefault(_mark(ticket).partition(":")[0], []).append(ticket)
    for issue in queue.values():
        found = tickets.get(marker_of(issue.issue_id, "request_tracker"), [])
        assert len(found) <= 1, f"{issue.issue_id} has {len(found)} tickets"
        assert found or issue.status == "resolved", f"{issue.issue_id} has no ticket"
        for ticket in found:
            assert (ticket["Status"] == "resolved") is (issue.status == "resolved")
            assert issue.status == "resolved" or f"[{issue.priority}]" in ticket["Subject"]


def killed_while_pushing(home: Home, url: str, now: datetime, after: float) -> float | None:
    """Push in a process, and kill -9 it that many seconds after it began; how many it took if it ended before."""
    command = [sys.executable, "-m", "tests.servers.pushing", str(home.root), url, now.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        assert process.stdout and process.stdout.readline() == b"begins\n"
        began = time.monotonic()
        try:
            assert process.wait(after) == 0, "the push failed by itself"
            return time.monotonic() - began
        except subprocess.TimeoutExpired:
            process.kill()
            return None


# ---------- GitHub and Slack, emulated

TOKENS = {"planted": "bot", "jos": "jo"}


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of a GitHub with the repository acme/shop and of a Slack with the channel #general."""
    if not (NODE / "emulate").exists():
        pytest.skip("run `make test-servers`")
    folder, port = tmp_path_factory.mktemp("emulate"), free_port()
    seed = {
        "tokens": {f"{name}_token": {"login": login, "scopes": ["repo"]} for name, login in TOKENS.items()},
        "github": {
            "users": [{"login": login} for login in TOKENS.values()],
            "orgs": [{"login": "acme"}],
            "repos": [{"owner": "acme", "name": "shop"}],
        },
        "slack": {"team": {"name": "Acme"}, "channels": [{"name": "general"}]},
    }
    (folder / "seed.json").write_text(json.dumps(seed))
    command: list[str | Path] = [
        NODE / "emulate",
        "start",
        "--service",
        "github,slack",
        "--port",
        str(port),
        "--seed",
        folder / "seed.json",
    ]
    with running(command, port + 1, folder / "log"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_TOKEN", "planted_token")
        patch.setenv("SLACK_BOT_TOKEN", "planted_token")
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"


@needs_tools
@descriptions.needs("github")
def test_github_has_one_issue_each_by_its_own_description(
    emulated: tuple[str, str], home: Home, tmp_path: Path
) -> None:
    plan, ours = planned(1), issues("github", 6)
    headers = {"Authorization": "Bearer planted_token"}
    with validating(tmp_path, descriptions.path_of("github"), emulated[0]) as checked:
        canary = httpx.post(f"{checked}/repos/acme/shop/issues", json={"title": []}, headers=headers)
        assert canary.status_code == 422, "the proxy lets through what GitHub's description forbids"
        with faulty(tmp_path, checked, plan) as url:
            entry = {"kind": "github", "repository": "acme/shop", "base_url": url, **BRISK}
            tell(home, ConfiguredDestination(GitHubIssues(GitHubSettings.model_validate(entry))), ours)
    there = f"{emulated[0]}/repos/acme/shop/issues"
    found = httpx.get(there, params={"state": "all", "per_page": 100}, headers=headers).json()
    for issue in ours:
        (one,) = [one for one in found if marker_of(issue.issue_id, "github") in one["body"]]
        comments = httpx.get(f"{there}/{one['number']}/comments", headers=headers).json()
        assert one["state"] == "closed" and len(comments) == 2


def test_github_tells_what_people_did(emulated: tuple[str, str], home: Home) -> None:
    issue = replace(CHECKOUT, issue_id="told")
    entry = {"kind": "github", "repository": "acme/shop", "base_url": emulated[0], **BRISK}
    github = GitHubIssues(GitHubSettings.model_validate(entry))
    configured = ConfiguredDestination(github)
    for stage in (issue, replace(issue, priority="P2")):
        publish(home, [stage])
        assert push(home, now=NOW, destinations=[configured]).problems == []
    (ticket,) = github.find_by_marker(marker_of("told", "github"))
    there = f"{emulated[0]}/repos/acme/shop/issues/{ticket.external_id}"
    headers = {"Authorization": "Bearer jos_token"}
    for method, path, body in [
        ("POST", "/comments", {"body": "Our shard"}),
        ("POST", "/assignees", {"assignees": ["jo"]}),
        ("PATCH", "", {"state": "closed", "state_reason": "not_planned"}),
    ]:
        httpx.request(method, there + path, json=body, headers=headers).raise_for_status()
    told = {"comment": "Our shard", "assignee": "jo", "status": "rejected"}
    assert comes_back(home, configured, [issue]) == {kind: [("jo", value)] for kind, value in told.items()}


@needs_tools
def test_slack_has_one_message_each(emulated: tuple[str, str], home: Home, tmp_path: Path) -> None:
    plan, ours = planned(2), issues("slack", 6)

    def ask(method: str, **form: str) -> Any:
        headers = {"Authorization": "Bearer planted_token"}
        return httpx.post(f"{emulated[1]}/api/{method}", data=form, headers=headers).json()

    channel = ask("conversations.list")["channels"][0]["id"]
    with faulty(tmp_path, emulated[1], plan, "/api/conversations.") as url:
        entry = {"kind": "slack", "channel": channel, "base_url": f"{url}/api", **BRISK}
        tell(home, ConfiguredDestination(Slack(SlackSettings.model_validate(entry))), ours)
    messages = ask("conversations.history", channel=channel, limit="200")["messages"]
    for issue in ours:
        marker = marker_of(issue.issue_id, "slack")
        (one,) = [one for one in messages if f"fc:{marker}:" in one["blocks"][0]["block_id"]]
        replies = ask("conversations.replies", channel=channel, ts=one["ts"])["messages"][1:]
        assert ":closed:" in one["blocks"][0]["block_id"] and len(replies) == 2
