"""Report of one push: counts, problems, links, and the changes of a dry run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
