"""One destination in one run: from what the queue wants to what the destination holds, step by step.

``intents.next_step`` decides, the ledger makes each decision durable, and this module carries it out: claim, send,
record the outcome; look up what is unknown; stop sending to a destination that refuses, cannot be reached or asks to
wait.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagster_project.automation.destinations.base import FindsByMarker, ReadsTicket, RepeatsSafely
from dagster_project.automation.destinations.configured import Outlet
from dagster_project.automation.ledger.intents import PAST, Action, Intent, State, Step, is_history, next_step
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.outcomes import (
    Confirmed,
    Deferred,
    DeliveryError,
    NotSent,
    Outcome,
    Rejected,
    Unknown,
    outcome_of,
)
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets import brief
from dagster_project.automation.tickets.duplicates import CLOCK_MARGIN, sweep
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push_report import Change, PlanKey, Progress, PushReport
from dagster_project.automation.tickets.selection import admit_now
from dagster_project.automation.tickets.throttling import Umbrella

_PATIENCE = 3  # unknown outcomes in a row after which a destination is left alone for this run
_HELD = (
    "the answer was lost, and nobody but a person can tell whether it arrived; look, then tell"
    " `feedback-control outbox settle`"
)
_MOST_STEPS = 8  # settling an old intent and then sending a new one takes six


@dataclass(frozen=True)
class _Work:
    """What one issue (or umbrella) needs at this destination."""

    issue: Issue | Umbrella
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
        outlet: Outlet,
        clock: Callable[[], datetime],
        progress: Progress,
        report: PushReport,
        plan: Collection[PlanKey] | None = None,
    ) -> None:
        self._ledger, self._destination, self._policy, self._clock = ledger, outlet.destination, outlet.policy, clock
        self._progress, self._report, self._plan = progress, report, plan
        self._name = outlet.name
        self._settle = timedelta(seconds=outlet.destination.settle_seconds)
        self._stopped = False
        self._unknown_in_a_row = 0

    def run(self, issues: Sequence[Issue]) -> None:
        """Record all that is due, then deliver it issue by issue; last, look for twins of what was opened."""
        due = [work for work in self._due(issues, keep=True) if self._is_planned(work)]
        self._record(work for work in due if work.needs_intent)
        if held := self._ledger.held_until(self._name, self._clock()):
            self._stop(f"the rate limit it named earlier holds until {held:%Y-%m-%d %H:%M} UTC", is_news=bool(due))
        for work in due:
            self._deliver(work.issue, work.wanted)
        if not self._stopped:
            sweep(self._ledger, self._destination, self._clock, self._report, self._progress)

    def preview(self, issues: Sequence[Issue]) -> None:
        """Report what a run would send, without touching anything."""
        for work in self._due(issues, keep=False):
            if work.step is not Step.SEND:
                self._count_open(work.head)
                continue
            before = self._ledger.ticket(work.held) if work.held else None
            wanted = work.wanted
            diff = _diff(before, wanted)
            what = (wanted.issue_id, work.action.value, wanted.title, wanted.content_hash, diff)
            self._report.changes.append(Change(self._name, *what))

    def _is_planned(self, work: _Work) -> bool:
        """Whether a plan, if there is one, holds exactly this; settling what was sent before needs none."""
        key = (self._name, work.wanted.issue_id, work.action.value, work.wanted.content_hash)
        if self._plan is None or work.step is not Step.SEND or key in self._plan:
            return True
        self._report.deferred += 1
        self._problem(f"{work.wanted.title}: not in the plan, or changed since; make a new plan")
        return False

    def _due(self, issues: Sequence[Issue], *, keep: bool) -> list[_Work]:
        """What there is to do; every other ticket is counted as unchanged, and ``keep`` remembers new umbrellas."""
        admitted = admit_now(self._ledger, self._name, self._policy, issues, self._clock(), keep=keep)
        self._report.deferred += len(admitted.waiting)
        for later in admitted.waiting:
            self._progress(f"{self._name}: {later.issue_id} waits for the end of the quiet hours of {later.owner}")
        due = []
        for issue in admitted.items:
            head = admitted.heads.get(issue.issue_id)
            if is_history(head, issue.status):
                continue
            work = self._work(issue, self._rendered(issue), head)
            if work.step is not Step.NOTHING:
                due.append(work)
            elif work.held:
                self._report.unchanged += 1
        return due

    def _rendered(self, issue: Issue | Umbrella) -> Ticket:
        if isinstance(issue, Umbrella):
            return brief.render_umbrella(issue, self._name)
        return brief.render(issue, self._name, self._policy)

    def _work(self, issue: Issue | Umbrella, wanted: Ticket, head: Intent | None) -> _Work:
        held = head
        if head and head.state is not State.CONFIRMED:
            held = self._ledger.delivered_before(head) if head.sequence else None
        step, action = next_step(head, held, wanted, self._clock())
        return _Work(issue, wanted, head, held, step, action)

    def _record(self, works: Iterable[_Work]) -> None:
        new = list(works)
        grounds = {work.wanted.issue_id: work.issue.grounds for work in new}
        self._ledger.record([(work.head, work.action, work.wanted) for work in new], self._name, self._clock(), grounds)

    def _deliver(self, issue: Issue | Umbrella, wanted: Ticket) -> None:
        """Take one step after another until the ticket is as wanted, or has to wait."""
        for _ in range(_MOST_STEPS):
            work = self._work(issue, wanted, self._ledger.head(issue.issue_id, self._name))
            if work.step is Step.NOTHING:
                return
            if work.needs_intent:
                self._record([work])
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
            case Step.STANDS if head.state is State.HELD:
                self._problem(f"{work.wanted.title}: {_HELD}")
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
        if isinstance(outcome, Confirmed) and not recorded and claimed.action is Action.CREATE:
            self._ledger.sweep_again(claimed)  # another run took over meanwhile, and may have opened one as well
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
            self._ledger.hold(intent, self._clock())
            return True
        try:
            found = self._find(intent, sent)
        except Exception as error:
            failure = error.outcome if isinstance(error, DeliveryError) else NotSent(f"unforeseen {error!r}")
            asked_by_repeating = not isinstance(self._destination, FindsByMarker | ReadsTicket)
            if asked_by_repeating and isinstance(failure, Rejected) and not failure.whole_destination:
                self._ledger.absent(intent, self._clock())  # refused, so it never was taken
                return True
            self._ledger.not_looked_up(intent, failure, self._clock())
            self._stop(f"a look-up failed: {failure.reason}")
            return False
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
            since = intent.created_at - CLOCK_MARGIN if intent.attempts and intent.action is Action.CREATE else None
            present = there.find_by_marker(sent.marker, since)
        else:
            # The target takes a marker only once: sending again what was sent is the way to ask. Taking it for absent
            # would leave it open there if its issue is over by now.
            return [self._call(intent, sent)]
        if intent.action is Action.CREATE:
            return present
        return [ticket for ticket in present if ticket.says(sent)]  # an update that does not show was not made

    def _with_note(self, wanted: Ticket, head: Intent, held: Intent | None) -> Ticket:
        """The ticket with what to tell people about the change, recognisable so that it is told once."""
        wanted = replace(wanted, sequence=self._ledger.order_of(head))
        if held is None:
            return wanted
        before = self._ledger.ticket(held)
        note = brief.note_between(before, wanted)
        key = hashlib.sha256(f"{wanted.marker} {head.sequence} {note}".encode()).hexdigest()[:24]
        reopens = before.status == "resolved" and wanted.status == "open" and self._policy.reopen
        return replace(wanted, note=note, note_key=key, reopens=reopens)

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
            case State.REJECTED | State.HELD:
                self._report.rejected += 1
            case State.UNKNOWN:
                self._report.unknown += 1
            case State.PENDING | State.SENDING:
                self._report.deferred += 1

    def _stop(self, reason: str, *, is_news: bool = True) -> None:
        if not self._stopped and is_news:
            self._progress(self._report.stop(self._name, f"nothing more is sent in this run: {reason}"))
        self._stopped = True

    def _problem(self, text: str) -> None:
        self._progress(self._report.problem(self._name, text))


def _diff(before: Ticket | None, after: Ticket) -> str:
    old = [before.title, "", *before.body.splitlines()] if before else []
    new = [after.title, "", *after.body.splitlines()]
    return "\n".join(difflib.unified_diff(old, new, "now", "then", lineterm="", n=1))
