"""Ticket events: each confirmed write as rows of ``ticket_events`` in the lake, and as a CloudEvent for event sinks.

A write to an umbrella's ticket concerns each issue under it, and becomes one row for each. The lake gets every event
once: rows have ids that follow from the write, and ids that have landed are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

import polars as pl

from dagster_project import lake
from dagster_project.automation.cloudevents import Event, event_of
from dagster_project.automation.ledger.event_outbox import Announcement
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.lake_export import Row, land
from dagster_project.automation.ledger.ledger import Announce, Confirmation, Ledger
from dagster_project.automation.ticket import KIND, Ticket
from dagster_project.automation.tickets.actions import PAST, Action
from dagster_project.home import Home

EVENTS = "ticket_events"
Sinks = Mapping[str, Collection[str]]
"""Event sinks by name, each with the priorities of the tickets that it gets events about."""

_EVENT_TYPES = {Action.CREATE: "created", Action.UPDATE: "updated", Action.RESOLVE: "closed"}


def export_events(home: Home, ledger: Ledger, now: datetime, sinks: Sinks) -> None:
    """Land the confirmed writes that the lake lacks, and put events about them into the outbox of each sink."""
    lake.ensure_table(home, EVENTS)
    with ledger.exporting(KIND, now, announcements(ledger, sinks)) as confirmed:
        events = {
            str(event["event_id"]): event
            for confirmation in confirmed
            if confirmation.intent.destination not in sinks  # a sink holds no tickets
            for event in _rows(confirmation)
        }
        if events:
            landed = lake.scan(home, EVENTS).filter(pl.col("event_id").is_in(list(events))).select("event_id").collect()
            known = set(landed["event_id"])
            land(home, EVENTS, [event for key, event in events.items() if key not in known])


def announcements(ledger: Ledger, sinks: Sinks) -> Announce:
    """Renders the event about a confirmed write for each sink.

    A sink gets events about tickets of its priorities, and goes on getting them when a ticket's priority changes.
    """

    def announce(intent: Intent, payload: str) -> Iterable[Announcement]:
        if not sinks or intent.destination in sinks:
            return
        ticket = Ticket.from_json(payload)
        event = ticket_event(intent, ticket, ledger.order_of(intent))
        for sink, priorities in sinks.items():
            yield Announcement(sink, event, if_followed=ticket.priority not in priorities)

    return announce


def ticket_event(intent: Intent, ticket: Ticket, sequence: str) -> Event:
    """The event about a confirmed write, and the ticket it wrote."""
    assert intent.confirmed_at is not None
    data = {
        "issue_id": intent.subject_id,
        "destination": intent.destination,
        "external_id": intent.external_id,
        "url": intent.url,
        "priority": ticket.priority,
    }
    action = Action(intent.action)
    left_open = action is Action.RESOLVE and not ticket.closes  # closing is left to people there
    name = _EVENT_TYPES[Action.UPDATE if left_open else action]
    return event_of(f"ticket.{name}", ticket_event_id(intent), data, intent.confirmed_at, sequence)


def ticket_event_id(intent: Intent) -> str:
    """The id of the event about a confirmed write, in events and in the lake."""
    # A ticket is created once, whichever ledger saw it; every other event is told apart by its content.
    told_apart = "" if intent.opens else f"{intent.sequence} {intent.payload_hash}"
    key = f"{intent.destination} {intent.subject_id} {intent.action} {told_apart}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def for_member(event: Row, issue_id: str) -> Row:
    """The row of an umbrella's ticket, as a row of an issue under the umbrella."""
    event_id = hashlib.sha256(f"{event['event_id']} {issue_id}".encode()).hexdigest()[:32]
    return {**event, "event_id": event_id, "issue_id": issue_id}


def _rows(confirmation: Confirmation) -> Iterator[Row]:
    intent, ticket = confirmation.intent, Ticket.from_json(confirmation.payload)
    event: Row = {
        "event_id": ticket_event_id(intent),
        "issue_id": intent.subject_id,
        "destination": intent.destination,
        "external_id": intent.external_id,
        "url": intent.url,
        "event": PAST[Action(intent.action)],
        "priority": ticket.priority,
        "occurred_at": intent.confirmed_at,
        "known_at": intent.confirmed_at,
    }
    yield event
    for member in confirmation.members:
        if intent.confirmed_at and intent.confirmed_at >= member.joined_at:
            is_its_first = intent.action == Action.UPDATE and intent.confirmed_at == member.first_confirmed_at
            yield for_member(event, member.subject_id) | ({"event": PAST[Action.CREATE]} if is_its_first else {})
