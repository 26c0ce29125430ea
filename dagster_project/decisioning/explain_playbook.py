"""Explanation of the playbook: what it holds ready for an issue type, and what each act needs.

Read from the reviewed file itself, so that a change of it can be tried before any issue asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.decisioning.mitigations import Mitigation
from dagster_project.decisioning.playbook import issue_types, load_playbook
from dagster_project.home import Home

PLAYBOOK_ITSELF = "playbook"
"""Word that asks for every mitigation, whatever the type."""


@dataclass(frozen=True)
class PlaybookExplanation:
    """Mitigations that the playbook has for an issue type, the smallest tier first; all of them without a type."""

    issue_type: str | None
    mitigations: Mapping[str, Mitigation]

    def as_json(self) -> str:
        """The same as JSON, by the playbook's own names."""
        content = {
            "issue_type": self.issue_type,
            "mitigations": {
                name: one.model_dump(mode="json", by_alias=True, exclude_none=True)
                for name, one in self.mitigations.items()
            },
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """The same as a page for a terminal."""
        subject = f"issues of type {self.issue_type}" if self.issue_type else "any issue"
        if not self.mitigations:
            return f"The playbook has no mitigation for {subject}."
        lines = [f"What may be done about {subject}, the smallest tier first"]
        for name, one in self.mitigations.items():
            lines += ["", f"{name}  [tier {one.tier}, {one.mode}]", *(f"  {line}" for line in _lines(one))]
        return "\n".join(lines)


def is_about_playbook(subject: str) -> bool:
    """True if a word names an issue type, or the playbook itself, and so no issue."""
    return subject == PLAYBOOK_ITSELF or subject in issue_types()


def explain_playbook(home: Home, subject: str) -> PlaybookExplanation:
    """What the playbook of a home has for an issue type, or all that it has (``playbook``)."""
    issue_type = None if subject == PLAYBOOK_ITSELF else subject
    found = [
        (name, one)
        for name, one in load_playbook(home.playbook).mitigations.items()
        if issue_type is None or one.matches(issue_type)
    ]
    return PlaybookExplanation(issue_type, dict(sorted(found, key=lambda entry: (entry[1].tier, entry[0]))))


def _lines(mitigation: Mitigation) -> list[str]:
    do, needs, verify = mitigation.do, mitigation.needs, mitigation.verify
    sure = f", {needs.confidence:.0%} sure of the suspect" if mitigation.asks_for_suspect else ""
    supported = ", a supported rollback" if mitigation.tier > 1 else ""
    return [
        f"when    {_conditions(mitigation)}",
        f"does    {do.item} at {do.target}: {json.dumps(do.desired, ensure_ascii=False)}",
        f"needs   {needs.priority} or more urgent, {needs.signals} kinds of signal, not text alone{sure}{supported}",
        f"works   if {verify.metric} are back as usual within {verify.within_minutes} minutes",
        f"limits  {mitigation.max_per_day} a day, {mitigation.cooldown_hours:g} hours between two,"
        f" undone by {'a person' if mitigation.undo == 'person' else 'itself'}",
    ]


def _conditions(mitigation: Mitigation) -> str:
    said: dict[str, Any] = mitigation.when.model_dump(exclude_none=True)
    types = said.pop("issue_types", None)
    parts = [f"type {' or '.join(types)}"] if types else []
    suspect = said.pop("suspect", None)
    if suspect:
        words = {"none": "no suspect is named", "any": "a suspect is named"}
        parts.append(words.get(suspect, f"the suspect is a {suspect}"))
    return ", ".join([*parts, *(f"{name} {value}" for name, value in said.items())]) or "always"
