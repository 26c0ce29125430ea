"""Explanation of decisions for people: the queue of issues and the full reasoning behind one of them.

Everything printed here is a column of a published mart; nothing is computed on the way. The words are those of the
ticket (``templates/``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from dagster_project.decisioning import wording
from dagster_project.decisioning.facts import Facts, read_facts
from dagster_project.decisioning.published import read_mart
from dagster_project.decisioning.windows import WINDOWS
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home


@dataclass(frozen=True)
class Explanation:
    """One issue and everything behind it, each part as rows of its mart."""

    issue: dict[str, Any]
    severity_terms: list[dict[str, Any]]
    candidates: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    quotes: list[dict[str, Any]]
    lifecycle: dict[str, Any]
    mitigations: list[dict[str, Any]]
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
        if self.signals:
            lines += ["", "Detected by"] + [f"  {wording.signal(row)}" for row in self.signals]
        lines += ["", f"Verdict {issue['verdict']}"]
        lines += [_candidate_line(row) for row in self.candidates[:5]]
        if not any(row["is_change"] for row in self.candidates):
            lines.append(f"  no release or flag change went out in the {WINDOWS['candidate_days']} days before")
        if self.mitigations:
            lines += ["", "What may be done"] + [line for row in self.mitigations for line in _mitigation_lines(row)]
        if self.quotes:
            lines += ["", "In customers' words"] + [f"  “{row['text']}” ({_said(row)})" for row in self.quotes]
        return "\n".join(lines)


def queue(home: Home, *, include_resolved: bool = False) -> list[dict[str, Any]]:
    """The issues in the order in which to act: rows of ``fct_issues``, open ones first."""
    issues = read_mart(home, "fct_issues", where=None if include_resolved else {"status": "open"})
    order = ["queue_position", "detected_at", "issue_id"]
    return issues.sort(order, descending=[False, True, False], nulls_last=True).to_dicts()


def explain(home: Home, issue_id: str) -> Explanation:
    """The reasoning behind one issue; an unambiguous beginning of its id is enough.

    Raises:
        ConfigurationError: no issue, or more than one, begins with that id.
    """
    issues = queue(home, include_resolved=True)
    found = [row for row in issues if row["issue_id"].lower().startswith(issue_id.lower())]
    if len(found) != 1:
        known = ", ".join(row["issue_id"] for row in (found or issues)[:8]) or "none yet"
        problem = "no issue begins with" if not found else "several issues begin with"
        raise ConfigurationError(f"{problem} '{issue_id}'; issues: {known}")

    def part(mart: str, *order: str, descending: bool = False) -> pl.DataFrame:
        rows = read_mart(home, mart, where={"issue_id": found[0]["issue_id"]})
        return rows.sort(order, descending=[descending, *[False] * (len(order) - 1)], nulls_last=True)

    candidates = part("fct_release_correlation", "confidence", "change_id", descending=True).to_dicts()
    weight = pl.col("contribution").abs()
    terms = part("fct_release_terms", "term").sort(weight, descending=True, maintain_order=True).to_dicts()
    for candidate in candidates:
        candidate["terms"] = [term for term in terms if term["change_id"] == candidate["change_id"]]
    mitigations = part("fct_mitigations", "candidate_rank", "mitigation").to_dicts()
    rules = part("fct_mitigation_rules", "rule_position").to_dicts()
    for mitigation in mitigations:
        mitigation["rules"] = [rule for rule in rules if rule["mitigation"] == mitigation["mitigation"]]
    return Explanation(
        issue=found[0],
        mitigations=mitigations,
        severity_terms=part("fct_issue_severity_terms", "points", "term", descending=True).to_dicts(),
        candidates=candidates,
        evidence=part("fct_issue_evidence", "position").to_dicts(),
        signals=part("fct_issue_signals", "log_e_value", "signal", descending=True).to_dicts(),
        quotes=part("fct_issue_quotes", "quote_rank").to_dicts(),
        lifecycle=next(part("fct_issue_lifecycle", "issue_id").iter_rows(named=True), {}),
        facts=read_facts(home, found[0]["issue_id"])[found[0]["issue_id"]],
    )


def _candidate_line(row: dict[str, Any]) -> str:
    sure = f"{wording.sureness(row['confidence']):>10}"
    if not row["is_change"]:
        return f"  {sure}  not a change: {row['change_id']} (seen {row['alternative_evidence']:.2f})"
    shown = (term for term in row["terms"] if term["contribution"])
    terms = ", ".join(f"{term['term']} {term['value']:.2f} x {term['weight']:g}" for term in shown)
    return f"  {sure}  {row['change_id']} ({terms}) -> {row['verdict']}"


def _mitigation_lines(row: dict[str, Any]) -> list[str]:
    """The decision on one mitigation: its act, and each rule that is not met."""
    act = f"{row['item']} at {row['target']}" + (f": {row['desired']}" if row["desired"] else "")
    decision = f"{row['decision']}, {row['mode']}" + (f", plan {row['plan_state']}" if row["plan_state"] else "")
    effect = [f"    effect: {row['effect'].replace('_', ' ')} ({row['effect_metric']})"] if row["effect"] else []
    unmet = [f"    not met: {_rule(rule)}" for rule in row["rules"] if not rule["met"]]
    return [f"  tier {row['tier']}  {row['mitigation']} ({decision})  {act}", *effect, *unmet]


def _rule(rule: dict[str, Any]) -> str:
    """What a rule has and needs, each as a number or a word."""
    has = f"{rule['actual']:g}" if rule["actual"] is not None else rule["actual_text"]
    needs = f"{rule['needed']:g}" if rule["needed"] is not None else rule["needed_text"]
    said = f"{has} ({rule['actual_text']})" if rule["actual"] is not None and rule["actual_text"] else has
    until = f", until {rule['until']:%Y-%m-%d %H:%M} UTC" if rule["until"] else ""
    return f"{rule['rule']}: {said or 'nothing'}{f', needs {needs}' if needs else ''}{until}"


def _said(row: dict[str, Any]) -> str:
    parts = [row["channel"], row["occurred_at"], row["country"], row["app_version"]]
    if row["rating"] is not None:
        parts.append(f"{row['rating']} stars" if row["rating"] != 1 else "1 star")
    return ", ".join(str(part) for part in parts if part)
