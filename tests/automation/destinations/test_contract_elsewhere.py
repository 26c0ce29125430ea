"""The contract suite for destinations without httpx: the local tracker, the event file, and mail.

The two that write files stand all of it. What goes wrong with their writes is acted out around the write: the process
dies before it, or after it and before anybody was told. Mail can be neither asked nor repeated, so of the faults it
stands what ``test_mail.py`` says; the rest holds for it as for all.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import yaml

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.event_file import EventFile
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.outcomes import Deferred, DeliveryError, NotSent, Rejected, Unknown, outcome_of
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation.destinations import test_contract as contract
from tests.automation.fake_webhook import incidents
from tests.automation.mail_server import PASSWORD, MailServer, mail, mail_server
from tests.automation.support import CHECKOUT, NOW, publish
from tests.automation.unreliable import FAULTS, Seen, Unreliable


class Unsteady:
    """A destination whose writes go through an ``Unreliable``, with planned faults."""

    around: Unreliable

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open it, or fail."""
        return self._through(lambda: super(Unsteady, self).create(ticket))  # type: ignore[misc]

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set it, or fail."""
        return self._through(lambda: super(Unsteady, self).update(external_id, ticket))  # type: ignore[misc]

    def resolve(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Close it, or fail."""
        return self._through(lambda: super(Unsteady, self).resolve(external_id, ticket))  # type: ignore[misc]

    def _through(self, commit: Callable[[], ExternalTicket]) -> ExternalTicket:
        made: list[ExternalTicket] = []

        def written() -> httpx.Response:
            made.append(commit())
            return httpx.Response(204)

        request = httpx.Request("POST", "file:///")
        self.around.requests.append(request)
        try:
            answer = self.around.unreliably(request, written)
        except httpx.ConnectError as error:
            raise DeliveryError(NotSent(str(error))) from None
        except httpx.HTTPError as error:
            raise DeliveryError(Unknown(str(error))) from None
        if answer.status_code == 429:
            raise DeliveryError(Deferred(answer.text, timedelta(seconds=7)))
        if answer.status_code == 422:
            raise DeliveryError(Rejected("odd"))
        if answer.status_code != 204:
            raise DeliveryError(Unknown(answer.text))
        return made[0]


class UnsteadyTracker(Unsteady, LocalTracker):
    """The local tracker."""


class UnsteadyFile(Unsteady, EventFile):
    """The file of events."""


@dataclass
class Place(Unreliable):
    """A folder that a destination writes to; ``folder`` is set when the destination is made."""

    folder: Path = field(default_factory=Path)


@dataclass
class TicketFolder(Place):
    """The local tracker's."""

    def records(self) -> list[Seen]:
        """The tickets as people read them."""
        return [self._seen(path) for path in sorted(self.folder.glob("FC-*.md"), key=lambda path: int(path.stem[3:]))]

    @staticmethod
    def _seen(path: Path) -> Seen:
        _, matter, text = path.read_text(encoding="utf-8").split("---\n", 2)
        known = yaml.safe_load(matter)
        body, _, history = text.partition("## History")
        notes = tuple(re.findall(r"(?m)^- [\d-]+ [\d:]+ UTC: (.*)$", history))[1:]  # the first says that it was opened
        return Seen(known["title"], body, known["status"] == "resolved", notes)


@dataclass
class EventFolder(Place):
    """The file of events' own."""

    def records(self) -> list[Seen]:
        """The issues as a reader knows them."""
        file = self.folder / "events.jsonl"
        lines = file.read_bytes().splitlines() if file.exists() else []
        return incidents(map(json.loads, lines))


@dataclass(frozen=True)
class InFiles(contract.Subject):
    """A destination that writes files, as a subject."""

    made: ClassVar[list[int]] = []
    root: Path = Path()

    def destination(self, target: Any, **changed: Any) -> Any:
        if target.folder == Path():
            self.made.append(1)
            target.folder = self.root / f"place{len(self.made)}"
        file = target.folder / "events.jsonl"
        built: Any = UnsteadyTracker(target.folder) if self.kind == "local" else UnsteadyFile(file)
        built.around = target
        return built


@pytest.fixture(params=[("local", TicketFolder), ("events", EventFolder)], ids=lambda param: param[0])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> InFiles:
    kind, fake = request.param
    return InFiles(kind, fake, ("NO_SECRET", ""), limit=1_000_000, root=tmp_path_factory.mktemp(kind))


def test_a_story_is_told_as_it_goes(subject: InFiles, home: Home) -> None:
    contract.test_a_story_is_told_as_it_goes(subject, home)


def test_nothing_to_say_writes_nothing(subject: InFiles, home: Home) -> None:
    contract.test_nothing_to_say_sends_nothing(subject, home)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["timeout before", "timeout after"])
def test_whatever_goes_wrong_with_any_write_the_end_is_the_same(
    subject: InFiles, home: Home, tmp_path: Path, fault: str
) -> None:
    homes = contract.copies_of(home, tmp_path)
    calm = contract.calm_end(subject, homes)
    # "timeout before" is one of the lesser faults: every fourth write meets it.
    contract.end_after(subject, homes, calm, fault, range(0, calm.writes, 1 if fault == "timeout after" else 4))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_leaves_what_it_says(subject: InFiles, fault: str) -> None:
    contract.test_a_failure_says_what_is_known(subject, fault)


def test_hostile_text_shows_as_it_was_written_and_does_nothing(subject: InFiles) -> None:
    contract.test_hostile_text_shows_as_it_was_written_and_does_nothing(subject)


@pytest.mark.parametrize("text", ["word " * 20_000, "é日🧨 " * 25_000, "\n\n".join(["line"] * 20_000)])
def test_a_body_of_100_kb_is_kept_whole(subject: InFiles, text: str) -> None:
    target = subject.fake()
    subject.destination(target).create(replace(render(CHECKOUT, subject.kind), body=text))
    (seen,) = target.records()
    assert text.strip() in seen.text


def test_a_secret_of_another_destination_is_not_in_any_file(
    subject: InFiles, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in contract.SUBJECTS:
        monkeypatch.setenv(*other.secret)
    contract.live(home, ConfiguredDestination(subject.destination(subject.fake())), contract.STORY)
    files = [path for root in (home.root, subject.root) for path in root.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert len(files) > 3 and not any(other.secret[1].encode() in content for other in contract.SUBJECTS)


# ---------- mail


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def test_mail_sends_nothing_when_there_is_nothing_to_say(home: Home, post: MailServer) -> None:
    configured = ConfiguredDestination(mail(post.port))
    publish(home, [])
    assert push(home, now=NOW, destinations=[configured]).problems == []
    assert not post.connections
    contract.live(home, configured, contract.STORY[:1])
    connections = len(post.connections)
    assert push(home, now=NOW + timedelta(hours=3), destinations=[configured]).unchanged == 2
    assert len(post.mails) == 2 and len(post.connections) == connections


def test_mail_tells_a_story(home: Home, post: MailServer) -> None:
    contract.live(home, ConfiguredDestination(mail(post.port)), contract.STORY)
    subjects = [one["subject"].removeprefix("Re: ") for one in post.mails if "Checkout" in one["subject"]]
    texts = [post.text_of(one) for one in post.mails]
    assert len(subjects) == 4 and all("complaints" in text for text in texts)
    for said in ("Priority lowered from P1 to P2", "Resolved: complaints are back", "Reopened as P1"):
        assert sum(text.startswith(said) for text in texts) == 1


def test_mail_shows_hostile_text_as_it_was_written_and_does_nothing(post: MailServer) -> None:
    quotes = (CHECKOUT.quotes[0].model_copy(update={"text": contract.HOSTILE}),)
    mail(post.port).create(render(replace(CHECKOUT, issue_title=contract.HOSTILE, quotes=quotes), "mail"))
    (one,) = post.mails
    assert "🧨 日本" in post.text_of(one) and "🧨 日本" in post.page_of(one) and "🧨 日本" in one["subject"]
    assert "\n" not in one["subject"] and set(one.keys()) >= {"Message-ID", "To", "Subject"}
    assert not re.search(r"<img|<a [^>]*javascript|<script", post.page_of(one)) and "http://" not in one["subject"]


def test_a_title_cannot_add_a_header(post: MailServer) -> None:
    ticket = render(replace(CHECKOUT, issue_title="broken\r\nBcc: everybody@example.test\r\n\r\nbody"), "mail")
    mail(post.port).create(ticket)
    assert post.mails[0]["bcc"] is None and post.recipients == ["ops@acme.example"]


@pytest.mark.parametrize("text", ["word " * 20_000, "é日🧨 " * 25_000, "\n\n".join(["line"] * 20_000)])
def test_mail_cuts_a_body_of_100_kb_and_says_so(post: MailServer, text: str) -> None:
    mail(post.port).create(replace(render(CHECKOUT, "mail"), body=text))
    (one,) = post.mails
    kept, said, rest = post.text_of(one).partition("(cut here: too long for this tool)")
    assert said and not rest.strip() and len(kept) > 50_000
    assert "".join(text.split()).startswith("".join(kept.rstrip("… \r\n").split()))


def test_the_password_of_mail_shows_nowhere(
    home: Home, post: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    for number, answer in enumerate(["250 ok", f"554 odd: {PASSWORD}", f"451 later: {PASSWORD}"]):
        post.message = answer
        publish(home, [replace(CHECKOUT, issue_id=f"shop-{number}")])
        report = push(
            home, now=NOW + timedelta(days=number), destinations=[ConfiguredDestination(mail(post.port, user="fc"))]
        )
        assert bool(report.problems) is (number > 0) and PASSWORD not in str(report)
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # that is the server's
    assert PASSWORD not in str(ours) and PASSWORD not in repr(vars(mail(post.port, user="fc")))
    assert not [path for path in home.root.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


def test_mail_that_may_not_be_sent_names_the_setting(post: MailServer) -> None:
    post.sender = "550 not one of ours"
    outcome: Any = outcome_of(lambda: mail(post.port).create(render(CHECKOUT, "mail")))
    assert isinstance(outcome, Rejected) and outcome.whole_destination and "check sender" in outcome.reason
    post.sender, post.recipient = "250 ok", "550 no such user"
    outcome = outcome_of(lambda: mail(post.port).create(render(CHECKOUT, "mail")))
    assert isinstance(outcome, Rejected) and "check to and recipients" in outcome.reason
