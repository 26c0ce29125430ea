"""Simulated people of the demo: what they do to its tickets, through the files of the local tracker.

Each act is a person's change as the tracker knows it, by a name that ends in ``(simulated)``, at an instant of the
story. So the next pull reads it, and the marts have a ticket that was touched and closed; nobody takes it for
something that a real person wrote.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import yaml

from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.decisioning.published import as_of_of_queue
from dagster_project.files import write_text
from dagster_project.home import Home

SIMULATED = " (simulated)"
"""End of the name of a simulated person."""

_TYPE = "type: "
"""Beginning of the label that names a ticket's issue type."""


@dataclass(frozen=True)
class Act:
    """One act on the ticket of an issue type: a new assignee, a new status, a comment, or several of these at once."""

    issue_type: str
    days: float
    """Days before the demo's present."""
    by: str
    assignee: str = ""
    status: str = ""
    comment: str = ""


TURNS = (19.4, 3.1, 2.1)
"""Days before the demo's present at which the loop is run before it is run there: soon after an issue is found."""

ACTS = (
    Act("app_crash", 19.34, "theo", assignee="theo", status="in progress", comment="Reproduced on iOS 4.8.0."),
    Act("app_crash", 18.3, "theo", status="done", comment="4.8.1 is out; it fixes the crash on the start page."),
    Act("shipping_delivery", 3.0, "lea", assignee="lea", comment="The carrier is on strike; the shop says so now."),
    Act("checkout_failure", 2.0, "mara", assignee="mara", status="in progress", comment="The coupon call fails."),
)
"""What people do in the demo, oldest first."""


def play(
    home: Home, present: datetime, turn: Callable[[datetime], object], progress: Callable[[str], None] = lambda _: None
) -> None:
    """Run the loop at each earlier instant of the story that it was not run at yet; people act after each of them.

    Args:
        home: the demo's home.
        present: the demo's present, at which the loop is still to be run.
        turn: runs the loop as of an instant.
        progress: told of each act and turn.
    """
    decided = as_of_of_queue(home)
    instants = [present - timedelta(days=days) for days in TURNS]
    for as_of, until in pairwise([*instants, present]):
        if decided is None or as_of > decided:
            progress(f"a turn as of {as_of:%Y-%m-%d %H:%M} UTC")
            turn(as_of)
        for line in act(home, present, until):
            progress(line)


def act(home: Home, present: datetime, until: datetime, acts: Sequence[Act] = ACTS) -> list[str]:
    """Do what people did after the last turn and by an instant; returns a line for each act on a ticket that is there.

    Args:
        home: the demo's home.
        present: the demo's present, from which the acts count back.
        until: the instant of the next turn.
        acts: what is done, oldest first.
    """
    tickets = dict(_tickets(home))
    done = []
    for one in acts:
        at = present - timedelta(days=one.days)
        path = tickets.get(one.issue_type)
        if path and at <= until and _change(path, one, at):
            what = ", ".join(filter(None, (one.assignee and f"assigned to {one.assignee}", one.status)))
            done.append(f"{at:%Y-%m-%d %H:%M}: {one.by}{SIMULATED} on {path.stem}: {what or 'a comment'}")
    return done


def is_simulated(actor: str | None) -> bool:
    """True for the name of a simulated person."""
    return (actor or "").endswith(SIMULATED)


def _tickets(home: Home) -> Iterator[tuple[str, Path]]:
    """The file of each issue type's ticket; of several the newest."""
    for path in sorted(home.tickets.glob("FC-*.md"), key=lambda path: int(path.stem.removeprefix("FC-"))):
        labels = _matter(path)[0].get("labels")
        for label in labels if isinstance(labels, list) else ():
            if str(label).startswith(_TYPE):
                yield str(label).removeprefix(_TYPE), path


def _change(path: Path, one: Act, at: datetime) -> bool:
    """Make the change in the file and let the tracker note it; False if it was made before."""
    matter, rest = _matter(path)
    line = f"{one.by}{SIMULATED}, {at:%Y-%m-%d %H:%M} UTC: {one.comment}"
    if line in rest:
        return False
    person = {"assignee": f"{one.assignee}{SIMULATED}"} if one.assignee else {}
    status = {"status": one.status} if one.status else {}
    _write(path, {**matter, **person, **status, "by": one.by + SIMULATED}, f"{rest.rstrip()}\n\n{line}\n")
    os.utime(path, (at.timestamp(), at.timestamp()))
    LocalTracker(path.parent, clock=lambda: at).changes_since(at)
    # Whoever edits the file next is somebody else.
    _write(path, {name: value for name, value in _matter(path)[0].items() if name != "by"}, _matter(path)[1])
    return True


def _matter(path: Path) -> tuple[dict[str, object], str]:
    _, matter, rest = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(matter), rest


def _write(path: Path, matter: dict[str, object], rest: str) -> None:
    front = yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=200)
    write_text(path, f"---\n{front}---\n{rest}")
