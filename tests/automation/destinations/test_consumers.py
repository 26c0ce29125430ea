"""Events at their consumers: an independent consumer, over real HTTP, and the append-only file."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.event_file import EventFile
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.destinations.webhook import Webhook, WebhookSettings
from dagster_project.automation.outcomes import Confirmed, DeliveryError, Outcome, Rejected, Unknown, outcome_of
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push import push
from dagster_project.home import REPOSITORY, Home
from tests.automation.consumer import Consumer, Detours, serving
from tests.automation.fake_webhook import SECRET
from tests.automation.support import CHECKOUT, NOW, publish, resolved

ISSUES = [replace(CHECKOUT, issue_id=f"ISS-{n}", owner=f"team {n}") for n in range(4)]
LOWERED = [replace(issue, priority="P2") for issue in ISSUES]
STORY = [ISSUES, LOWERED, [*map(resolved, LOWERED[:2]), *LOWERED[2:]], [ISSUES[0], LOWERED[2]]]
"""Found; less urgent; two are over; one of them is back, and others are no longer in the queue."""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)


def webhook(address: str) -> Webhook:
    entry = {"kind": "webhook", "base_url": address, "pace_seconds": 0, "settle_seconds": 0, "timeout_seconds": 5}
    return Webhook(WebhookSettings.model_validate(entry))


def tell(home: Home, *sinks: Any, story: list[list[Issue]] = STORY) -> None:
    """The story, with tickets in the local tracker, in as many runs as it takes."""
    destinations, now = [*map(ConfiguredDestination, sinks), ConfiguredDestination(LocalTracker(home.tickets))], NOW
    for stage in story:
        publish(home, stage)
        for _ in range(30):
            now += timedelta(minutes=6)
            report = push(home, now=now, destinations=destinations)
            if not report.problems and not report.unknown and not report.deferred:
                break
        else:
            raise AssertionError(report.problems)


def assert_knows_everything(consumer: Consumer, home: Home) -> None:
    """It knows each issue as it was last told, each ticket as it is, and each event that the lake has."""
    last = {issue.issue_id: issue for stage in STORY for issue in stage}
    for issue_id, issue in last.items():
        _, change, data = consumer.newest["incident", issue_id]
        assert (data["status"], data["priority"]) == (issue.status, issue.priority)
        assert (change == "resolved") is (issue.status == "resolved")
        assert data["brief"].partition("<!--")[0] == render(issue, "any").body.partition("<!--")[0]
        _, change, data = consumer.newest["ticket", issue_id, "local"]
        ticket = LocalTracker(home.tickets).read(data["external_id"])
        assert ticket and ticket.url == data["url"] and ticket.closed is (change == "closed")
        assert consumer.told["ticket", issue_id, "local"].count("created") == 1
    landed = lake.scan(home, "ticket_events").collect().to_dicts()
    tickets = {row["event_id"] for row in landed if row["destination"] == "local"}
    assert len(tickets) == 4 + 4 + 2 + 1 and tickets <= consumer.seen


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_consumer_behind_a_bad_network_ends_with_the_right_state(home: Home, seed: int) -> None:
    consumer = Consumer(SECRET)
    with serving(consumer.receive) as address:
        detours = Detours(address, random.Random(seed))
        with serving(detours.pass_on) as entrance:
            tell(home, webhook(entrance))
            detours.end()
    assert consumer.repeated and consumer.overtaken, "nothing was repeated, or came late: this proves nothing"
    assert_knows_everything(consumer, home)


def test_a_consumer_with_another_secret_refuses_and_the_push_says_what_to_check(home: Home) -> None:
    consumer = Consumer("whsec_" + "c29tZWJvZHkgZWxzZSdzIHNlY3JldA==")
    publish(home, ISSUES)
    with serving(consumer.receive) as address:
        report = push(
            home,
            now=NOW,
            destinations=[ConfiguredDestination(webhook(address)), ConfiguredDestination(LocalTracker(home.tickets))],
        )
    assert not consumer.seen and report.created == len(ISSUES)  # the tickets are there all the same
    assert len(report.problems) == 2 and all("check that WEBHOOK_SECRET" in said for said in report.problems)


def test_a_login_page_in_place_of_the_receiver_confirms_nothing() -> None:
    def answered(kind: str, text: str) -> Outcome[Any]:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, headers={"content-type": kind}, text=text))
        entry = {"kind": "webhook", "base_url": "https://events.example/in"}
        there = Webhook(WebhookSettings.model_validate(entry), transport=transport)
        return outcome_of(lambda: there.deliver({"id": "1"}))

    page = answered("text/html; charset=utf-8", "\n<!DOCTYPE html><html><form>Sign in</form></html>")
    assert isinstance(page, Unknown) and "HTML page" in page.reason and "base_url" in page.reason
    assert isinstance(answered("text/html; charset=utf-8", "ok"), Confirmed)  # what Flask makes of a plain text
    assert isinstance(answered("text/html", ""), Confirmed)


@pytest.fixture
def reader(home: Home) -> Iterator[Callable[[], Consumer]]:
    """A consumer that reads the event file in the background; on call it has read to the end."""
    consumer, over = Consumer(SECRET), threading.Event()
    failures: list[BaseException] = []

    def follow() -> None:
        try:
            consumer.follow(home.events, over)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=follow)
    thread.start()

    def end() -> Consumer:
        over.set()
        thread.join()
        assert not failures
        return consumer

    yield end
    end()


def test_a_file_that_is_read_while_it_is_written_has_each_event_once(
    home: Home, reader: Callable[[], Consumer]
) -> None:
    torn = b'{"id":"torn by a crash","specversion":"1.0","data":{"brief":"'
    for number in range(len(STORY)):
        tell(home, EventFile(home.events), story=STORY[number : number + 1])
        with home.events.open("ab") as file:
            file.write(torn)
    there = json.loads(home.events.read_bytes().splitlines()[0])
    EventFile(home.events).deliver(there)  # mends, and adds nothing
    consumer = reader()
    assert_knows_everything(consumer, home)
    lines = home.events.read_bytes().split(b"\n")
    assert lines.pop() == b"" and consumer.repeated == consumer.overtaken == 0
    assert len(lines) == len({json.loads(line)["id"] for line in lines}) == len(consumer.seen)


_WRITES = """
import sys, pathlib
from dagster_project.automation.destinations.event_file import EventFile
sink = EventFile(pathlib.Path(sys.argv[1]))
print("begins", flush=True)
for number in range(10**9):
    sink.deliver({"id": f"{sys.argv[2]}-{number}", "data": "x" * 50_000})
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_whole_lines_and_all_that_it_had_confirmed(tmp_path: Path) -> None:
    file, chance, confirmed = tmp_path / "events.jsonl", random.Random(5), set()
    for number in range(4):
        command = [sys.executable, "-c", _WRITES, str(file), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as writer:
            assert writer.stdout and writer.stdout.readline() == b"begins\n"
            time.sleep(chance.uniform(0.1, 0.4))
            writer.kill()
            confirmed |= {f"{number}-{line.strip().decode()}" for line in writer.stdout if line.endswith(b"\n")}
    EventFile(file).deliver({"id": "last"})
    ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    assert len(ids) == len(set(ids)) and len(confirmed) > 4
    assert confirmed <= set(ids) and len(ids) <= len(confirmed) + 4 + 1


def test_a_full_disk_leaves_the_file_as_it_was_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = EventFile(tmp_path / "events.jsonl")
    sink.deliver({"id": "1"})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DeliveryError, match=r"No space left on device.*set file"):
        patch.setattr("os.fsync", full)
        sink.deliver({"id": "2"})
    sink.deliver({"id": "3"})
    assert [json.loads(line)["id"] for line in (tmp_path / "events.jsonl").read_text().splitlines()] == ["1", "3"]


def test_a_place_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for path in (tmp_path / "taken" / "events.jsonl", tmp_path):
        outcome = outcome_of(lambda path=path: EventFile(path).create(render(CHECKOUT, "events")))  # type: ignore[misc]
        assert isinstance(outcome, Rejected) and outcome.whole_destination and "check file" in outcome.reason


def test_a_sink_hears_of_tickets_of_its_priorities_until_they_are_closed(home: Home) -> None:
    consumer = Consumer(SECRET)
    destinations = [
        ConfiguredDestination(EventFile(home.events), Policy(priorities=("P1",))),
        ConfiguredDestination(LocalTracker(home.tickets)),
    ]
    minor = replace(CHECKOUT, issue_id="minor", priority="P2", owner="somebody else")
    for minutes, stage in enumerate([[CHECKOUT, minor], [replace(CHECKOUT, priority="P3")], [resolved(CHECKOUT)]]):
        publish(home, stage)
        assert push(home, now=NOW + timedelta(minutes=minutes), destinations=destinations).problems == []
    for line in home.events.read_bytes().splitlines():
        consumer.take(line)
    assert consumer.told["ticket", CHECKOUT.issue_id, "local"] == ["created", "updated", "closed"]
    assert ("ticket", "minor", "local") not in consumer.told


def test_where_closing_is_left_to_people_no_ticket_is_said_to_be_closed(home: Home) -> None:
    consumer = Consumer(SECRET)
    destinations = [
        ConfiguredDestination(LocalTracker(home.tickets), Policy(mode="upsert")),
        ConfiguredDestination(EventFile(home.events)),
    ]
    for minutes, issue in enumerate([CHECKOUT, resolved(CHECKOUT)]):
        publish(home, [issue])
        push(home, now=NOW + timedelta(minutes=minutes), destinations=destinations)
    for line in home.events.read_bytes().splitlines():
        consumer.take(line)
    assert consumer.told["ticket", CHECKOUT.issue_id, "local"] == ["created", "updated"]
