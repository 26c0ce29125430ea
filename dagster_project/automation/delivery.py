"""One destination in one run: from what the queue wants to what the destination holds, step by step.

``intents.next_step`` decides, the ledger makes each decision durable, and this module carries it out: claim, send,
record the outcome; look up what is unknown; stop sending to a destination that refuses, cannot be reached or asks to
wait.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dagster_project.automation import brief
from dagster_project.automation.destinations.base import (
    Confirmed,
    Deferred,
    DeliveryError,
    ExternalTicket,
    FindsByMarker,
    NotSent,
    Outcome,
    ReadsTicket,
    Rejected,
    RepeatsSafely,
    Ticket,
    TicketDestination,
    Unknown,
    outcome_of,
)
from dagster_project.automation.intents import Action, Intent, State, Step, is_history, next_step
from dagster_project.automation.ledger import Ledger
from dagster_project.automation.queue import Issue

Progress = Callable[[str], None]

PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.RESOLVE: "resolved"}
_PATIENCE = 3  # unknown outcomes in a row after which a destination is left alone for this run
_CLOCK_MARGIN = timedelta(hours=1)  # how far the target's clock may be behind ours
_HELD = (
    "the answer was lost and this tool can be asked by nobody but a person: see whether it arrived, then"
    " `feedback-control outbox settle`"
)
_MOST_STEPS = 8  # settling an old intent and then sending a new one takes six


@dataclass(frozen=True)
class Change:
    """One difference between the queue and a destination: what is to be sent, and how the text changes."""

    destination: str
    issue_id: str
    action: str
    title: str
    diff: str


@dataclass
class PushReport:
    """What one push did.

    ``deferred`` waits for a later run, ``unknown`` for a look-up, ``rejected`` for a person; ``problems`` says what to
    do about each. ``links`` are the tickets that changed; ``changes`` is filled by a dry run only.
    """

    created: int = 0
    updated: int = 0
    resolved: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    deferred: int = 0
    problems: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class _Work:
    """What one issue needs at this destination."""

    issue: Issue
    wanted: Ticket
    head: Intent | None
    held: Intent | None
    step: Step
    action: Action

    @property
    def needs_intent(self) -> bool:
        """Whether the write is not in the ledger yet."""
        return self.step is Step.SEND and (self.head is None or self.head.state is State.CONFIRMED)


class Delivery:
    """One run against one destination; what happens is added to the report."""

    def __init__(
        self,
        ledger: Ledger,
        destination: TicketDestination,
        clock: Callable[[], datetime],
        progress: Progress,
        report: PushReport,
    ) -> None:
        self._ledger, self._destination, self._clock = ledger, destination, clock
        self._progress, self._report = progress, report
        self._name = destination.name
        self._settle = timedelta(seconds=destination.settle_seconds)
        self._stopped = False
        self._unknown_in_a_row = 0

    def run(self, issues: Sequence[Issue]) -> None:
        """Record all that is due, then deliver it issue by issue."""
        due = self._due(issues)
        new = [(work.head, work.action, work.wanted) for work in due if work.needs_intent]
        self._ledger.record(new, self._name, self._clock())
        if due and (held := self._ledger.held_until(self._name, self._clock())):
            self._stop(f"the rate limit it named earlier holds until {held:%Y-%m-%d %H:%M} UTC")
        for work in due:
            self._deliver(work.issue, work.wanted)

    def preview(self, issues: Sequence[Issue]) -> None:
        """Report what a run would send, without touching anything."""
        for work in self._due(issues):
            if work.step is not Step.SEND:
                self._count_open(work.head)
                continue
            before = self._ledger.ticket(work.held) if work.held else None
            diff = _diff(before, work.wanted)
            change = Change(self._name, work.wanted.issue_id, work.action.value, work.wanted.title, diff)
            self._report.changes.append(change)

    def _due(self, issues: Sequence[Issue]) -> list[_Work]:
        """What there is to do; every other ticket is counted as unchanged."""
        heads = self._ledger.heads(self._name)
        due = []
        for issue in issues:
            head = heads.get(issue.issue_id)
            if is_history(head, issue.status):
                self._report.unchanged += head is not None
                continue
            work = self._work(issue, brief.render(issue, self._name), head)
            if work.step is not Step.NOTHING:
                due.append(work)
            elif work.held:
                self._report.unchanged += 1
        return due

    def _work(self, issue: Issue, wanted: Ticket, head: Intent | None) -> _Work:
        held = head
        if head and head.state is not State.CONFIRMED:
            held = self._ledger.delivered_before(head) if head.sequence else None
        step, action = next_step(head, held, wanted, self._clock())
        return _Work(issue, wanted, head, held, step, action)

    def _deliver(self, issue: Issue, wanted: Ticket) -> None:
        """Take one step after another until the ticket is as wanted, or has to wait."""
        for _ in range(_MOST_STEPS):
            work = self._work(issue, wanted, self._ledger.head(issue.issue_id, self._name))
            if work.step is Step.NOTHING:
                return
            if work.needs_intent:
                self._ledger.record([(work.head, work.action, wanted)], self._name, self._clock())
            elif work.head and not self._take(work, work.head):
                break
        self._count_open(self._ledger.head(issue.issue_id, self._name))

    def _take(self, work: _Work, head: Intent) -> bool:
        """Take one step on an open intent; False when nothing more can be done about it in this run."""
        match work.step:
            case Step.WITHDRAW:
                self._ledger.withdraw(head, self._clock())
                return True
            case Step.EXPIRE:
                self._ledger.expire(head, self._clock(), self._settle)
                return True
            case Step.LOOK_UP if not self._stopped:
                return self._look_up(head)
            case Step.SEND if not self._stopped:
                # An issue older than this ledger may have a ticket that an earlier ledger opened.
                older = work.action is Action.CREATE and work.issue.detected_at <= self._ledger.born_at
                may_be_there = older and not head.attempts and isinstance(self._destination, FindsByMarker)
                if may_be_there and not self._look_up(head):
                    return False
                return self._send(work, head)
            case Step.STANDS:
                self._problem(f"{work.wanted.title}: still as it was refused: {head.reason}")
            case Step.WAIT if head.state is State.UNKNOWN:
                self._problem(f"{work.wanted.title}: outcome unknown; looked up from {head.not_before:%H:%M:%S} UTC on")
        return False

    def _send(self, work: _Work, head: Intent) -> bool:
        ticket = self._with_note(work.wanted, head, work.held)
        claimed = self._ledger.claim(head, work.action, ticket, self._clock())
        if claimed is None:
            return True  # another run was faster: look again
        try:
            outcome = outcome_of(lambda: self._call(claimed, ticket))
        except BaseException:
            self._ledger.finish(claimed, Unknown("interrupted while sending"), self._clock(), self._settle)
            raise
        recorded = self._ledger.finish(claimed, outcome, self._clock(), self._settle)
        if isinstance(outcome, Confirmed) and not recorded:
            self._problem(f"{outcome.ticket.url} was written after another run took over; look for a second ticket")
        return self._learn(outcome, work.action, ticket.title)

    def _call(self, intent: Intent, ticket: Ticket) -> ExternalTicket:
        if intent.action is Action.CREATE:
            return self._destination.create(ticket)
        there = intent.external_id or ""
        if intent.action is Action.RESOLVE:
            return self._destination.resolve(there, ticket)
        return self._destination.update(there, ticket)

    def _look_up(self, intent: Intent) -> bool:
        """Settle whether the ticket is there, by the strongest read the destination offers."""
        sent = self._ledger.ticket(intent)
        if not self._can_settle(intent):
            self._problem(f"{sent.title}: {_HELD}")
            return False
        try:
            found = self._find(intent, sent)
        except Exception as error:
            failure = error.outcome if isinstance(error, DeliveryError) else NotSent(f"unforeseen {error!r}")
            self._ledger.not_looked_up(intent, failure, self._clock())
            self._stop(f"a look-up failed: {failure.reason}")
            return False
        if len(found) > 1:
            others = ", ".join(ticket.url for ticket in found[1:])
            self._problem(f"{sent.title}: there is more than one ticket; {found[0].url} is kept, close {others}")
        if not found:
            self._ledger.absent(intent, self._clock())
        elif self._ledger.found(intent, found[0], as_sent=found[0].says(sent), now=self._clock()):
            self._count(intent.action, sent.title, found[0], said="found")
        return True

    def _can_settle(self, intent: Intent) -> bool:
        """Whether the destination has any power by which an unknown outcome can be settled without a person."""
        reads = isinstance(self._destination, ReadsTicket) and intent.action is not Action.CREATE
        return reads or isinstance(self._destination, FindsByMarker | RepeatsSafely)

    def _find(self, intent: Intent, sent: Ticket) -> list[ExternalTicket]:
        there = self._destination
        if intent.action is not Action.CREATE and isinstance(there, ReadsTicket):
            ticket = there.read(intent.external_id or "")
            present = [ticket] if ticket else []
        elif isinstance(there, FindsByMarker):
            since = intent.created_at - _CLOCK_MARGIN if intent.attempts and intent.action is Action.CREATE else None
            present = there.find_by_marker(sent.marker, since)
        else:
            return []  # the target takes the marker only once, so it may be sent again as if it were not there
        if intent.action is Action.CREATE:
            return present
        return [ticket for ticket in present if ticket.says(sent)]  # an update that does not show was not made

    def _with_note(self, wanted: Ticket, head: Intent, held: Intent | None) -> Ticket:
        """The ticket with what to tell people about the change, recognisable so that it is told once."""
        if held is None:
            return wanted
        before = self._ledger.ticket(held)
        note = brief.note_between(before, wanted)
        key = hashlib.sha256(f"{wanted.marker} {head.sequence} {note}".encode()).hexdigest()[:24]
        reopens = before.status == "resolved" and wanted.status == "open"
        return replace(wanted, note=note, note_key=key if note else "", reopens=reopens)

    def _learn(self, outcome: Outcome, action: Action, title: str) -> bool:
        """Report an outcome, and stop sending where it says that more would fail the same way."""
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if isinstance(outcome, Unknown) else 0
        match outcome:
            case Confirmed(ticket):
                self._count(action, title, ticket)
                return True
            case Rejected(reason, True) | NotSent(reason) | Deferred(reason):
                self._stop(reason)
            case Rejected(reason):
                self._problem(f"{title}: {reason}")
            case Unknown(reason):
                self._problem(f"{title}: {reason}; it is looked up before it is sent again")
                if self._unknown_in_a_row >= _PATIENCE:
                    self._stop(f"{_PATIENCE} outcomes in a row are unknown")
        return False

    def _count(self, action: Action, title: str, ticket: ExternalTicket, said: str = "") -> None:
        past = PAST[action]
        setattr(self._report, past, getattr(self._report, past) + 1)
        if ticket.url not in self._report.links:
            self._report.links.append(ticket.url)
        self._progress(f"{self._name}: {said or past} {ticket.external_id} {title}")

    def _count_open(self, head: Intent | None) -> None:
        """Count an issue that this run leaves as it is."""
        match head.state if head else State.WITHDRAWN:
            case State.CONFIRMED:
                self._report.unchanged += 1
            case State.REJECTED:
                self._report.rejected += 1
            case State.UNKNOWN:
                self._report.unknown += 1
            case State.PENDING | State.SENDING:
                self._report.deferred += 1

    def _stop(self, reason: str) -> None:
        if not self._stopped:
            self._stopped = True
            self._problem(f"nothing more is sent in this run: {reason}")

    def _problem(self, text: str) -> None:
        line = f"{self._name}: {text}"
        self._report.problems.append(line)
        self._progress(line)


def _diff(before: Ticket | None, after: Ticket) -> str:
    old = [before.title, "", *before.body.splitlines()] if before else []
    new = [after.title, "", *after.body.splitlines()]
    return "\n".join(difflib.unified_diff(old, new, "now", "then", lineterm="", n=1))
