"""Report of one push: counts, problems, links, and the changes of a dry run; and the part about one destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dagster_project.automation.ledger.intents import Intent, State
from dagster_project.automation.ticket import ExternalTicket
from dagster_project.automation.tickets.actions import PAST, Action
from dagster_project.errors import LedgerError, said_of

Progress = Callable[[str], None]
PlanKey = tuple[str, str, str, str]


@dataclass(frozen=True)
class Change:
    """One difference between the queue and a destination: the write to make, and the diff of the text.

    ``payload_hash`` identifies the content; a plan that people approved names it.
    """

    destination: str
    issue_id: str
    action: str
    title: str
    payload_hash: str
    diff: str

    @property
    def key(self) -> PlanKey:
        """Identifies this change in a plan."""
        return self.destination, self.issue_id, self.action, self.payload_hash


COUNTS = ("created", "updated", "resolved", "unchanged", "rejected", "unknown", "deferred", "twins")


@dataclass
class PushReport:
    """Report of one push.

    ``deferred`` waits for a later run, ``unknown`` for a look-up, ``rejected`` for a person; ``twins`` are duplicates
    that were closed; each of the ``problems`` names its remedy, ``stopped`` are those of a whole destination, and
    ``failed`` are those of one issue, template or export, which stop nothing else.
    ``links`` are the tickets that changed; ``changes`` is filled by a dry run only.
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
    stopped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Every count by its name."""
        return {name: getattr(self, name) for name in COUNTS}

    @property
    def tally(self) -> dict[str, int]:
        """The counts, and how many problems there were."""
        return {**self.counts, "problems": len(self.problems)}

    @property
    def failures(self) -> list[str]:
        """The problems for which the command fails, although everything else was done."""
        return [*self.stopped, *self.failed]

    def fail(self, destination: str, text: str) -> str:
        """Add a failure that concerns one part of the work; returns the line to show."""
        self.failed.append(self.problem(destination, text))
        return self.failed[-1]

    def stop(self, destination: str, text: str) -> str:
        """Add a problem of the whole destination: nothing more is sent there in this run."""
        self.stopped.append(self.problem(destination, text))
        return self.stopped[-1]

    def problem(self, destination: str, text: str) -> str:
        """Add a problem; returns the line to show."""
        line = f"{destination}: {text}"
        self.problems.append(line)
        return line


class DestinationReport:
    """The part of a push's report that is about one destination, told while it is made.

    ``stopped`` is True once nothing more may be sent there in this run; ``failed``, once an issue could not be done.
    """

    def __init__(self, report: PushReport, destination: str, progress: Progress) -> None:
        self._report, self._name, self._progress = report, destination, progress
        self._failures: dict[str, list[str]] = {}
        self.stopped = self.failed = False

    @contextmanager
    def alone(self, issue_id: str) -> Iterator[None]:
        """A block about one issue: whatever it raises concerns that issue only, but for the loss of the ledger."""
        try:
            yield
        except LedgerError:
            raise
        except Exception as error:
            self._failures.setdefault(said_of(error), []).append(issue_id)
            self.failed = True

    def tell_failures(self) -> None:
        """Report what could not be done, once for each reason."""
        for reason, issue_ids in self._failures.items():
            more = f" and {len(issue_ids) - 3} more" if len(issue_ids) > 3 else ""
            self._progress(self._report.fail(self._name, f"{', '.join(issue_ids[:3])}{more}: not sent: {reason}"))
        self._failures.clear()

    def count(self, action: Action, title: str, ticket: ExternalTicket, said: str = "") -> None:
        """Count a write that is there now, with the link to its ticket; ``said`` if it was not made just now."""
        past = PAST[action]
        setattr(self._report, past, getattr(self._report, past) + 1)
        if ticket.url not in self._report.links:
            self._report.links.append(ticket.url)
        self._progress(f"{self._name}: {said or past} {ticket.external_id} {title}")

    def count_open(self, head: Intent | None) -> None:
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

    def stop(self, reason: str, *, is_news: bool = True) -> None:
        """Send nothing more in this run, and tell the first reason for it."""
        if not self.stopped and is_news:
            self._progress(self._report.stop(self._name, f"nothing more is sent in this run: {reason}"))
        self.stopped = True

    def problem(self, text: str) -> None:
        """Tell a problem."""
        self._progress(self._report.problem(self._name, text))
