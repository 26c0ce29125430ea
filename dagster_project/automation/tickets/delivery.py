"""Delivery of tickets to one destination in one run: claim, send, record the outcome; reconcile what is unknown.

``intents.next_step`` decides, the ledger makes each decision durable, and this module carries it out. A ticket is
searched before it is opened (``search.py``). Nothing more is sent to a destination that refuses everything, cannot be
reached or asks to wait (circuit breaker).
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from dagster_project.automation.destinations.base import FindsByMarker, ReadsTicket, RepeatsSafely
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.intents import Intent, State, Step, is_history, next_step
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation.telling import PlanFacts, plans_of
from dagster_project.automation.outcomes import (
    Confirmed,
    Deferred,
    NotSent,
    Outcome,
    Rejected,
    Unknown,
    outcome_of,
)
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets import brief
from dagster_project.automation.tickets.actions import Action, action_for
from dagster_project.automation.tickets.duplicates import CLOCK_MARGIN, close_duplicates
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push_report import Change, DestinationReport, PlanKey, Progress, PushReport
from dagster_project.automation.tickets.search import Search
from dagster_project.automation.tickets.selection import select_now
from dagster_project.automation.tickets.throttling import Umbrella

_UNKNOWNS_BEFORE_STOP = 3  # in a row; the destination is then left alone for this run
_TO_SETTLE = (
    "the answer was lost, and nobody but a person can tell whether it arrived; look, then tell"
    " `feedback-control dead-letters settle`"
)
_MOST_STEPS = 8  # settling an old intent and then sending a new one takes six


@dataclass(frozen=True)
class _Work:
    """The next step for one issue (or umbrella) at this destination; ``delivered`` is the last confirmed intent."""

    issue: Issue | Umbrella
    wanted: Ticket
    head: Intent | None
    delivered: Intent | None
    step: Step
    action: Action

    @property
    def needs_intent(self) -> bool:
        """True if the write is not in the ledger yet."""
        return self.step is Step.SEND and (self.head is None or self.head.state is State.CONFIRMED)


class Delivery:
    """One run against one destination; its results are added to the report."""

    def __init__(
        self,
        ledger: Ledger,
        configured: ConfiguredDestination,
        clock: Callable[[], datetime],
        progress: Progress,
        report: PushReport,
        plan: Collection[PlanKey] | None = None,
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self._destination, self._policy = configured.destination, configured.policy
        self._progress, self._report, self._plan = progress, report, plan
        self._name = configured.name
        self._settle = timedelta(seconds=configured.destination.settle_seconds)
        self._unknown_in_a_row = 0
        self._told = DestinationReport(report, self._name, progress)
        self._search = Search(ledger, self._destination, clock, self._told)
        self._plans: Mapping[str, Sequence[PlanFacts]] = {}

    def run(self, issues: Sequence[Issue]) -> None:
        """Record all that is due, then deliver it issue by issue; last, check opened tickets for duplicates."""
        due = [work for work in self._due(issues, keep=True) if self._is_planned(work)]
        self._record(work for work in due if work.needs_intent)
        if until := self._ledger.rate_limited_until(self._name, self._clock()):
            self._told.stop(
                f"the rate limit it named earlier holds until {until:%Y-%m-%d %H:%M} UTC", is_news=bool(due)
            )
        for work in due:
            with self._told.alone(work.issue.issue_id):
                self._deliver(work.issue, work.wanted)
        self._told.tell_failures()
        self._search.conclude()
        if not self._told.stopped:
            close_duplicates(self._ledger, self._destination, self._clock, self._report, self._progress)

    def preview(self, issues: Sequence[Issue]) -> None:
        """Report the writes that a run would make, without touching anything."""
        for work in self._due(issues, keep=False):
            if work.step is not Step.SEND:
                self._told.count_open(work.head)
                continue
            before = self._stored(work.delivered) if work.delivered else None
            wanted = work.wanted
            diff = _diff(before, wanted)
            what = (wanted.issue_id, work.action.value, wanted.title, wanted.content_hash, diff)
            self._report.changes.append(Change(self._name, *what))
        self._told.tell_failures()

    def _is_planned(self, work: _Work) -> bool:
        """True without a plan, or if the plan has exactly this write; reconciling an earlier write needs no plan."""
        key = (self._name, work.wanted.issue_id, work.action.value, work.wanted.content_hash)
        if self._plan is None or work.step is not Step.SEND or key in self._plan:
            return True
        self._report.deferred += 1
        self._told.problem(f"{work.wanted.title}: not in the plan, or changed since; make a new plan")
        return False

    def _due(self, issues: Sequence[Issue], *, keep: bool) -> list[_Work]:
        """The work to do; every other ticket is counted as unchanged, and ``keep`` persists new umbrellas."""
        self._plans = plans_of(self._ledger, [issue.issue_id for issue in issues])
        selection = select_now(self._ledger, self._name, self._policy, issues, self._clock(), keep=keep)
        self._report.deferred += len(selection.waiting)
        for later in selection.waiting:
            self._progress(f"{self._name}: {later.issue_id} waits for the end of the quiet hours of {later.owner}")
        due = []
        for issue in selection.items:
            with self._told.alone(issue.issue_id):
                head = selection.heads.get(issue.issue_id)
                if head is None and keep and issue.status == "resolved":
                    head = self._search.orphan(issue, partial(self._rendered, issue))
                work = self._work_on(issue, head)
                if work and work.step is not Step.NOTHING:
                    due.append(work)
                elif work and work.delivered:
                    self._report.unchanged += 1
        return due

    def _work_on(self, issue: Issue | Umbrella, head: Intent | None) -> _Work | None:
        if is_history(head, is_final=issue.status == "resolved"):
            return None
        return self._work(issue, self._rendered(issue), head)

    def _rendered(self, issue: Issue | Umbrella) -> Ticket:
        if isinstance(issue, Umbrella):
            return brief.render_umbrella(issue, self._name)
        return brief.render(issue, self._name, self._policy, self._plans.get(issue.issue_id, ()))

    def _work(self, issue: Issue | Umbrella, wanted: Ticket, head: Intent | None) -> _Work:
        delivered = head
        if head and head.state is not State.CONFIRMED:
            delivered = None if head.opens else self._ledger.delivered_before(head)
        step = next_step(head, delivered, wanted, self._clock())
        return _Work(issue, wanted, head, delivered, step, action_for(delivered, wanted))

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
        self._told.count_open(self._ledger.head(issue.issue_id, self._name))

    def _take(self, work: _Work, head: Intent) -> bool:
        """Take one step on an open intent; False when nothing more can be done about it in this run."""
        match work.step:
            case Step.WITHDRAW:
                self._ledger.withdraw(head, self._clock())
                return True
            case Step.EXPIRE:
                self._ledger.expire(head, self._clock(), self._settle)
                return True
            case Step.LOOK_UP if not self._told.stopped:
                return self._look_up(head)
            case Step.SEND if not self._told.stopped:
                opens = work.action is Action.CREATE
                settled = self._search.before_opening(work.issue, work.wanted, head) if opens else None
                return self._send(work, head) if settled is None else settled
            case Step.BLOCKED if head.state is State.HELD:
                self._told.problem(f"{work.wanted.title}: {_TO_SETTLE} ({head.reason})")
            case Step.BLOCKED:
                self._told.problem(f"{work.wanted.title}: still as it was refused: {head.reason}")
            case Step.WAIT if head.state is State.UNKNOWN:
                self._told.problem(
                    f"{work.wanted.title}: outcome unknown; looked up from {head.not_before:%H:%M:%S} UTC on"
                )
        return False

    def _send(self, work: _Work, head: Intent) -> bool:
        ticket = self._with_note(work.wanted, head, work.delivered)
        claimed = self._ledger.claim(head, work.action, ticket, self._clock())
        if claimed is None:
            return True  # another run was faster: look again
        return self._learn(self._outcome(claimed, ticket), work.action, ticket.title)

    def _repeat(self, intent: Intent, sent: Ticket) -> bool:
        """Reconcile an unknown outcome by a retry: the target takes a marker only once.

        What was sent is sent again, also if something else is wanted by now: taken for absent, it would stay open there
        if its issue is over.
        """
        claimed = self._ledger.claim_again(intent, self._clock())
        if claimed is None:
            return True
        outcome = self._outcome(claimed, sent, may_be_there=True)
        if isinstance(outcome, Rejected) and not outcome.whole_destination:
            return True  # held by now
        return self._learn(outcome, Action(intent.action), sent.title)

    def _outcome(self, claimed: Intent, ticket: Ticket, *, may_be_there: bool = False) -> Outcome[ExternalTicket]:
        """Send a claimed intent, and record the outcome."""

        def finish(outcome: Outcome[ExternalTicket]) -> bool:
            return self._ledger.finish(claimed, outcome, self._clock(), self._settle, may_be_there=may_be_there)

        try:
            outcome = outcome_of(lambda: self._call(claimed, ticket))
        except BaseException:
            finish(Unknown("interrupted while sending"))
            raise
        recorded = finish(outcome)
        if isinstance(outcome, Confirmed) and not recorded and claimed.opens:
            # Another run took over meanwhile, and may have opened one as well.
            self._ledger.duplicate_checks.repeat(claimed)
        return outcome

    def _call(self, intent: Intent, ticket: Ticket) -> ExternalTicket:
        there = intent.external_id or ""
        match Action(intent.action):
            case Action.CREATE:
                return self._destination.create(ticket)
            case Action.UPDATE:
                return self._destination.update(there, ticket)
            case Action.RESOLVE:
                return self._destination.resolve(there, ticket)

    def _look_up(self, intent: Intent) -> bool:
        """Reconcile an unknown outcome by the strongest read that the destination offers."""
        sent = self._stored(intent)
        if not self._can_read(intent):
            if isinstance(self._destination, RepeatsSafely):
                return self._repeat(intent, sent)
            self._ledger.hold(intent, self._clock())
            return True
        self._search.searched.add(sent.issue_id)
        try:
            found = self._find(intent, sent)
        except Exception as error:
            self._search.failed(intent, error)
            return False
        if not found:
            self._ledger.absent(intent, self._clock())
        elif self._ledger.found(intent, found[0], as_sent=found[0].says(sent), now=self._clock()):
            self._told.count(Action(intent.action), sent.title, found[0], said="found")
        return True

    def _can_read(self, intent: Intent) -> bool:
        """True if the destination can be read for what this intent writes."""
        reads = isinstance(self._destination, ReadsTicket) and not intent.opens
        return reads or isinstance(self._destination, FindsByMarker)

    def _find(self, intent: Intent, sent: Ticket) -> list[ExternalTicket]:
        there = self._destination
        present: list[ExternalTicket] = []
        if not intent.opens and isinstance(there, ReadsTicket):
            ticket = there.read(intent.external_id or "")
            present = [ticket] if ticket else []
        elif isinstance(there, FindsByMarker):
            since = intent.created_at - CLOCK_MARGIN if intent.attempts and intent.opens else None
            present = there.find_by_marker(sent.marker, since)
        if intent.opens:
            return present
        return [ticket for ticket in present if ticket.says(sent)]  # an update that does not show was not made

    def _stored(self, intent: Intent) -> Ticket:
        return Ticket.from_json(self._ledger.payload(intent))

    def _with_note(self, wanted: Ticket, head: Intent, delivered: Intent | None) -> Ticket:
        """The ticket with a comment about the change, and the comment's idempotency key."""
        wanted = replace(wanted, sequence=self._ledger.order_of(head))
        if delivered is None:
            return wanted
        before = self._stored(delivered)
        note = brief.note_between(before, wanted)
        key = hashlib.sha256(f"{wanted.marker} {head.sequence} {note}".encode()).hexdigest()[:24]
        reopens = before.status == "resolved" and wanted.status == "open" and self._policy.reopen
        return replace(wanted, note=note, note_key=key, reopens=reopens)

    def _learn(self, outcome: Outcome[ExternalTicket], action: Action, title: str) -> bool:
        """Report an outcome, and stop sending if more writes would fail the same way."""
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if isinstance(outcome, Unknown) else 0
        match outcome:
            case Confirmed(ticket):
                self._told.count(action, title, ticket)
                return True
            case Rejected(reason, True) | NotSent(reason) | Deferred(reason):
                self._told.stop(reason)
            case Rejected(reason):
                self._told.problem(f"{title}: {reason}")
            case Unknown(reason):
                self._told.problem(f"{title}: {reason}; it is looked up before it is sent again")
                if self._unknown_in_a_row >= _UNKNOWNS_BEFORE_STOP:
                    self._told.stop(f"{_UNKNOWNS_BEFORE_STOP} outcomes in a row are unknown")
        return False


def _diff(before: Ticket | None, after: Ticket) -> str:
    old = [before.title, "", *before.body.splitlines()] if before else []
    new = [after.title, "", *after.body.splitlines()]
    return "\n".join(difflib.unified_diff(old, new, "now", "then", lineterm="", n=1))
