"""Playbook: the reviewed configuration of detection thresholds, priorities, actions, links, costs and mitigations.

``playbook.yml`` is validated on load and landed in the lake as small tables. So dbt decides by the same file that
people review: one fact, one place. The taxonomy it refers to is the dbt seed ``taxonomy.csv``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from dagster_project import lake
from dagster_project.decisioning.costs import Costs, adoption_rows, cost_settings
from dagster_project.decisioning.links import check_template
from dagster_project.decisioning.mitigations import (
    Approvals,
    Approver,
    Mitigation,
    Name,
    Priority,
    Strict,
    Target,
    mitigation_rows,
    problems,
    target_rows,
)
from dagster_project.decisioning.setting_lines import Place, line_of, repeated_key
from dagster_project.decisioning.windows import BASELINE_DAYS
from dagster_project.errors import ConfigurationError, yaml_problem
from dagster_project.home import DBT_PROJECT, PLAYBOOK, Home
from dagster_project.lake_tables import schema_of


class Detection(Strict):
    """Thresholds at which an issue opens and closes; scores are standard deviations above expectation.

    ``false_alarm_budget`` is the number of false issues that complaints and telemetry together may open by chance, per
    product and month.
    """

    open_score: float = Field(gt=0)
    open_score_scoped: float = Field(gt=0)
    close_score: float = Field(gt=0)
    urgent_score: float = Field(gt=0)
    urgent_score_confirmed: float = Field(gt=0)
    min_excess: float = Field(gt=0)
    min_ratio: float = Field(ge=1)
    quiet_hours: float = Field(ge=24)
    min_baseline_days: float = Field(ge=1, le=BASELINE_DAYS)
    false_alarm_budget: float = Field(gt=0, le=10)

    @model_validator(mode="after")
    def _opens_above_where_it_closes(self) -> Detection:
        if not self.close_score < self.open_score <= self.open_score_scoped:
            raise ValueError("close_score must be below open_score, and open_score_scoped at or above it")
        if self.urgent_score < self.open_score:
            raise ValueError("urgent_score must be at or above open_score")
        if self.urgent_score_confirmed > self.urgent_score:
            raise ValueError("urgent_score_confirmed must be at or below urgent_score")
        return self


class Release(Strict):
    """From which confidence (0-1) a release is named or cleared, and how many complaints a verdict needs.

    ``rollback_alpha`` is the probability (0-1) with which chance alone may ever, at any of many looks, seem to be
    reason enough to undo an innocent release.
    """

    regression_confidence: float = Field(gt=0, lt=1)
    no_regression_confidence: float = Field(gt=0, lt=1)
    min_evidence: int = Field(ge=1)
    rollback_alpha: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _cleared_below_where_named(self) -> Release:
        if self.no_regression_confidence >= self.regression_confidence:
            raise ValueError("no_regression_confidence must be below regression_confidence")
        return self


Weight = Annotated[float, Field(ge=0, le=1)]


class Provenance(Strict):
    """Weight of a signal by its origin, 0-1: the harder to forge, the nearer to 1."""

    verified_purchase: Weight
    known_account: Weight
    open_web: Weight
    unknown: Weight
    server: Weight
    client: Weight

    @model_validator(mode="after")
    def _strangers_weigh_less(self) -> Provenance:
        if max(self.open_web, self.unknown) >= min(self.verified_purchase, self.known_account):
            raise ValueError("open_web and unknown must weigh less than verified_purchase and known_account")
        return self


class Signals(Strict):
    """Strength of one signal on its own, and weights by provenance.

    ``alone_alpha`` is the probability (0-1) with which chance alone may ever make one signal of a release strong; a
    rollback needs two strong ones of different provenance.
    """

    alone_alpha: float = Field(gt=0, lt=1)
    provenance: Provenance


class People(Strict):
    """Counting of people: canned sentences, and how many people an urgent priority (P1, P2) needs.

    A text is canned once ``canned_people`` distinct known people have said it on ``canned_days`` days. An issue without
    a technical or business signal is urgent only with ``urgent_known_people`` established people, or with
    ``urgent_people`` of any kind.
    """

    canned_people: int = Field(ge=2)
    canned_days: int = Field(ge=1)
    urgent_known_people: int = Field(ge=1)
    urgent_people: int = Field(ge=1)

    @model_validator(mode="after")
    def _strangers_need_more(self) -> People:
        if self.urgent_people < self.urgent_known_people:
            raise ValueError("urgent_people must be at or above urgent_known_people")
        return self


class Thresholds(Strict):
    """The severity (0-100) at which each priority starts; anything below P3 is P4."""

    P1: float = Field(ge=0, le=100)
    P2: float = Field(ge=0, le=100)
    P3: float = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _descending(self) -> Thresholds:
        if not self.P1 > self.P2 > self.P3:
            raise ValueError("P1 must start above P2, and P2 above P3")
        return self


UrlTemplate = Annotated[str, AfterValidator(check_template)]


class Rule(Strict):
    """The rule of one issue type; what is left out comes from ``defaults``.

    ``dashboards`` (name: URL) and ``complaints`` (the page with all complaints of an issue) are optional links in
    tickets; ``links.PLACEHOLDERS`` lists what a URL may name in braces.
    """

    ticket_from: Priority | None = None
    priority_floor: Priority | None = None
    action_regression: str | None = None
    action_otherwise: str | None = None
    dashboards: dict[str, UrlTemplate] = Field(default_factory=dict)
    complaints: UrlTemplate | None = None


class Defaults(Strict):
    """The rule of every issue type that has none of its own; its dashboards are added to those of each rule."""

    ticket_from: Priority
    priority_floor: Priority
    action_regression: str
    action_otherwise: str
    dashboards: dict[str, UrlTemplate] = Field(default_factory=dict)
    complaints: UrlTemplate | None = None


class Playbook(Strict):
    """The whole file."""

    version: int
    review_by: date
    detection: Detection
    release: Release
    signals: Signals
    people: People
    priority: Thresholds
    defaults: Defaults
    rules: dict[str, Rule]
    costs: Costs = Field(default_factory=Costs)
    approvals: Approvals = Field(default_factory=Approvals)
    approvers: dict[Name, Approver] = Field(default_factory=dict)
    targets: dict[Name, Target] = Field(default_factory=dict)
    mitigations: dict[Name, Mitigation] = Field(default_factory=dict)

    def is_stale(self, today: date) -> bool:
        """True once the date has passed by which people were to review it."""
        return today > self.review_by


def issue_types() -> list[str]:
    """The ids of the taxonomy, in the order of the seed."""
    with (DBT_PROJECT / "seeds" / "taxonomy.csv").open(encoding="utf-8", newline="") as seed:
        return [row["issue_type"] for row in csv.DictReader(seed)]


def load_playbook(path: Path = PLAYBOOK) -> Playbook:
    """Read and validate the playbook.

    Raises:
        ConfigurationError: the file is missing, is not YAML, or a setting is wrong; the message names it and its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content, repeated = yaml.safe_load(text), repeated_key(text)
        if repeated:
            raise ConfigurationError(f"playbook {path}, line {repeated[1]}: '{repeated[0]}' is there twice")
        playbook = Playbook.model_validate(content)
    except FileNotFoundError:
        raise ConfigurationError(f"playbook {path} is missing; restore playbook.yml from the repository") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"playbook {path} is not YAML: {yaml_problem(error)}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(path, text, first["loc"], first["msg"]) from None
    for place, problem in _problems(playbook):
        raise _wrong(path, text, place, problem)
    return playbook


def _problems(playbook: Playbook) -> Iterator[tuple[Place, str]]:
    known = issue_types()
    for name in playbook.rules:
        if name not in known:
            yield ("rules", name), f"not an issue type; the taxonomy has {', '.join(known)}"
    yield from problems(playbook.targets, playbook.mitigations, playbook.approvers, known)


def _wrong(path: Path, text: str, place: Place, problem: str) -> ConfigurationError:
    setting = ".".join(str(part) for part in place if part != "[key]") or "the file"
    return ConfigurationError(f"playbook {path}, line {line_of(text, place)}: {setting}: {problem}")


def land_playbook(home: Home, playbook: Playbook) -> None:
    """Write the playbook where dbt reads it: the tables ``playbook_...`` of the lake."""
    settings = {
        **playbook.detection.model_dump(),
        **playbook.release.model_dump(),
        "alone_alpha": playbook.signals.alone_alpha,
        **{f"weight_{name}": value for name, value in playbook.signals.provenance.model_dump().items()},
        **playbook.people.model_dump(),
        **{f"{name.lower()}_from": value for name, value in playbook.priority.model_dump().items()},
        "max_automatic_per_day": playbook.approvals.max_automatic_per_day,
        "breaker_after": playbook.approvals.breaker_after,
        **cost_settings(playbook.costs),
    }
    rules: list[dict[str, Any]] = []
    for issue_type in issue_types():
        rule = playbook.rules.get(issue_type, Rule())
        own = rule.model_dump(exclude_none=True)
        links = json.dumps(_links(playbook.defaults, rule), ensure_ascii=False)
        rules.append({"issue_type": issue_type, **playbook.defaults.model_dump(), **own, "links": links})
    floats = {name: float(value) for name, value in settings.items()}
    landed: dict[str, list[dict[str, Any]]] = {
        "playbook_settings": [{**floats, "cost_currency": playbook.costs.currency}],
        "playbook_rules": [{name: rule[name] for name in schema_of("playbook_rules")} for rule in rules],
        "playbook_targets": target_rows(playbook.targets),
        "playbook_mitigations": mitigation_rows(playbook.mitigations, issue_types()),
        "playbook_adoptions": adoption_rows(playbook.costs),
    }
    for table, rows_of_table in landed.items():
        lake.replace(home, table, pl.DataFrame(rows_of_table, schema=schema_of(table)))


def _links(defaults: Defaults, rule: Rule) -> list[dict[str, str]]:
    """The links of a type's tickets, dashboards first; a rule's own replace those of the same name."""
    links = [{"name": name, "url": url} for name, url in {**defaults.dashboards, **rule.dashboards}.items()]
    complaints = rule.complaints or defaults.complaints
    return [*links, *([{"name": "all complaints", "url": complaints}] if complaints else [])]
