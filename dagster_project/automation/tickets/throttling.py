"""Throttling of new tickets: quiet hours, a cap per owner and hour (rate limit), and umbrella tickets beyond it.

A storm of issues is one problem to the people it hits. New issues beyond an owner's ``tickets_per_hour`` are grouped
in one umbrella ticket, which lists its issues, follows them, and closes with the last; a grouped issue stays grouped.
P3 and P4 wait for the end of their owner's quiet hours. The seed ``owners.csv`` has both settings.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dagster_project import sanitize
from dagster_project.automation.ledger.intents import Grounds
from dagster_project.automation.ticket import Status
from dagster_project.automation.tickets.issues import Issue
from dagster_project.errors import ConfigurationError
from dagster_project.home import DBT_PROJECT

OWNERS = DBT_PROJECT / "seeds" / "owners.csv"
STORM = timedelta(hours=6)
"""Time after its first issue in which an umbrella takes in more."""

UMBRELLA = "UMB-"
"""Beginning of an umbrella's id."""

EVERYBODY = "*"
_MAY_WAIT = ("P3", "P4")


@dataclass(frozen=True)
class Owner:
    """Throttling settings of one owner; equal quiet times mean no quiet hours."""

    timezone: ZoneInfo
    quiet_from: time
    quiet_until: time
    tickets_per_hour: int

    def is_quiet(self, now: datetime) -> bool:
        """True in the owner's quiet hours."""
        local = now.astimezone(self.timezone).time()
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= local < self.quiet_until
        return local >= self.quiet_from or local < self.quiet_until


Owners = Mapping[str, Owner]


@cache
def load_owners(path: Path = OWNERS) -> Owners:
    """The owners of the seed; ``*`` stands for everybody else.

    Raises:
        ConfigurationError: a row is not usable; the message names it.
    """
    owners = {}
    with path.open(encoding="utf-8", newline="") as seed:
        for number, row in enumerate(csv.DictReader(seed), start=2):
            try:
                owners[row["owner"]] = Owner(
                    ZoneInfo(row["timezone"]),
                    time.fromisoformat(row["quiet_from"]),
                    time.fromisoformat(row["quiet_until"]),
                    int(row["tickets_per_hour"]),
                )
            except (KeyError, TypeError, ValueError, ZoneInfoNotFoundError) as error:
                raise ConfigurationError(f"{path}, line {number}: {error}; see the line of `*` for the form") from None
    if EVERYBODY not in owners:
        raise ConfigurationError(f"{path}: there is no line for `*`, which stands for everybody who is not listed")
    return owners


def named_or_everybody(owners: Owners, name: str) -> Owner:
    """The settings of an owner, or those of ``*``."""
    return owners.get(name, owners[EVERYBODY])


def owner_of(issue: Issue) -> str:
    """The owner's name as it stands in tickets and in the ledger."""
    return sanitize.plain(issue.owner, sanitize.LABEL_LIMIT)


@dataclass(frozen=True)
class Umbrella:
    """Issues of one owner that share a ticket; it has the columns of an issue that delivery reads."""

    issue_id: str
    owner: str
    per_hour: int
    issues: tuple[Issue, ...]

    @property
    def status(self) -> Status:
        """Open while one of its issues is."""
        return "open" if any(issue.status == "open" for issue in self.issues) else "resolved"

    @property
    def priority(self) -> str:
        """That of its most urgent open issue, or of all when none is open."""
        still_open = [issue.priority for issue in self.issues if issue.status == "open"]
        return min(still_open or [issue.priority for issue in self.issues])

    @property
    def detected_at(self) -> datetime:
        """The instant at which the first of its issues was noticed."""
        return min(issue.detected_at for issue in self.issues)

    @property
    def grounds(self) -> Grounds:
        """The reason for it, for the audit log."""
        return Grounds(f"more than {self.per_hour} new tickets an hour for {self.owner}")


@dataclass
class Throttled:
    """Issues by themselves, issues under an umbrella (by its id), and issues that have to wait."""

    alone: list[Issue] = field(default_factory=list)
    grouped: dict[str, list[Issue]] = field(default_factory=lambda: defaultdict(list))
    waiting: list[Issue] = field(default_factory=list)


def throttle(
    issues: Sequence[Issue],
    *,
    ticketed: Iterable[str],
    members: Mapping[str, str],
    spent: Mapping[str, int],
    open_umbrellas: Mapping[str, str],
    owners: Owners,
    destination: str,
    now: datetime,
) -> Throttled:
    """Decide which issues get a ticket of their own now.

    Args:
        issues: the queue, most urgent first.
        ticketed: issues that have a ticket of their own, or an intent for one.
        members: the umbrella of each issue that is under one.
        spent: new tickets of the last hour, by owner.
        open_umbrellas: the umbrella that still takes in more, by owner.
        owners: the settings of each owner.
        destination: the destination of these tickets.
        now: the present.
    """
    throttled, spent, known = Throttled(), dict(spent), set(ticketed)
    for issue in issues:
        name, owner = owner_of(issue), named_or_everybody(owners, issue.owner)
        if issue.issue_id in members:
            throttled.grouped[members[issue.issue_id]].append(issue)
        elif issue.issue_id in known or issue.status == "resolved":
            throttled.alone.append(issue)
        elif issue.priority in _MAY_WAIT and owner.is_quiet(now):
            throttled.waiting.append(issue)
        elif spent.get(name, 0) < owner.tickets_per_hour:
            spent[name] = spent.get(name, 0) + 1
            throttled.alone.append(issue)
        else:
            throttled.grouped[open_umbrellas.get(name) or umbrella_id(destination, name, now)].append(issue)
    return throttled


def umbrella_id(destination: str, owner: str, now: datetime) -> str:
    """The id of the umbrella that begins now; two runs of the same hour make the same id."""
    key = json.dumps([destination, owner, f"{now:%Y-%m-%dT%H}"])
    return f"{UMBRELLA}{hashlib.sha256(key.encode()).hexdigest()[:10].upper()}"
