"""Delivery of tickets to one destination in one run: claim, send, record the outcome; reconcile what is unknown.

``intents.next_step`` decides, the ledger makes each decision durable, and this module carries it out. It stops sending
to a destination that refuses everything, cannot be reached or asks to wait (circuit breaker).
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagster_project.automation.destinations.base import FindsByMarker, ReadsTicket, RepeatsSafely
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.ledger.continuity import Epoch
from dagster_project.automation.ledger.intents import Intent, State, Step, is_history, next_step
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
from dagster_project.automation.tickets.actions import PAST, Action, action_for
from dagster_project.automation.tickets.duplicates import CLOCK_MARGIN, close_duplicates
from dagster_project.automation.tickets.issues import Issue
from dagster_project.automation.tickets.push_report import Change, PlanKey, Progress, PushReport
from dagster_project.automation.tickets.selection import select_now
from dagster_project.automation.tickets.throttling import Umbrella
from dagster_project.errors import FeedbackControlError, LedgerError

_UNKNOWNS_BEFORE_STOP = 3  # in a row; the destination is then left alone for this run
_TO_SETTLE = (
    "the answer was lost, and nobody but a person can tell whether it arrived; look, then tell"
    " `feedback-control dead-letters settle`"
)
_DETECTED_ANEW = timedelta(days=7)  # new data may move the instant of detection by so much
_OLDEST_ORPHAN = timedelta(days=90)
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
        self._ledger, self._destination, self._policy, self._clock = (
            ledger,
            configured.destination,
            configured.policy,
            clock,
        )
        self._progress, self._report, self._plan = progress, report, plan
        self._name = configured.name
        self._settle = timedelta(seconds=configured.destination.settle_seconds)
        self._stopped = False
        self._unknown_in_a_row = 0
        self._epoch: Epoch | None = None  # a gap in the ledger's memory that is not reconciled here
        self._reconciled = True
        self._searched: set[str] = set()
        self._failures: dict[str, list[str]] = {}

    def run(self, issues: Sequence[Issue]) -> None:
        """Record all that is due, then deliver it issue by issue; last, check opened tickets for duplicates."""
        self._epoch = self._ledger.continuity.unreconciled(self._name)
        due = [work for work in self._due(issues, keep=True) if self._is_planned(work)]
        self._record(work for work in due if work.needs_intent)
        if until := self._ledger.rate_limited_until(self._name, self._clock()):
            self._stop(f"the rate limit it named earlier holds until {until:%Y-%m-%d %H:%M} UTC", is_news=bool(due))
        for work in due:
            with self._alone(work.issue.issue_id):
                self._deliver(work.issue, work.wanted)
        self._tell_failures()
        if self._epoch and self._reconciled and not self._stopped and self._is_searchable:
            self._ledger.continuity.reconciled(self._name, self._epoch, self._clock())
        if not self._stopped:
            close_duplicates(self._ledger, self._destination, self._clock, self._report, self._progress)

    @contextmanager
    def _alone(self, issue_id: str) -> Iterator[None]:
        """A block about one issue: whatever it raises concerns that issue only, but for the loss of the ledger."""
        try:
            yield
        except LedgerError:
            raise
        except Exception as error:
            reason = (
                str(error) if isinstance(error, FeedbackControlError) else f"unforeseen {type(error).__name__}: {error}"
            )
            self._failures.setdefault(reason, []).append(issue_id)
            self._reconciled = False

    def _tell_failures(self) -> None:
        """Report what could not be done, once for each reason."""
        for reason, issue_ids in self._failures.items():
            more = f" and {len(issue_ids) - 3} more" if len(issue_ids) > 3 else ""
            self._progress(self._report.fail(self._name, f"{', '.join(issue_ids[:3])}{more}: not sent: {reason}"))
        self._failures.clear()

    def preview(self, issues: Sequence[Issue]) -> None:
        """Report the writes that a run would make, without touching anything."""
        for work in self._due(issues, keep=False):
            if work.step is not Step.SEND:
                self._count_open(work.head)
                continue
            before = self._stored(work.delivered) if work.delivered else None
            wanted = work.wanted
            diff = _diff(before, wanted)
            what = (wanted.issue_id, work.action.value, wanted.title, wanted.content_hash, diff)
            self._report.changes.append(Change(self._name, *what))
        self._tell_failures()

    def _is_planned(self, work: _Work) -> bool:
        """True without a plan, or if the plan has exactly this write; reconciling an earlier write needs no plan."""
        key = (self._name, work.wanted.issue_id, work.action.value, work.wanted.content_hash)
        if self._plan is None or work.step is not Step.SEND or key in self._plan:
            return True
        self._report.deferred += 1
        self._problem(f"{work.wanted.title}: not in the plan, or changed since; make a new plan")
        return False

    def _due(self, issues: Sequence[Issue], *, keep: bool) -> list[_Work]:
        """The work to do; every other ticket is counted as unchanged, and ``keep`` persists new umbrellas."""
        selection = select_now(self._ledger, self._name, self._policy, issues, self._clock(), keep=keep)
        self._report.deferred += len(selection.waiting)
        for later in selection.waiting:
            self._progress(f"{self._name}: {later.issue_id} waits for the end of the quiet hours of {later.owner}")
        due = []
        for issue in selection.items:
            with self._alone(issue.issue_id):
                head = selection.heads.get(issue.issue_id)
                if head is None and keep and issue.status == "resolved":
                    head = self._orphan(issue)
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
        return brief.render(issue, self._name, self._policy)

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
                settled = self._search(work, head) if work.action is Action.CREATE else None
                return self._send(work, head) if settled is None else settled
            case Step.BLOCKED if head.state is State.HELD:
                self._problem(f"{work.wanted.title}: {_TO_SETTLE} ({head.reason})")
            case Step.BLOCKED:
                self._problem(f"{work.wanted.title}: still as it was refused: {head.reason}")
            case Step.WAIT if head.state is State.UNKNOWN:
                self._problem(f"{work.wanted.title}: outcome unknown; looked up from {head.not_before:%H:%M:%S} UTC on")
        return False

    def _search(self, work: _Work, head: Intent) -> bool | None:
        """Search the destination before a ticket is opened: a ledger cannot know that it was put back with its home.

        None if the ticket is to be opened; else the answer of ``_take``.
        """
        may_be_hidden = self._epoch is not None and work.issue.detected_at <= self._epoch.began_at
        if self._epoch and may_be_hidden and self._clock() < self._epoch.began_at + self._settle:
            self._problem(f"{work.wanted.title}: what was opened last may not show yet; searched by a later run")
            self._reconciled = False
            return False
        if isinstance(self._destination, FindsByMarker):
            if work.wanted.issue_id in self._searched:
                return None
            return self._adopt(head, work.wanted, self._not_before(work.issue), work.issue.detected_at)
        if may_be_hidden and not isinstance(self._destination, RepeatsSafely):
            self._stop(
                "the ledger does not remember everything, and this destination cannot be searched; see what was opened"
                f" there, then say `feedback-control ledger accept {self._name}`"
            )
            return False
        return None

    @property
    def _is_searchable(self) -> bool:
        return isinstance(self._destination, FindsByMarker | RepeatsSafely)

    def _not_before(self, issue: Issue | Umbrella) -> datetime | None:
        """An instant before which no ticket of the issue can have been opened; None where the memory has a gap."""
        if self._epoch or issue.detected_at <= self._ledger.born_at:
            return None
        return issue.detected_at - _DETECTED_ANEW

    def _adopt(self, head: Intent, wanted: Ticket, since: datetime | None, detected_at: datetime) -> bool | None:
        """Confirm an intent that was never sent by the ticket that is there; None if there is none."""
        self._searched.add(wanted.issue_id)
        found = self._found_there(head, wanted.marker, since)
        if found is None:
            return False
        if not found:
            return None
        there = next((ticket for ticket in found if not ticket.closed), found[0])
        sent = self._stored(head)
        if self._ledger.found(head, there, as_sent=there.says(sent), now=self._clock()):
            self._ledger.pull_cursors.rewind(self._name, detected_at)
            self._count(Action.CREATE, sent.title, there, said="found")
        return True

    def _found_there(self, head: Intent | None, marker: str, since: datetime | None) -> list[ExternalTicket] | None:
        """The tickets with a marker; None if the search failed, after which nothing more is sent."""
        assert isinstance(self._destination, FindsByMarker)
        try:
            return self._destination.find_by_marker(marker, since)
        except Exception as error:
            failure = error.outcome if isinstance(error, DeliveryError) else NotSent(f"unforeseen {error!r}")
            if head:
                self._ledger.not_looked_up(head, failure, self._clock())
            self._stop(f"a look-up failed: {failure.reason}")
            return None

    def _orphan(self, issue: Issue | Umbrella) -> Intent | None:
        """After a gap: the open ticket of an issue that is over, which the ledger does not know, taken over."""
        if not self._epoch or self._stopped or not isinstance(self._destination, FindsByMarker):
            return None
        known, over = self._epoch.trusted_until, getattr(issue, "resolved_at", None)
        if over is None or over < (known or self._clock() - _OLDEST_ORPHAN) - _DETECTED_ANEW:
            return None
        opened = replace(self._rendered(issue), status="open")
        found = self._found_there(None, opened.marker, None)
        there = next((ticket for ticket in found or [] if not ticket.closed), None)
        if there is None:
            return None
        self._ledger.record([(None, Action.CREATE, opened)], self._name, self._clock())
        if head := self._ledger.head(issue.issue_id, self._name):
            self._ledger.found(head, there, as_sent=False, now=self._clock())
            self._ledger.pull_cursors.rewind(self._name, issue.detected_at)
        return self._ledger.head(issue.issue_id, self._name)

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
        self._searched.add(sent.issue_id)
        try:
            found = self._find(intent, sent)
        except Exception as error:
            failure = error.outcome if isinstance(error, DeliveryError) else NotSent(f"unforeseen {error!r}")
            self._ledger.not_looked_up(intent, failure, self._clock())
            self._stop(f"a look-up failed: {failure.reason}")
            return False
        if not found:
            self._ledger.absent(intent, self._clock())
        elif self._ledger.found(intent, found[0], as_sent=found[0].says(sent), now=self._clock()):
            self._count(Action(intent.action), sent.title, found[0], said="found")
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
                self._count(action, title, ticket)
                return True
            case Rejected(reason, True) | NotSent(reason) | Deferred(reason):
                self._stop(reason)
            case Rejected(reason):
                self._problem(f"{title}: {reason}")
            case Unknown(reason):
                self._problem(f"{title}: {reason}; it is looked up before it is sent again")
                if self._unknown_in_a_row >= _UNKNOWNS_BEFORE_STOP:
                    self._stop(f"{_UNKNOWNS_BEFORE_STOP} outcomes in a row are unknown")
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
