"""Head file of the ledger: its id, the last audit row and its hash, and the places of the destinations.

It lies outside the database (``HOME/ledger.head``) and is replaced after each commit that adds to the audit log. A
database that was put back from a backup, cut off at its end, or exchanged for another one does not have that row. The
file is synced, then renamed over the one before, so a crash leaves an older head at worst, which is still on the chain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dagster_project.files import write_json


class Gap(StrEnum):
    """A database that is not the one that the head file was written for."""

    BEHIND = "behind"  # it lacks rows that were committed: put back from a backup, or cut off
    NEW = "new"  # made anew in the place of another one
    ANOTHER = "another"  # that of another home


@dataclass(frozen=True)
class Head:
    """The end of one ledger's audit log, and where each destination was by then."""

    ledger_id: str
    audit_id: int
    hash: str
    places: Mapping[str, str] = field(default_factory=dict)


class HeadFile:
    """The file that keeps a head."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """The head; None if there is none, or what is there cannot be read (the next write mends it)."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            places = {str(name): str(place) for name, place in content["places"].items()}
            return Head(str(content["ledger_id"]), int(content["audit_id"]), str(content["hash"]), places)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, head: Head) -> None:
        """Replace the head, unless another run has already written a later one of the same ledger."""
        present = self.read()
        if present and present.ledger_id == head.ledger_id and present.audit_id > head.audit_id:
            return
        self.overwrite(head)

    def overwrite(self, head: Head) -> None:
        """Replace the head, whatever is there."""
        write_json(self.path, {**vars(head), "places": dict(head.places)})
