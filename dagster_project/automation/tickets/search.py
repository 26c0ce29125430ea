"""Search of a destination before a ticket is opened: a ticket that is there already is adopted, not doubled.

A ledger cannot know that it was put back together with its home, so each ticket is searched by its marker once. After a
gap in the ledger's memory (``ledger/continuity.py``) more is searched: without the limit in time, and for the open
tickets of issues that are over. A destination that can be searched counts as reconciled once that was done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from dagster_project.automation.destinations.base import FindsByMarker, RepeatsSafely, TicketDestination
from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.outcomes import DeliveryError, NotSent
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets.actions import Action
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push_report import DestinationReport
from dagster_project.automation.tickets.throttling import Umbrella
from dagster_project.errors import said_of

_DETECTED_ANEW = timedelta(days=7)  # new data may move the instant of detection by so much
_OLDEST_ORPHAN = timedelta(days=90)


class Search:
    """Search of one destination in one run; ``searched`` are the issues that were looked up, which is enough once."""

    def __init__(
        self, ledger: Ledger, destination: TicketDestination, clock: Callable[[], datetime], told: DestinationReport
    ) -> None:
        self._ledger, self._destination, self._clock, self._told = ledger, destination, clock, told
        self._name, self._settle = destination.name, timedelta(seconds=destination.settle_seconds)
        self._epoch = ledger.continuity.unreconciled(destination.name)
        self._is_complete = True
        self.searched: set[str] = set()

    def conclude(self) -> None:
        """Record that the destination is reconciled, if all that a gap may hide was searched for."""
        searchable = isinstance(self._destination, FindsByMarker | RepeatsSafely)
        done = self._is_complete and not self._told.failed and not self._told.stopped
        if self._epoch and searchable and done:
            self._ledger.continuity.reconciled(self._name, self._epoch, self._clock())

    def before_opening(self, issue: Issue | Umbrella, wanted: Ticket, head: Intent) -> bool | None:
        """None if the ticket is to be opened; True if it is there and adopted, False if it has to wait."""
        may_be_hidden = self._epoch is not None and issue.detected_at <= self._epoch.began_at
        if self._epoch and may_be_hidden and self._clock() < self._epoch.began_at + self._settle:
            self._told.problem(f"{wanted.title}: what was opened last may not show yet; searched by a later run")
            self._is_complete = False
            return False
        if isinstance(self._destination, FindsByMarker):
            if wanted.issue_id in self.searched:
                return None
            return self._adopt(head, wanted, self._not_before(issue), issue.detected_at)
        if may_be_hidden and not isinstance(self._destination, RepeatsSafely):
            self._told.stop(
                "the ledger does not remember everything, and this destination cannot be searched; see what was opened"
                f" there, then say `feedback-control ledger accept {self._name}`"
            )
            return False
        return None

    def _not_before(self, issue: Issue | Umbrella) -> datetime | None:
        """An instant before which no ticket of the issue can have been opened; None where the memory has a gap."""
        if self._epoch or issue.detected_at <= self._ledger.born_at:
            return None
        return issue.detected_at - _DETECTED_ANEW

    def _adopt(self, head: Intent, wanted: Ticket, since: datetime | None, detected_at: datetime) -> bool | None:
        """Confirm an intent that was never sent by the ticket that is there; None if there is none."""
        self.searched.add(wanted.issue_id)
        found = self._found_there(head, wanted.marker, since)
        if found is None:
            return False
        if not found:
            return None
        there = next((ticket for ticket in found if not ticket.closed), found[0])
        sent = Ticket.from_json(self._ledger.payload(head))
        if self._ledger.found(head, there, as_sent=there.says(sent), now=self._clock()):
            self._ledger.pull_cursors.rewind(self._name, detected_at)
            self._told.count(Action.CREATE, sent.title, there, said="found")
        return True

    def _found_there(self, head: Intent | None, marker: str, since: datetime | None) -> list[ExternalTicket] | None:
        """The tickets with a marker; None if the search failed, after which nothing more is sent."""
        assert isinstance(self._destination, FindsByMarker)
        try:
            return self._destination.find_by_marker(marker, since)
        except Exception as error:
            self.failed(head, error)
            return None

    def failed(self, head: Intent | None, error: Exception) -> None:
        """Record that a look-up failed; nothing more is sent in this run."""
        failure = error.outcome if isinstance(error, DeliveryError) else NotSent(said_of(error))
        if head:
            self._ledger.not_looked_up(head, failure, self._clock())
        self._told.stop(f"a look-up failed: {failure.reason}")

    def orphan(self, issue: Issue | Umbrella, render: Callable[[], Ticket]) -> Intent | None:
        """After a gap: the open ticket of an issue that is over, which the ledger does not know, taken over."""
        if not self._epoch or self._told.stopped or not isinstance(self._destination, FindsByMarker):
            return None
        known, over = self._epoch.trusted_until, getattr(issue, "resolved_at", None)
        if over is None or over < (known or self._clock() - _OLDEST_ORPHAN) - _DETECTED_ANEW:
            return None
        opened = replace(render(), status="open")
        found = self._found_there(None, opened.marker, None)
        there = next((ticket for ticket in found or [] if not ticket.closed), None)
        if there is None:
            return None
        self._ledger.record([(None, Action.CREATE, opened)], self._name, self._clock())
        if head := self._ledger.head(issue.issue_id, self._name):
            self._ledger.found(head, there, as_sent=False, now=self._clock())
            self._ledger.pull_cursors.rewind(self._name, issue.detected_at)
        return self._ledger.head(issue.issue_id, self._name)
