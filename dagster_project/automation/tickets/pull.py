"""From the trackers back to the lake: what people did to our tickets, so that dbt knows of it.

Every destination that ``ReportsChanges`` is asked for what was done since the ledger's cursor, less a margin for what
a tool shows late. Each act becomes one row of ``ticket_events``, under an id that follows from the tool's own; what the
lake has already is left out, so the overlap, a second pull, or one after a crash between landing and moving the cursor
double nothing, and the cursor moves only once the rows have landed, so nothing is lost. What one destination refuses
does not stop the others. What people wrote is masked, as it may quote customers.

What they rejected ("not a bug") is no incident, so the days of such an issue are to stay out of baselines of its kind.
dbt cannot find them itself, as issues come after baselines there, so they are landed as ``baseline_exclusions``: from
the published issue, and anew when that ends or somebody takes the rejection back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import get_args

import polars as pl

from dagster_project import lake
from dagster_project.automation.destinations.base import Closeable, ReportsChanges
from dagster_project.automation.destinations.configured import Outlet
from dagster_project.automation.ledger.lake_export import EVENTS, Row, about
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.pull_cursors import Held
from dagster_project.automation.ledger.umbrellas import Member
from dagster_project.automation.outcomes import Deferred, DeliveryError, NotSent
from dagster_project.automation.ticket import ChangeKind, TicketChange
from dagster_project.automation.tickets.push_report import Progress
from dagster_project.automation.tickets.rejections import export_exclusions
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from models_ml.text.masking import mask

MARGIN = timedelta(minutes=15)
"""How long a tool may take to show what was done there, and how far its clock may be off."""

LONGEST = 2_000
"""How much of a comment is kept, in characters."""

_CUT = " …"


@dataclass
class PullReport:
    """What one pull brought: acts by kind, issues whose days were taken out of baselines or put back, problems."""

    acts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(ChangeKind), 0))
    rejected: int = 0
    exclusions: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Every count by its name; ``rejected`` are the acts that said "not a bug"."""
        return {**self.acts, "rejected": self.rejected, "exclusions": self.exclusions}


def pull(
    home: Home,
    *,
    now: datetime,
    outlets: Sequence[Outlet],
    progress: Progress = lambda _: None,
    ledger: Ledger | None = None,
) -> PullReport:
    """Land what was done to our tickets since the last pull; nothing is written anywhere but here.

    Raises:
        ConfigurationError: the ledger cannot be used.
    """
    ledger, report = ledger or Ledger(home.ledger_url, now=now), PullReport()
    lake.ensure_table(home, EVENTS)
    for outlet in outlets:
        try:
            _pull_from(home, ledger, outlet, now, report, progress)
        except DeliveryError as error:
            if isinstance(error.outcome, Deferred):
                ledger.hold_pulls(outlet.name, now + error.outcome.wait)
            report.problems.append(f"{outlet.name}: what people did there was not read: {error.outcome.reason}")
            progress(report.problems[-1])
        finally:
            if isinstance(outlet.destination, Closeable):
                outlet.destination.close()
    with ledger.alone():
        report.exclusions = export_exclusions(home, now)
    return report


def _pull_from(
    home: Home, ledger: Ledger, outlet: Outlet, now: datetime, report: PullReport, progress: Progress
) -> None:
    first = ledger.first_intent(outlet.name)
    if not isinstance(outlet.destination, ReportsChanges) or first is None:
        return
    if held := ledger.held_until(outlet.name, now):
        raise DeliveryError(NotSent(f"the rate limit it named earlier holds until {held:%Y-%m-%d %H:%M} UTC"))
    changes = _asked(outlet.destination, (ledger.pulled_until(outlet.name) or first) - MARGIN)
    tickets = ledger.tickets_by_marker(outlet.name, {change.marker for change in changes})
    with ledger.reader.connect() as connection:
        gathered = ledger.members_of(connection, {ticket.issue_id for ticket in tickets.values()})
    told = []
    for change in (one for one in changes if one.marker in tickets):
        ticket = tickets[change.marker]
        told.append(_rows(outlet.name, change, ticket, gathered.get(ticket.issue_id, []), now))
    with ledger.landing(outlet.name, now):
        landed = _land_new(home, told)
    for row in landed:
        report.acts[str(row["event"])] += 1
        report.rejected += bool(row["by_person"] and row["resolution"] == "rejected")
        progress(f"{outlet.name}: {row['external_id']} {row['event']} {_short(row)}")


def _asked(destination: ReportsChanges, since: datetime) -> list[TicketChange]:
    try:
        return list(destination.changes_since(since))
    except DeliveryError:
        raise
    except Exception as error:  # an answer that nobody foresaw: the other destinations go on
        raise DeliveryError(NotSent(f"unforeseen {type(error).__name__}: {error}")) from error


def _land_new(home: Home, told: Iterable[list[Row]]) -> list[Row]:
    """Land the acts that the lake does not have, each for all whom it concerns; their own rows, oldest first."""
    acts = {str(rows[0]["event_id"]): rows for rows in told}
    known = lake.scan(home, EVENTS).filter(pl.col("event_id").is_in(list(acts))).select("event_id").collect()
    for event_id in known["event_id"]:
        acts.pop(event_id, None)
    new = sorted(acts.values(), key=lambda rows: (str(rows[0]["occurred_at"]), str(rows[0]["event_id"])))
    if new:
        lake.append(home, EVENTS, pl.DataFrame(list(chain.from_iterable(new)), schema=schema_of(EVENTS)))
    return [rows[0] for rows in new]


def _rows(destination: str, change: TicketChange, ticket: Held, members: Iterable[Member], now: datetime) -> list[Row]:
    """The act as it concerns the issue of the ticket; then as it concerns each that was under that umbrella by then."""
    row: Row = {
        "event_id": _event_id(destination, change),
        "issue_id": ticket.issue_id,
        "destination": destination,
        "external_id": change.external_id,
        "url": ticket.url,
        "event": change.kind,
        "priority": None,
        "value": _kept(change.value),
        "previous": None if change.previous is None else _kept(change.previous),
        "resolution": change.resolution,
        "actor": change.actor,
        "by_person": not change.by_program,
        "occurred_at": change.occurred_at.astimezone(UTC),
        "known_at": now,
    }
    return [row, *(about(row, one.issue_id) for one in members if one.joined_at <= change.occurred_at)]


def _event_id(destination: str, change: TicketChange) -> str:
    own = [change.change_id] if change.change_id else [change.value, change.actor, change.occurred_at.isoformat()]
    told = [destination, change.external_id, change.kind, *own]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:32]


def _kept(text: str) -> str:
    """What may land: masked before it is cut, so that no half of an address is left over at the end."""
    masked = mask(text).strip()
    return masked if len(masked) <= LONGEST else masked[: LONGEST - len(_CUT)] + _CUT


def _short(row: Row) -> str:
    said = " ".join(str(row["value"]).split())
    by = f" by {row['actor']}" if row["actor"] else ""
    return f"{said[:60]}{by}"
