"""Decided: what the decision says, as a turn over the plans reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import polars as pl

from dagster_project.automation.mitigation.plans import Wanted
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.home import Home

_COLUMNS = tuple(field.name for field in fields(Wanted))

_OVERRIDDEN_BY_PEOPLE = (
    *("priority", "smaller_tier_first", "not_tried_in_this_episode", "cooldown", "max_per_day"),
    *("max_automatic_per_day", "breaker"),
)
"""Rules of proportion and of automatic acts, which a person who proposes a mitigation may set aside. None of them is
about evidence."""


_OF_ISSUE = {
    **{name: name for name in ("owner", "priority", "verdict", "signals", "summary", "rollback_supported")},
    **{name: name for name in ("scope_platform", "scope_country")},
    **{"confidence": "release_confidence", "issue_status": "status"},
}
"""Columns of ``Wanted`` that are the issue's, with their names in ``fct_issues``."""


class Decided(Protocol):
    """The decision about every issue; each method reads it as it is now."""

    def wanted(self) -> Sequence[Wanted]:
        """What the decision asks for, smallest tier first."""
        ...

    def candidate(self, issue_id: str, mitigation: str) -> Wanted:
        """A mitigation that a person proposes.

        Raises:
            ConfigurationError: it is not offered, or the evidence is too thin; names the rule.
        """
        ...

    def issue_states(self) -> Mapping[str, str]:
        """The status of every issue, by its id."""
        ...

    def effects(self) -> Mapping[str, str]:
        """What became of each plan in force, by its id, as far as it can be told."""
        ...


@dataclass(frozen=True)
class Published:
    """The decision as a home published it."""

    home: Home

    def wanted(self) -> list[Wanted]:
        """What the published decision asks for, smallest tier first.

        Raises:
            ConfigurationError: nothing has been published yet.
            DecisionError: a row is not what the mart promises.
        """
        rows = read_mart(self.home, "out_mitigations", _COLUMNS).sort("issue_id", "tier", "mitigation")
        try:
            return [Wanted(**row) for row in rows.with_columns(pl.col("tier").cast(pl.Int64)).iter_rows(named=True)]
        except TypeError as error:
            raise DecisionError(f"out_mitigations: {error}; rebuild with `feedback-control run`") from None

    def candidate(self, issue_id: str, mitigation: str) -> Wanted:
        """A mitigation that a person proposes: withheld only by rules that a person may set aside.

        Raises:
            ConfigurationError: the playbook does not offer it, or the evidence is too thin; names the rule.
        """
        here = (pl.col("issue_id") == issue_id) & (pl.col("mitigation") == mitigation)
        rules = read_mart(self.home, "fct_mitigation_rules", ("issue_id", "mitigation", "rule", "met")).filter(here)
        if rules.is_empty():
            raise ConfigurationError(
                f"the playbook offers no mitigation {mitigation} for issue {issue_id};"
                f" `feedback-control explain {issue_id}` lists what it offers"
            )
        unmet = [rule for rule, met in rules.select("rule", "met").iter_rows() if not met]
        if kept := [rule for rule in unmet if rule not in _OVERRIDDEN_BY_PEOPLE]:
            said = ", ".join(rule.replace("_", " ") for rule in kept)
            raise ConfigurationError(f"{mitigation} is withheld from issue {issue_id} by: {said}")
        renamed = {"critical": "is_critical"}
        own = [name for name in _COLUMNS if name not in _OF_ISSUE]
        acts = read_mart(self.home, "fct_mitigations", tuple(renamed.get(name, name) for name in own)).filter(here)
        issues = read_mart(self.home, "fct_issues", ("issue_id", *_OF_ISSUE.values())).filter(
            pl.col("issue_id") == issue_id
        )
        row = acts.rename({"is_critical": "critical"}).row(0, named=True)
        issue = issues.row(0, named=True)
        row |= {name: issue[column] for name, column in _OF_ISSUE.items()}
        return Wanted(**{**row, "mode": "approve"})

    def issue_states(self) -> Mapping[str, str]:
        """The status of every issue, by its id."""
        return dict(read_mart(self.home, "fct_issues", ("issue_id", "status")).iter_rows())

    def effects(self) -> Mapping[str, str]:
        """What became of each plan in force, by its id, as far as it can be told."""
        rows = read_mart(self.home, "fct_mitigations", ("plan_id", "effect"))
        return dict(rows.drop_nulls().iter_rows())
