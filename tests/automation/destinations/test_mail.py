"""E-mail, through a real mail server on loopback with planned faults."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.base import FindsByMarker, ReadsTicket, RepeatsSafely
from dagster_project.automation.destinations.mail import Mail
from dagster_project.automation.outcomes import Confirmed, Deferred, NotSent, Outcome, Rejected, Unknown, outcome_of
from dagster_project.automation.ticket import ExternalTicket
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.push import push
from dagster_project.home import Home
from tests.automation.mail_server import PASSWORD, MailServer, mail, mail_server
from tests.automation.support import CHECKOUT, NOW, publish, resolved

TICKET = render(CHECKOUT, "mail")


@pytest.fixture
def server() -> Iterator[tuple[MailServer, int]]:
    with mail_server() as running:
        yield running, running.port


def test_a_ticket_is_one_thread_to_its_owner(server: tuple[MailServer, int]) -> None:
    handler, port = server
    destination = mail(port, recipients={"checkout-squad": ["checkout@acme.example", "lead@acme.example"]})
    opened = destination.create(TICKET)
    noted = replace(TICKET, priority="P2", note="Priority lowered from P1 to P2.", note_key="a1")
    destination.update(opened.external_id, replace(noted, note=""))
    destination.update(opened.external_id, noted)
    first, second = handler.mails
    assert first["to"] == "checkout@acme.example, lead@acme.example" and first["importance"] == "high"
    assert second["in-reply-to"] == first["message-id"] == opened.external_id
    assert second["subject"] == f"Re: {TICKET.title}" == f"Re: {first['subject']}"
    text, page = (part.get_content() for part in cast(Any, second).iter_parts())
    assert text.startswith("Priority lowered from P1 to P2.") and "184 complaints" in text
    assert "<strong>Priority lowered" in page


def test_it_has_no_power_so_that_a_lost_answer_waits_for_a_person(home: Home, server: tuple[MailServer, int]) -> None:
    handler, port = server
    destination = mail(port)
    assert not isinstance(destination, FindsByMarker | ReadsTicket | RepeatsSafely)
    handler.lose = True
    publish(home, [CHECKOUT])
    assert push(home, now=NOW, destinations=[ConfiguredDestination(destination)]).unknown == 1
    handler.lose = False
    for minutes in (10, 20, 2000):
        report = push(home, now=NOW + timedelta(minutes=minutes), destinations=[ConfiguredDestination(destination)])
    assert len(handler.mails) == 1 and report.rejected == 1 and "dead-letters" in report.problems[0]


def test_a_story_is_told_once_each(home: Home, server: tuple[MailServer, int]) -> None:
    handler, port = server
    configured = ConfiguredDestination(mail(port))
    lowered = replace(CHECKOUT, priority="P2")
    for minutes, issue in enumerate([CHECKOUT, CHECKOUT, lowered, lowered, resolved(lowered), resolved(lowered)]):
        publish(home, [issue])
        assert push(home, now=NOW + timedelta(minutes=minutes), destinations=[configured]).problems == []
    assert len(handler.mails) == 3


def outcome(destination: Mail) -> Outcome[ExternalTicket]:
    return outcome_of(lambda: destination.create(TICKET))


def test_what_the_server_says_decides_what_is_known(server: tuple[MailServer, int]) -> None:
    handler, port = server
    handler.recipient = "550 no such user"
    refused = outcome(mail(port))
    assert isinstance(refused, Rejected) and "check to and recipients" in refused.reason
    handler.recipient = "450 greylisted"
    assert isinstance(outcome(mail(port)), Deferred)
    handler.recipient, handler.message = "250 ok", "554 looks like spam"
    assert isinstance(outcome(mail(port)), Rejected)
    handler.message = "451 try again"
    assert isinstance(outcome(mail(port)), Deferred)
    handler.message, handler.lose = "250 ok", True
    assert isinstance(outcome(mail(port)), Unknown)
    assert len(handler.mails) == 1


def test_without_a_connection_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gone = outcome(mail(port))
    assert isinstance(gone, NotSent) and "check host, port and tls" in gone.reason


def test_a_wrong_password_names_its_variable(server: tuple[MailServer, int], monkeypatch: pytest.MonkeyPatch) -> None:
    handler, port = server
    for value, right in ((PASSWORD, True), ("wrong", False), ("", False)):
        monkeypatch.setenv("SMTP_PASSWORD", value)
        result = outcome(mail(port, user="fc"))
        assert isinstance(result, Confirmed) is right
        if isinstance(result, Rejected):
            assert result.whole_destination and "SMTP_PASSWORD" in result.reason and PASSWORD not in result.reason
    assert len(handler.mails) == 1


def test_a_server_without_starttls_is_not_trusted_with_anything(server: tuple[MailServer, int]) -> None:
    handler, port = server
    result = outcome(mail(port, tls="starttls"))
    assert isinstance(result, Rejected) and "check port and tls" in result.reason and not handler.mails
