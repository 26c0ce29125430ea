"""Wording of an issue: names, amounts and instants as people write them, and templates for its facts.

``templates/*.j2`` hold the words, once for every text: the ticket (``automation/tickets/brief.py``) includes them and
sanitizes their values, ``text`` renders them for a terminal or a page. Amounts have two significant figures, so that a
ticket is not edited for the last digit of an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dagster_project.decisioning.facts import Evidence, Facts

TEMPLATES = Path(__file__).parent / "templates"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIGNALS = {
    "complaints": "complaints",
    "error_rate": "failing requests",
    "latency_p95_ms": "slow answers",
    "conversion": "fewer completed steps",
    "support_beside": "tickets and chats about other things",
}
_GOING_ON = {
    "new": "Just begun:",
    "rising": "Getting worse:",
    "steady": "Still going on, neither rising nor falling:",
    "falling": "Easing, not over:",
    "quiet": "Quiet now:",
}
_DIMENSIONS = {
    "platform_share": "platform",
    "app_version_share": "version",
    "country_share": "country",
    "feature_share": "feature",
}
_ALONE = {
    "words_alone": "the words of customers on record",
    "requests_alone": "missing successful requests",
    "completions_alone": "missing completed steps",
}
_COSTS = {
    "persons_to_forge": "accounts on record that complain",
    "strangers_to_forge": "strangers' complaints",
    "requests_to_forge": "requests, bad and good",
    "completions_to_forge": "completed steps on other platforms",
}
_UNMOVED = {"error_rate": "the error rate", "conversion": "the conversion of this step"}


def text(name: str, facts: Facts, **more: object) -> str:
    """A template rendered as plain text."""
    return str(_plain().get_template(name).render({**context(facts), **more})).strip()


def context(facts: Facts) -> dict[str, Any]:
    """Context of the templates: the facts, and values named or chosen from several of their columns."""
    about = [item for item in facts.evidence if item.subject and item.subject == facts.suspect_release_id]
    measured = [item for item in facts.evidence if item.subject is None and item.kind != "people"]
    signals = [item for item in measured if item.measure not in _DIMENSIONS]
    others = [item for item in facts.evidence if item.kind == "change" and item not in about]
    alternatives = [item for item in facts.evidence if item.kind == "alternative"]
    return {
        "facts": facts,
        "suspect": suspect_name(facts),
        "evidence_for": [item for item in about if item.stance == "for"],
        "evidence_against": [item for item in about if item.stance == "against"],
        "strong": [_ALONE[item.measure] for item in about if item.measure in _ALONE and item.stance == "for"],
        "costs": [(item.counted, _COSTS[item.measure]) for item in about if item.measure in _COSTS],
        "seen_in": [_SIGNALS.get(item.measure, item.measure) for item in signals if item.stance == "for"],
        "unmoved": [(_UNMOVED.get(item.measure, item.measure), item) for item in signals if item.stance == "against"],
        "concentrated": [(_DIMENSIONS[item.measure], item) for item in measured if item.measure in _DIMENSIONS],
        "complainants": [item for item in facts.evidence if item.kind == "people"],
        "others": _by_subject(others),
        # Without `country`: it repeats the scope and explains nothing.
        "likelier": [item for item in alternatives if item.stance == "for" and item.measure != "country"],
        "going_on": _GOING_ON[facts.direction],
        "losses": losses(facts),
    }


def title(facts: Facts) -> str:
    """Symptom, product, platform and since what: the issue on one line."""
    seen = [symptom.symptom for symptom in facts.symptoms if not symptom.is_phrase][:2]
    suspect = suspect_name(facts)
    at = facts.suspect_changed_at if suspect else facts.started_at
    since = f"since {suspect} ({moment(at)})" if suspect and at else f"since {suspect or moment(facts.started_at)}"
    parts = [facts.issue_title, *_places(facts), since]
    return f"{' '.join(parts)}{': ' if seen else ''}{', '.join(seen)} — {facts.product}"


def suspect_name(facts: Facts) -> str | None:
    """The suspect as people call it: platform or service and version of a release, the key of a flag."""
    if facts.suspect_release_id is None:
        return None
    if facts.suspect_kind == "flag":
        return f"flag {facts.suspect_flag or facts.suspect_release_id}"
    place = facts.suspect_platform or facts.suspect_service
    return " ".join(part for part in (place, facts.suspect_version or facts.suspect_release_id) if part)


def where(facts: Facts) -> str:
    """The scope of an issue in words."""
    return " ".join(_places(facts, always=True)) or "everywhere: no platform, version or country stands out"


def losses(facts: Facts) -> list[tuple[str, float]]:
    """The parts of the revenue at risk that count, by name."""
    parts = [("orders", facts.lost_orders_value or 0.0), ("refunds", facts.refund_value), ("churn", facts.churn_value)]
    return [(name, value) for name, value in parts if value >= 1]


def money(value: float, facts: Facts) -> str:
    """An amount of two figures in the currency of the orders."""
    return f"{two_figures(value)} {facts.currency}" if facts.currency else two_figures(value)


def two_figures(value: float) -> str:
    """A number to two significant figures, with thousands separated."""
    if value == 0:
        return "0"
    if abs(value) < 1:
        return f"{value:.2g}"
    return f"{round(value, 1 - math.floor(math.log10(abs(value)))):,.1f}".removesuffix(".0")


def usual(value: float) -> str:
    """A daily rate: whole from ten on, else with one digit."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def percent(share: float) -> str:
    """A share to about two significant figures."""
    value = share * 100
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    number = f"{value:.{digits}f}"
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} %"


def sureness(share: float, to_blame: int | None = None, weighed: int | None = None) -> str:
    """A confidence in steps of five per cent; nothing is surer than the record of such confidences in the benchmark.

    Of ``weighed`` changes with such a confidence ``to_blame`` were the cause: Laplace's rule says how sure the next is.
    """
    if to_blame is not None and weighed:
        share = min(share, (to_blame + 1) / (weighed + 2))
    if share > 0.95:
        return "over 99 %" if share > 0.99 else "over 95 %"
    return "under 5 %" if share < 0.05 else f"about {round(share * 20) * 5} %"


def duration(hours: float) -> str:
    """Hours as people say them, without a sign."""
    hours = abs(hours)
    if hours < 2:
        return count(round(hours * 60), "minute")
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"


def instant(at: datetime) -> str:
    """A whole instant, for a text that is kept."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def moment(at: datetime) -> str:
    """A short instant, for a line that is read soon: 27 Nov 10:40."""
    return f"{day(at)} {at:%H:%M}"


def day(at: datetime) -> str:
    """A short day, whatever the machine's language: 27 Nov."""
    return f"{at.day} {_MONTHS[at.month - 1]}"


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 complaint, 2 complaints."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def filters(code: Callable[[str], object], strong: Callable[[str], object]) -> dict[str, Callable[..., object]]:
    """The filters of the templates; how code and emphasis are marked is the caller's."""
    named = (count, day, duration, instant, money, percent, sureness, two_figures, usual, where)
    return {**{function.__name__: function for function in named}, "code": code, "strong": strong}


def _places(facts: Facts, *, always: bool = False) -> Iterable[str]:
    """The scope in words; without ``always`` only the parts that the suspect's name does not say already."""
    named = not always and facts.suspect_kind == "release"
    platform = facts.platform_title if not (named and facts.suspect_platform == facts.platform_title) else None
    version = facts.scope_version if not (named and facts.suspect_version == facts.scope_version) else None
    if platform:
        yield " ".join(part for part in ("on", platform, version) if part)
    elif version:
        yield f"in version {version}"
    if facts.scope_country:
        yield f"in {facts.scope_country}"
    if facts.scope_feature:
        yield f"around {facts.scope_feature}"


def _by_subject(items: list[Evidence]) -> list[list[Evidence]]:
    """The items of each change together, in their order."""
    subjects: dict[str | None, list[Evidence]] = {}
    for item in items:
        subjects.setdefault(item.subject, []).append(item)
    return list(subjects.values())


@cache
def _plain() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= filters(code=str, strong=str)
    return environment


def signal(row: dict[str, Any]) -> str:
    """A signal that opened an issue, a row of ``fct_issue_signals``, with its odds against chance."""
    scope = "" if row["measured_kind"] == "all" else f" ({row['measured_value']})"
    return f"{_seen(row)}{scope}: {_odds(row['log_e_value'])}"


def _seen(row: dict[str, Any]) -> str:
    """What a signal saw, beside the usual."""
    amount, trials, expected = row["amount"], row["trials"], row["expected"]
    match row["signal"]:
        case "complaints":
            return f"{usual(amount)} complaints in 24 hours, usually {two_figures(expected)}"
        case "errors":
            return (
                f"errors of {row['measure']}: {amount:,.0f} of {trials:,.0f} requests, usually {two_figures(expected)}"
            )
        case "latency":
            # Sums of ln(latency) over the requests.
            times = math.exp((amount - expected) / trials)
            return f"latency of {row['measure']}: {two_figures(times)} times the usual"
        case "completions":
            return f"{row['measure']}: {amount:,.0f} of {trials:,.0f} completed, usually {expected:,.0f}"
        case _:
            return f"a change {duration(amount)} before"


def _odds(log_e_value: float) -> str:
    """An e-value as odds against chance, to one figure, as it is an estimate."""
    if log_e_value < 0:
        return "speaks against it"
    if log_e_value > math.log(1000):
        return "more than 1,000 to 1"
    return f"{float(f'{math.exp(log_e_value):.1g}'):,.0f} to 1"
