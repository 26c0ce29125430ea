"""Explanation of decisions for people: the queue of issues and the full reasoning behind one of them.

Everything printed here is a column of a published mart; nothing is computed on the way. The words are those of the
ticket (``templates/``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dagster_project.decisioning import wording
from dagster_project.decisioning.facts import Facts, read_facts
from dagster_project.decisioning.published import read_rows
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

_QUEUE = (
    "select * from fct_issues where status = 'open' or ? order by queue_position nulls last, detected_at desc, issue_id"
)
_TERMS = "select * from fct_issue_severity_terms where issue_id = ? order by points desc, term"
_CANDIDATES = "select * from fct_release_correlation where issue_id = ? order by confidence desc, change_id"
_EVIDENCE = "select * from fct_issue_evidence where issue_id = ? order by position"
_QUOTES = "select * from int_issue_quotes where issue_id = ? order by quote_rank"
_LIFECYCLE = "select * from fct_issue_lifecycle where issue_id = ?"


@dataclass(frozen=True)
class Explanation:
    """One issue and everything behind it, each part as rows of its mart."""

    issue: dict[str, Any]
    severity_terms: list[dict[str, Any]]
    candidates: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    quotes: list[dict[str, Any]]
    lifecycle: dict[str, Any]
    facts: Facts

    def as_json(self) -> str:
        """The same as JSON, under the marts' own column names."""
        parts = {name: part for name, part in vars(self).items() if name != "facts"}
        return json.dumps(parts, default=str, indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """The same as a page for a terminal."""
        issue = self.issue
        said = {"title": wording.title(self.facts), "ticket_url": self.lifecycle.get("ticket_url"), "indent": "  "}
        lines = [wording.text("explain.j2", self.facts, **said)]
        lines += ["", f"Severity {issue['severity_score']:.1f} = "]
        lines += [
            f"  {row['points']:5.1f} of {row['weight']:3.0f}  {row['term']:<14} {row['meaning']}"
            for row in self.severity_terms
        ]
        lines += ["", f"Verdict {issue['verdict']}"]
        lines += [_candidate_line(row) for row in self.candidates[:5]]
        if not any(row["is_change"] for row in self.candidates):
            lines.append("  no release or flag change went out in the 14 days before")
        if self.quotes:
            lines += ["", "In customers' words"] + [f"  “{row['text']}” ({_said(row)})" for row in self.quotes]
        return "\n".join(lines)


def queue(home: Home, *, include_resolved: bool = False) -> list[dict[str, Any]]:
    """The issues in the order in which to act: rows of ``fct_issues``, open ones first."""
    return read_rows(home, _QUEUE, [include_resolved]).to_dicts()


def explain(home: Home, issue_id: str) -> Explanation:
    """The reasoning behind one issue; an unambiguous beginning of its id is enough.

    Raises:
        ConfigurationError: no issue, or more than one, begins with that id.
    """
    found = read_rows(
        home, "select * from fct_issues where issue_id ilike ? || '%' order by issue_id", [issue_id]
    ).to_dicts()
    if len(found) != 1:
        known = ", ".join(row["issue_id"] for row in (found or queue(home, include_resolved=True))[:8]) or "none yet"
        problem = "no issue begins with" if not found else "several issues begin with"
        raise ConfigurationError(f"{problem} '{issue_id}'; issues: {known}")
    exact = found[0]["issue_id"]
    terms, candidates, evidence, quotes, lifecycle = (
        read_rows(home, query, [exact]).to_dicts() for query in (_TERMS, _CANDIDATES, _EVIDENCE, _QUOTES, _LIFECYCLE)
    )
    facts = read_facts(home, exact)[exact]
    return Explanation(found[0], terms, candidates, evidence, quotes, lifecycle[0] if lifecycle else {}, facts)


def _candidate_line(row: dict[str, Any]) -> str:
    sure = f"{wording.sureness(row['confidence']):>9}"
    if not row["is_change"]:
        return f"  {sure}  not a change: {row['change_id']} (seen {row['alternative_evidence']:.2f})"
    terms = ", ".join(f"{name} {row[name]:.2f}" for name in ("timing", "version_rate", "version_named", "technical"))
    against = f", against: rose elsewhere as well {row['shared_rise']:.2f}" if row["shared_rise"] else ""
    against += ", against: sits where the change does not" if row["scope_contradiction"] else ""
    return f"  {sure}  {row['change_id']} ({terms}{against}) -> {row['verdict']}"


def _said(row: dict[str, Any]) -> str:
    parts = [row["channel"], row["occurred_at"], row["country"], row["app_version"]]
    if row["rating"] is not None:
        parts.append(f"{row['rating']} stars" if row["rating"] != 1 else "1 star")
    return ", ".join(str(part) for part in parts if part)
