"""Memory check before a push: the ledger against the head file, the lake's export and the places of destinations.

A ledger that is behind adopts the tickets that the lake has (``sync_snapshot``, ``ticket_events``): which issue has
which ticket there, if it is over, and which issues share an umbrella. What the lake lacks is searched at each
destination by its marker (``search.py``). A renamed or moved destination is refused, because the marker of every
ticket follows from the name, and the ids of tickets from the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from dagster_project import lake
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.continuity import Remembered, RememberedMember
from dagster_project.automation.ledger.head import Gap
from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.lake_export import SNAPSHOT
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import KIND, Ticket
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.brief import marker_of
from dagster_project.automation.tickets.throttling import UMBRELLA
from dagster_project.automation.tickets.ticket_events import EVENTS
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

_REASONS: dict[Gap | None, str] = {
    Gap.BEHIND: "the ledger lacks what was committed before: it was put back from a backup, or cut off",
    Gap.NEW: "the ledger is new, and this home had another one before",
    None: "the ledger lacks tickets that the lake has: it was put back from a backup, or lost",
}
_WRITTEN = ("created", "updated", "resolved")

Row = dict[str, Any]
"""Row of the lake."""


def check_memory(home: Home, ledger: Ledger, now: datetime) -> str:
    """Let the ledger recover what it does not remember; returns what was found, empty if nothing was.

    Raises:
        ConfigurationError: the ledger is that of another home.
    """
    continuity = ledger.continuity
    if continuity.gap is Gap.ANOTHER:
        raise ConfigurationError(
            f"the ledger is not the one that {home.ledger_head} was written for: set FEEDBACK_LEDGER_URL to this"
            " home's own, or say `feedback-control ledger accept` to go on with this one"
        )
    if continuity.gap is None and continuity.has_head and not _lake_is_ahead(home, ledger):
        return ""
    reason, (tickets, members) = _REASONS[continuity.gap], _lake_memory(home, ledger)
    if continuity.gap is None and not tickets:
        continuity.keep_head()
        return ""
    adopted = continuity.recover(reason, now, tickets, members)
    return f"{reason}; {adopted} tickets were taken over from the lake, and no other is opened before a search for it"


def accept_ledger(home: Home, ledger: Ledger, now: datetime) -> int:
    """Go on with this ledger on a person's word, with the tickets that the lake has; returns how many were adopted."""
    return ledger.continuity.recover("a person accepted this ledger", now, *_lake_memory(home, ledger))


def wrong_place(ledger: Ledger, configured: ConfiguredDestination) -> str:
    """The reason why nothing may be sent under this name; empty if the name and the place belong together."""
    name, place, known = configured.name, configured.place, ledger.continuity.places()
    if not place or known.get(name) == place:
        return ""
    accept = f"or say `feedback-control ledger accept {name}`"
    if name in known:
        return (
            f"it was at {known[name]}, and is at {place} now: its tickets are not there. Give the new place a name of"
            f" its own, {accept} if they were moved along"
        )
    before = [one for one, there in sorted(known.items()) if there == place and one not in configured.beside]
    if before:
        return (
            f"{place} was named {before[0]} before: under a new name every ticket would be opened again. Set `name:"
            f" {before[0]}`, {accept} if a second set of tickets is wanted"
        )
    return ""


# ---------- the lake's memory


def _lake_is_ahead(home: Home, ledger: Ledger) -> bool:
    """True if the lake has a change of a ticket that is later than all that the ledger has noted."""
    if not (home.lake / SNAPSHOT).is_dir():
        return False
    newest = lake.scan(home, SNAPSHOT).select(pl.col("known_at").max()).collect().item()
    noted = ledger.continuity.noted_until()
    return newest is not None and (noted is None or newest > noted)


def _lake_memory(home: Home, ledger: Ledger) -> tuple[list[Remembered], list[RememberedMember]]:
    """The tickets that the lake has and the ledger lacks, and the issues that share an umbrella's ticket."""
    events = [row for row in _rows(home, EVENTS, "occurred_at", "event_id") if row["event"] in _WRITTEN]
    heads = {(row["destination"], row["subject_id"]): row for row in ledger.heads(KIND)}
    tickets = [
        _remembered(row)
        for row in _tickets(home, events)
        if (head := heads.get((row["destination"], row["issue_id"]))) is None or not head["external_id"]
    ]
    return tickets, list(_members(events))


def _tickets(home: Home, events: Iterable[Row]) -> Iterator[Row]:
    """One row for each ticket that the lake has, by its events and by the last export of the ledger."""
    found: dict[tuple[str, str], Row] = {}
    for one in events:
        key = (one["destination"], one["issue_id"])
        if key not in found:
            found[key] = {**one, "created_at": one["occurred_at"]}
        found[key] |= {name: one[name] for name in ("event", "priority", "occurred_at", "external_id", "url")}
    umbrella = _umbrellas(found)
    own = {key: one for key, one in found.items() if umbrella.get((key[0], one["external_id"]), key[1]) == key[1]}
    for row in _rows(home, SNAPSHOT):
        key = (row["destination"], row["issue_id"])
        if key not in own and row["external_id"] and row["confirmed_at"]:
            over = row["action"] == Action.RESOLVE and row["state"] == State.CONFIRMED
            own[key] = {
                **row,
                "event": "resolved" if over else "updated",
                "priority": "",
                "occurred_at": row["confirmed_at"],
            }
        elif key in own:
            own[key] |= {"owner": row["owner"]}
    yield from own.values()


def _remembered(row: Row) -> Remembered:
    destination, issue_id, over = row["destination"], row["issue_id"], row["event"] == "resolved"
    ticket = Ticket(
        issue_id=issue_id,
        marker=marker_of(issue_id, destination),
        title=f"{issue_id}, as the lake has it",
        body="",
        status="resolved" if over else "open",
        priority=row["priority"] or "",
        owner=row.get("owner") or "",
    )
    action = Action.RESOLVE if over else Action.CREATE
    times = row["created_at"], row["occurred_at"]
    return Remembered(destination, ticket, action, row["external_id"], row["url"] or "", *times)


def _members(events: Sequence[Row]) -> Iterator[RememberedMember]:
    """The issues that share an umbrella's ticket."""
    umbrella = _umbrellas({(event["destination"], event["issue_id"]): event for event in events})
    seen = set()
    for event in events:
        own = umbrella.get((event["destination"], event["external_id"]))
        key = (event["destination"], event["issue_id"])
        if own and own != event["issue_id"] and key not in seen:
            seen.add(key)
            yield RememberedMember(*key, own, event["occurred_at"])


def _umbrellas(rows: dict[tuple[str, str], Row]) -> dict[tuple[str, str], str]:
    """The umbrella of each ticket that is one, by destination and id there."""
    return {(key[0], row["external_id"]): key[1] for key, row in rows.items() if key[1].startswith(UMBRELLA)}


def _rows(home: Home, table: str, *order: str) -> Sequence[Row]:
    if not (home.lake / table).is_dir():
        return []
    found: pl.DataFrame = lake.scan(home, table).collect()
    return (found.sort(*order) if order else found).to_dicts()
