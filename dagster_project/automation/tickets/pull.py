"""Pull: read the changes that people made to our tickets back into the lake, so that dbt knows of them.

Every destination that ``ReportsChanges`` is asked for the changes since its cursor (the watermark in the ledger), less
a margin for changes that a tool shows late. Each change becomes one row of ``ticket_events``, under an id that follows
from the tool's own. Ids that have landed are left out, so the overlap, a second pull, or a crash between landing and
advancing the cursor duplicates nothing (idempotent); the cursor advances only once the rows have landed, so nothing is
lost. A failure at one destination does not stop the others. Texts are masked, as they may quote customers.

The days of an issue that people rejected ("not a bug") stay out of baselines (``rejections.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import get_args

import polars as pl

from dagster_project import lake
from dagster_project.automation.destinations.base import Closeable, ReportsChanges
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.lake_export import Row, land
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.umbrellas import Member
from dagster_project.automation.outcomes import Deferred, DeliveryError, NotSent
from dagster_project.automation.ticket import ChangeKind, TicketChange
from dagster_project.automation.tickets.memory import check_memory
from dagster_project.automation.tickets.missing import missing_tickets
from dagster_project.automation.tickets.push_report import Progress
from dagster_project.automation.tickets.rejections import export_exclusions
from dagster_project.automation.tickets.ticket_events import EVENTS, for_member
from dagster_project.decisioning.published import mend_published
from dagster_project.errors import ConfigurationError, LedgerError, said_of
from dagster_project.home import Home
from dagster_project.outgoing import clean

MARGIN = timedelta(minutes=15)
"""Overlap of two pulls: covers the delay of a tool's index and the error of its clock."""

LONGEST = 2_000
"""Longest part of a comment that is kept, in characters."""

_CUT = " …"


@dataclass
class PullReport:
    """Report of one pull: changes by kind, issues whose days were taken out of baselines or put back, problems."""

    acts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(ChangeKind), 0))
    rejected: int = 0
    exclusions: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Every count by its name; ``rejected`` are the changes to "not a bug" or "won't fix"."""
        return {**self.acts, "rejected": self.rejected, "exclusions": self.exclusions}


def pull(
    home: Home,
    *,
    now: datetime,
    destinations: Sequence[ConfiguredDestination],
    progress: Progress = lambda _: None,
    ledger: Ledger | None = None,
) -> PullReport:
    """Land the changes made to our tickets since the last pull; nothing is written to a destination.

    Raises:
        ConfigurationError: the ledger cannot be used, or belongs to another home.
    """
    lake.refuse_borrowed(home)
    ledger, report = ledger or Ledger.of(home, now=now), PullReport()
    ledger.ownership.claim(home.marker)
    if found := check_memory(home, ledger, now):  # whose tickets are read follows from the ledger
        progress(f"ledger: {found}")
    lake.ensure_table(home, EVENTS)
    mend_published(home)
    for configured in destinations:
        with _alone(configured, ledger, now, report, progress):
            if configured.broken:
                raise ConfigurationError(configured.broken)
            _pull_from(home, ledger, configured, now, report, progress)
    try:
        with ledger.pull_cursors.exclusive():
            report.exclusions = export_exclusions(home, now)
    except Exception as error:
        report.problems.append(f"rejected issues are still in the baselines: {said_of(error)}")
        progress(report.problems[-1])
    return report


@contextmanager
def _alone(
    configured: ConfiguredDestination, ledger: Ledger, now: datetime, report: PullReport, progress: Progress
) -> Iterator[None]:
    """A block about one destination: whatever it raises leaves that one unread, and the others are read."""
    try:
        yield
    except Exception as error:
        report.problems.append(f"{configured.name}: what people did there was not read: {said_of(error)}")
        progress(report.problems[-1])
        if isinstance(error, DeliveryError) and isinstance(error.outcome, Deferred):
            with suppress(LedgerError):
                ledger.pull_cursors.limit_rate(configured.name, now + error.outcome.wait)
    finally:
        if isinstance(configured.destination, Closeable):
            with suppress(Exception):  # it was read, or its problem is told already
                configured.destination.close()


def _pull_from(
    home: Home, ledger: Ledger, configured: ConfiguredDestination, now: datetime, report: PullReport, progress: Progress
) -> None:
    first = ledger.first_recorded_at(configured.name)
    if not isinstance(configured.destination, ReportsChanges) or first is None:
        return
    if until := ledger.rate_limited_until(configured.name, now):
        raise DeliveryError(NotSent(f"the rate limit it named earlier holds until {until:%Y-%m-%d %H:%M} UTC"))
    since = (ledger.pull_cursors.pulled_until(configured.name) or first) - MARGIN
    changes = list(configured.destination.changes_since(since))
    heads = ledger.heads_by_marker(configured.name, {change.marker for change in changes})
    members = ledger.umbrellas.members_of({head.subject_id for head in heads.values()})
    rows = []
    for change in (one for one in changes if one.marker in heads):
        head = heads[change.marker]
        try:
            rows.append(_rows(change, head, members.get(head.subject_id, []), now))
        except Exception as error:  # one change that nobody foresaw: the others are read
            report.problems.append(f"{configured.name}: a change of {head.external_id} was left out: {said_of(error)}")
            progress(report.problems[-1])
    with ledger.pull_cursors.advance_cursor(configured.name, now):
        landed = _land_new(home, rows)
    if missing := missing_tickets(ledger, configured.destination):
        progress(f"{configured.name}: {missing}")
    for row in landed:
        report.acts[str(row["event"])] += 1
        report.rejected += bool(row["by_person"] and row["resolution"] == "rejected")
        progress(f"{configured.name}: {row['external_id']} {row['event']} {_short(row)}")


def _land_new(home: Home, found: Iterable[list[Row]]) -> list[Row]:
    """Land the changes that the lake lacks, each for every issue it concerns; the tickets' own rows, oldest first."""
    changes = {str(rows[0]["event_id"]): rows for rows in found}
    known = lake.scan(home, EVENTS).filter(pl.col("event_id").is_in(list(changes))).select("event_id").collect()
    for event_id in known["event_id"]:
        changes.pop(event_id, None)
    new = sorted(changes.values(), key=lambda rows: (str(rows[0]["occurred_at"]), str(rows[0]["event_id"])))
    land(home, EVENTS, list(chain.from_iterable(new)))
    return [rows[0] for rows in new]


def _rows(change: TicketChange, head: Intent, members: Iterable[Member], now: datetime) -> list[Row]:
    """The change as a row of the ticket's issue, and of each issue that was under that umbrella by then."""
    row: Row = {
        "event_id": _event_id(head.destination, change),
        "issue_id": head.subject_id,
        "destination": head.destination,
        "external_id": change.external_id,
        "url": head.url or "",
        "event": change.kind,
        "priority": None,
        "value": _kept(change.value),
        "previous": None if change.previous is None else _kept(change.previous),
        "resolution": change.resolution,
        "actor": change.actor,
        "by_person": not change.by_program,
        "occurred_at": min(change.occurred_at, now).astimezone(UTC),  # what was read has happened
        "known_at": now,
    }
    return [row, *(for_member(row, one.subject_id) for one in members if one.joined_at <= change.occurred_at)]


def _event_id(destination: str, change: TicketChange) -> str:
    own = [change.change_id] if change.change_id else [change.value, change.actor, change.occurred_at.isoformat()]
    key = [destination, change.external_id, change.kind, *own]
    return hashlib.sha256(json.dumps(key, ensure_ascii=False).encode()).hexdigest()[:32]


def _kept(text: str) -> str:
    """The text to land: cleaned before it is cut, so that no half of an address is left over at the end."""
    masked = clean(text).strip()
    return masked if len(masked) <= LONGEST else masked[: LONGEST - len(_CUT)] + _CUT


def _short(row: Row) -> str:
    said = " ".join(str(row["value"]).split())
    by = f" by {row['actor']}" if row["actor"] else ""
    return f"{said[:60]}{by}"
