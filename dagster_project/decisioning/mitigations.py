"""Mitigations of the playbook: targets, acts with their needs, approvers; checked on load, landed as small tables.

A target's own settings are checked by the actuator of its kind, which this stage does not know; they are kept as they
are. What may be done for an issue is decided in SQL (``fct_mitigation_rules``), by the tables that land here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dagster_project.decisioning.setting_lines import Place

Priority = Literal["P1", "P2", "P3", "P4"]
Channel = Literal["github", "jira", "request_tracker", "local"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")]

PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "suspect_flag": ("flag",),
    "suspect_version": ("release",),
    "previous_version": ("release",),
    "suspect_release": ("flag", "release", "any"),
    **dict.fromkeys(("product", "platform", "feature", "service", "issue_id"), ()),
}
"""Placeholders of an item and of the strings of a desired state, each with the kinds of suspect that give it a value;
none where the issue itself does."""


class Strict(BaseModel):
    """Base of the playbook's settings: what is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Approvals(Strict):
    """Validity of a plan, reminders, and limits of automatic acts.

    After ``breaker_after`` ineffective acts in a day nothing acts automatically until a day has passed.
    """

    valid_hours: float = Field(default=8, gt=0, le=168)
    remind_minutes: float = Field(default=30, gt=0)
    escalate_minutes: float = Field(default=60, gt=0)
    max_automatic_per_day: int = Field(default=5, ge=0)
    breaker_after: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _reminds_before_it_escalates(self) -> Approvals:
        if self.remind_minutes > self.escalate_minutes:
            raise ValueError("remind_minutes must be at or below escalate_minutes")
        return self


class Approver(Strict):
    """A person who may approve, with the accounts by which trackers know them."""

    accounts: dict[Channel, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)


class Target(BaseModel):
    """A control system; settings of its kind are kept as they are, for its actuator."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(min_length=1)
    environment: Literal["production", "staging", "simulated"] = "production"
    product: str | None = None
    service: str | None = None
    critical: bool = False

    @property
    def entry(self) -> dict[str, Any]:
        """The entry as it was written."""
        return self.model_dump(exclude_unset=True)


class When(Strict):
    """What an issue must be; what is left out does not matter. ``issue_types`` left out are all.

    ``suspect`` is the kind of suspect that must be named (``any`` of them), or ``none``: no suspect is named.
    """

    issue_types: list[str] | None = Field(default=None, min_length=1)
    product: str | None = None
    feature: str | None = None
    platform: str | None = None
    country: str | None = None
    suspect: Literal["flag", "release", "any", "none"] | None = None
    service: str | None = None


class Do(Strict):
    """The act: an item of a target, and the state to set; both may have placeholders."""

    target: str
    item: str = Field(min_length=1)
    desired: dict[str, Any] = Field(alias="set", min_length=1)


class Needs(Strict):
    """What must be known of an issue. Text alone never acts: two kinds of signal are the least.

    ``confidence`` is asked where a suspect is (``when.suspect``).
    """

    priority: Priority = "P2"
    signals: int = Field(default=2, ge=2, le=5)
    confidence: float = Field(default=0.6, ge=0, le=1)


class Verify(Strict):
    """Metric that must come back to its usual level, and within which time."""

    metric: Literal["complaints", "errors", "conversion"] = "complaints"
    within_minutes: int = Field(default=120, ge=15, le=10080)


class Mitigation(Strict):
    """One change of a state that limits harm. Tier 1 switches a flag, 2 shifts or halts, 3 rolls back."""

    tier: Literal[1, 2, 3]
    when: When = Field(default_factory=When)
    do: Do
    needs: Needs = Field(default_factory=Needs)
    mode: Literal["shadow", "approve", "auto"] = "shadow"
    verify: Verify = Field(default_factory=Verify)
    cooldown_hours: float = Field(default=24, ge=0)
    max_per_day: int = Field(default=3, ge=1)
    undo: Literal["person", "auto"] = "person"

    def matches(self, issue_type: str) -> bool:
        """True if it is for this issue type."""
        return self.when.issue_types is None or issue_type in self.when.issue_types

    @property
    def asks_for_suspect(self) -> bool:
        """True if a suspect must be named; then it must be likely enough, too."""
        return self.when.suspect in ("flag", "release", "any")


def problems(
    targets: Mapping[str, Target],
    mitigations: Mapping[str, Mitigation],
    approvers: Mapping[str, Approver],
    issue_types: Sequence[str],
) -> Iterator[tuple[Place, str]]:
    """What is wrong across settings, each with the place of the setting."""
    for name, mitigation in mitigations.items():
        place = ("mitigations", name)
        unknown = [one for one in mitigation.when.issue_types or () if one not in issue_types]
        if unknown:
            yield (
                (*place, "when", "issue_types", (mitigation.when.issue_types or []).index(unknown[0])),
                f"'{unknown[0]}' is not an issue type; the taxonomy has {', '.join(issue_types)}",
            )
        if mitigation.do.target not in targets:
            known = ", ".join(targets) or "none"
            yield (*place, "do", "target"), f"'{mitigation.do.target}' is not a target; `targets` has {known}"
        if mitigation.tier == 3 and mitigation.mode == "auto":
            yield (*place, "mode"), "tier 3 (roll back) is never auto; it needs the approval of a person"
        yield from _placeholder_problems(place, mitigation)
    yield from _shared_accounts(approvers)


def _placeholder_problems(place: tuple[str, ...], mitigation: Mitigation) -> Iterator[tuple[Place, str]]:
    said = [("item", mitigation.do.item), *(("set", text) for text in _strings(mitigation.do.desired))]
    for setting, text in said:
        for name in _placeholders(text):
            if name not in PLACEHOLDERS:
                yield (*place, "do", setting), f"'{text}' names {{{name}}}; placeholders are {', '.join(PLACEHOLDERS)}"
            elif PLACEHOLDERS[name] and mitigation.when.suspect not in PLACEHOLDERS[name]:
                kinds = " or ".join(f"'{kind}'" for kind in PLACEHOLDERS[name])
                yield (*place, "do", setting), f"{{{name}}} has a value only where `when.suspect` is {kinds}"


def _placeholders(text: str) -> list[str]:
    """Names in braces; a brace without its partner is named with the whole text, and is then unknown."""
    named = re.findall(r"\{([^{}]*)\}", text)
    return [*named, *([text] if set("{}") & set(re.sub(r"\{[^{}]*\}", "", text)) else [])]


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _shared_accounts(approvers: Mapping[str, Approver]) -> Iterator[tuple[Place, str]]:
    owners: dict[tuple[str, str], str] = {}
    for name, approver in approvers.items():
        for channel, account in approver.accounts.items():
            owner = owners.setdefault((channel, account.lower()), name)
            if owner != name:
                yield ("approvers", name, "accounts", channel), f"'{account}' is the account of {owner}"


def target_rows(targets: Mapping[str, Target]) -> list[dict[str, Any]]:
    """Rows of ``playbook_targets``."""
    common = ("kind", "environment", "product", "service", "critical")
    return [
        {"target": name, **{one: getattr(target, one) for one in common}} for name, target in sorted(targets.items())
    ]


def mitigation_rows(mitigations: Mapping[str, Mitigation], issue_types: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of ``playbook_mitigations``, each mitigation once for every issue type that it is for."""
    return [
        {"mitigation": name, "issue_type": issue_type, **_row(mitigation)}
        for name, mitigation in sorted(mitigations.items())
        for issue_type in issue_types
        if mitigation.matches(issue_type)
    ]


def _row(mitigation: Mitigation) -> dict[str, Any]:
    when, needs = mitigation.when, mitigation.needs
    return {
        "target": mitigation.do.target,
        "item": mitigation.do.item,
        "desired": json.dumps(mitigation.do.desired, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "suspect_kind": when.suspect,
        **{name: getattr(when, name) for name in ("product", "feature", "platform", "country", "service")},
        "least_priority": needs.priority,
        "least_signals": needs.signals,
        "least_confidence": needs.confidence if mitigation.asks_for_suspect else None,
        "verify_metric": mitigation.verify.metric,
        "verify_minutes": mitigation.verify.within_minutes,
        **{name: getattr(mitigation, name) for name in ("tier", "mode", "cooldown_hours", "max_per_day", "undo")},
    }
