"""One destination in one run: from what the queue wants to what the destination holds, step by step.

``intents.next_step`` decides, the ledger makes each decision durable, and this module carries it out: claim, send,
record the outcome; look up what is unknown; stop sending to a destination that refuses, cannot be reached or asks to
wait.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
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
    Unknown,
    outcome_of,
)
from dagster_project.automation.destinations.outlet import Outlet
from dagster_project.automation.governing import EVERYBODY, STORM, Umbrella, admit, load_owners
from dagster_project.automation.intents import Action, Intent, State, Step, is_history, next_step
from dagster_project.automation.ledger import Ledger
from dagster_project.automation.queue import Issue

Progress = Callable[[str], None]

PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.RESOLVE: "resolved"}
_PATIENCE = 3  # unknown outcomes in a row after which a destination is left alone for this run
_CLOCK_MARGIN = timedelta(hours=1)  # how far the target's clock may be behind ours
_HELD = (
    "the answer was lost, and nobody but a person can tell whether it arrived; look, then tell"
    " `feedback-control outbox settle`"
)
_MOST_STEPS = 8  # settling an old intent and then sending a new one takes six


@dataclass(frozen=True)
class Change:
    """One difference between the queue and a destination: what is to be sent, and how the text changes.

    ``payload_hash`` identifies what is to be said; a plan that was approved by people names it.
    """

    destination: str
    issue_id: str
    action: str
    title: str
    payload_hash: str
    diff: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it this change and no other."""
        return self.destination, self.issue_id, self.action, self.payload_hash


COUNTS = ("created", "updated", "resolved", "unchanged", "rejected", "unknown", "deferred", "twins")


@dataclass
class PushReport:
    """What one push did.

    ``deferred`` waits for a later run, ``unknown`` for a look-up, ``rejected`` for a person; ``twins`` were closed as
    duplicates; ``problems`` says what to do about each. ``links`` are the tickets that changed; ``changes`` is filled
    by a dry run only.
    """

    created: int = 0
    updated: int = 0
    resolved: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    deferred: int = 0
    twins: int = 0
    problems: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def since(self, before: PushReport) -> dict[str, int]:
        """What was counted since a copy of the report was made."""
        return {name: getattr(self, name) - getattr(before, name) for name in COUNTS}


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
        plan: Collection[tuple[str, str, str, str]] | None = None,
    ) -> None:
        self._ledger, self._destination, self._policy, self._clock = ledger, outlet.destination, outlet.policy, clock
        self._progress, self._report, self._plan = progress, report, plan
        self._name = outlet.name
        self._settle = timedelta(seconds=outlet.destination.settle_seconds)
        self._heads: dict[str, Intent] = {}
        self._stopped = False
        self._unknown_in_a_row = 0

    def run(self, issues: Sequence[Issue]) -> None:
        """Record all that is due, then deliver it issue by issue; last, look for twins of what was opened."""
        due = [work for work in self._due(self._admitted(issues, keep=True)) if self._is_planned(work)]
        before = replace(self._report, problems=[], links=[], changes=[])
        if due or self._ledger.unswept(self._name, self._clock(), self._settle, limit=1):
            with self._ledger.run(self._name, self._clock) as counts:
                self._record(work for work in due if work.needs_intent)
                if due and (held := self._ledger.held_until(self._name, self._clock())):
                    self._stop(f"the rate limit it named earlier holds until {held:%Y-%m-%d %H:%M} UTC")
                for work in due:
                    self._deliver(work.issue, work.wanted)
                self._sweep()
                counts.update(self._report.since(before))

    def preview(self, issues: Sequence[Issue]) -> None:
        """Report what a run would send, without touching anything."""
        for work in self._due(self._admitted(issues, keep=False)):
            if work.step is not Step.SEND:
                self._count_open(work.head)
                continue
            before = self._ledger.ticket(work.held) if work.held else None
            wanted = work.wanted
            diff = _diff(before, wanted)
            what = (wanted.issue_id, work.action.value, wanted.title, wanted.content_hash, diff)
            self._report.changes.append(Change(self._name, *what))

    def _admitted(self, issues: Sequence[Issue], *, keep: bool) -> list[Issue | Umbrella]:
        """What may be delivered now; ``keep`` remembers who came under an umbrella."""
        now, owners, members = self._clock(), load_owners(), self._ledger.umbrella_members(self._name)
        self._heads = self._ledger.open_heads(self._name, [one.issue_id for one in issues if one.status == "open"])
        wanted = [one for one in issues if one.issue_id in self._heads or one.priority in self._policy.priorities]
        admission = admit(
            wanted,
            ticketed=self._heads,
            members={issue_id: umbrella for issue_id, (umbrella, _) in members.items()},
            spent=self._ledger.new_tickets(self._name, now - timedelta(hours=1)),
            storms=self._ledger.storms(self._name, now - STORM),
            owners=owners,
            destination=self._name,
            now=now,
        )
        self._report.deferred += len(admission.waiting)
        for issue in admission.waiting:
            self._progress(f"{self._name}: {issue.issue_id} waits for the end of the quiet hours of {issue.owner}")
        umbrellas = []
        for umbrella_id, own in admission.gathered.items():
            owner = brief.owner_of(own[0])
            new = [issue.issue_id for issue in own if issue.issue_id not in members]
            if keep and new:
                self._ledger.gather(self._name, umbrella_id, owner, new, now)
            per_hour = owners.get(own[0].owner, owners[EVERYBODY]).tickets_per_hour
            umbrellas.append(Umbrella(umbrella_id, owner, per_hour, tuple(own)))
        return [*admission.alone, *umbrellas]

    def _is_planned(self, work: _Work) -> bool:
        """Whether a plan, if there is one, holds exactly this; settling what was sent before needs none."""
        key = (self._name, work.wanted.issue_id, work.action.value, work.wanted.content_hash)
        if self._plan is None or work.step is not Step.SEND or key in self._plan:
            return True
        self._report.deferred += 1
        self._problem(f"{work.wanted.title}: not in the plan, or changed since; make a new plan")
        return False

    def _due(self, issues: Sequence[Issue | Umbrella]) -> list[_Work]:
        """What there is to do; every other ticket is counted as unchanged."""
        due = []
        for issue in issues:
            is_umbrella = isinstance(issue, Umbrella)
            head = self._ledger.head(issue.issue_id, self._name) if is_umbrella else self._heads.get(issue.issue_id)
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
            since = intent.created_at - _CLOCK_MARGIN if intent.attempts and intent.action is Action.CREATE else None
            present = there.find_by_marker(sent.marker, since)
        else:
            # The target takes a marker only once: sending again what was sent is the way to ask. Taking it for absent
            # would leave it open there if its issue is over by now.
            return [self._call(intent, sent)]
        if intent.action is Action.CREATE:
            return present
        return [ticket for ticket in present if ticket.says(sent)]  # an update that does not show was not made

    def _sweep(self) -> None:
        """The janitor: close younger twins of tickets opened a settle time ago.

        Whatever the ledger knows, a request may have been delivered twice on its way, or by a run that was believed
        dead. Two look-ups by marker in the life of each ticket find that.
        """
        if not isinstance(self._destination, FindsByMarker) or isinstance(self._destination, RepeatsSafely):
            return
        for intent in self._ledger.unswept(self._name, self._clock(), self._settle):
            if self._stopped:
                return
            sent = self._ledger.ticket(intent)
            try:
                found = self._destination.find_by_marker(sent.marker, intent.created_at - _CLOCK_MARGIN)
                if found and intent.state is State.WITHDRAWN:
                    self._ledger.found(intent, found[0], as_sent=False, now=self._clock())
                    continue  # it is there after all: the next run brings it in line with its issue
                for twin in found:
                    if twin.external_id != intent.external_id and not twin.closed:
                        self._close_twin(twin, intent, sent)
            except Exception as error:
                reason = error.outcome.reason if isinstance(error, DeliveryError) else repr(error)
                self._problem(f"{sent.title}: could not look for twins, the next run will: {reason}")
                return
            self._ledger.swept(intent, self._clock())

    def _close_twin(self, twin: ExternalTicket, kept: Intent, sent: Ticket) -> None:
        note = f"Closed as a duplicate of {kept.url}: the same request reached this tool twice."
        key = hashlib.sha256(f"{sent.marker} twin {twin.external_id}".encode()).hexdigest()[:24]
        self._destination.resolve(
            twin.external_id, replace(sent, status="resolved", keeps_open=False, note=note, note_key=key)
        )
        self._ledger.twin_closed(kept, twin, self._clock())
        self._report.twins += 1
        self._progress(f"{self._name}: closed {twin.external_id}, a twin of {kept.external_id}")

    def _with_note(self, wanted: Ticket, head: Intent, held: Intent | None) -> Ticket:
        """The ticket with what to tell people about the change, recognisable so that it is told once."""
        if held is None:
            return wanted
        before = self._ledger.ticket(held)
        note = brief.note_between(before, wanted)
        key = hashlib.sha256(f"{wanted.marker} {head.sequence} {note}".encode()).hexdigest()[:24]
        reopens = before.status == "resolved" and wanted.status == "open" and self._policy.reopen
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
            case State.REJECTED | State.HELD:
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
