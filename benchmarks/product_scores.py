"""Scores of decisions about fictional products against what really happened; pure, see ``benchmarks.products``."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from dagster_project.simulation.products import Truth, catalogue

FOUND_WITHIN = timedelta(days=7)
NAMED_AFTER = timedelta(hours=48)
URGENT = ("P1", "P2")
HALVES = ("dev", "held-out")
"""The development half of the catalogue, and the half that is held out."""


def half_of(scenario: str) -> str:
    """Half of a scenario: odd places of the sorted catalogue are for development."""
    return HALVES[sorted(catalogue()).index(scenario) % 2]


@dataclass(frozen=True)
class Sighting:
    """One issue as it stood as of one instant."""

    as_of: datetime
    issue_id: str
    issue_type: str
    priority: str
    verdict: str
    suspect: str
    """Release id, or flag key with the instant of its change; empty if none is named."""
    rollback_supported: bool
    detected_at: datetime
    started_at: datetime


@dataclass(frozen=True)
class Result:
    """Score of one world. ``named`` is ``right``, ``wrong``, ``none`` or, if nothing was found, empty."""

    scenario: str
    seed: int
    product: str
    quiet: bool
    cause_kind: str
    issue_type: str
    months: float
    found: bool = False
    found_as: str = ""
    hours: float | None = None
    onset_off: float | None = None
    """Hours from the true onset to where the issue is said to have started; negative is too early."""
    complaints: int | None = None
    complaints_in_all: int = 0
    priority: str = ""
    named: str = ""
    cleared_wrongly: bool = False
    rollback_right: bool = False
    rollbacks_wrong: tuple[str, ...] = ()
    alarms_false: tuple[str, ...] = ()
    """Urgent issues that no failure explains, as ``type priority``."""
    alarms_beside: tuple[str, ...] = ()
    """Urgent issues of another type within the time of a failure: its complaints, misread."""


def score(truth: Truth, sightings: Sequence[Sighting]) -> Result:
    """Judge what was decided about one product."""
    ours = _found(truth, sightings)
    false, beside = _alarms(truth, sightings)
    return Result(
        scenario=truth.scenario,
        seed=truth.seed,
        product=truth.product,
        quiet=truth.quiet,
        cause_kind="" if truth.quiet else truth.cause_kind,
        issue_type=truth.issue_type,
        months=(truth.until - truth.judged_from) / timedelta(days=30),
        complaints_in_all=len(truth.complaints),
        rollback_right=any(one.rollback_supported and _is_cause(truth, one.suspect) for one in sightings),
        rollbacks_wrong=tuple(
            sorted({one.suspect for one in sightings if one.rollback_supported and not _is_cause(truth, one.suspect)})
        ),
        alarms_false=false,
        alarms_beside=beside,
        **_finding(truth, ours),
    )


def _found(truth: Truth, sightings: Sequence[Sighting]) -> list[Sighting]:
    """Sightings of the first issue of the failure's type, the strict type before its neighbours."""
    if truth.onset is None:
        return []
    window = (truth.onset, truth.onset + FOUND_WITHIN)
    for types in ((truth.issue_type,), truth.accepted):
        right = [one for one in sightings if one.issue_type in types and window[0] <= one.detected_at <= window[1]]
        if right:
            first = min(right, key=lambda one: (one.detected_at, one.issue_id)).issue_id
            return [one for one in right if one.issue_id == first]
    return []


def _finding(truth: Truth, ours: list[Sighting]) -> dict[str, Any]:
    """Fields of the result that the found issue gives: delay, priority, and the change it names two days later."""
    if not ours or truth.onset is None:
        return {}
    detected = min(one.detected_at for one in ours)
    later = min(
        (one for one in ours if one.as_of >= detected + NAMED_AFTER), key=lambda one: one.as_of, default=ours[-1]
    )
    return {
        "found": True,
        "found_as": ours[0].issue_type,
        "hours": round((detected - truth.onset) / timedelta(hours=1), 1),
        "onset_off": round((later.started_at - truth.onset) / timedelta(hours=1), 1),
        "complaints": sum(at <= detected for at in truth.complaints),
        "priority": min(one.priority for one in ours),
        "named": _named(truth, later.suspect),
        "cleared_wrongly": truth.cause_kind in ("release", "flag") and later.verdict == "no_regression",
    }


def _named(truth: Truth, suspect: str) -> str:
    if _is_cause(truth, suspect):
        return "right"
    if suspect:
        return "wrong"
    return "none" if truth.cause_kind in ("release", "flag") else "right"


def _is_cause(truth: Truth, suspect: str) -> bool:
    """Whether a suspect is the change that caused the failure; a flag's change is its key, ``@`` and an instant."""
    return bool(truth.cause_id) and suspect.split("@", 1)[0] == truth.cause_id


def _alarms(truth: Truth, sightings: Sequence[Sighting]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Urgent issues that are not the failure: without any cause, and beside it."""
    false: dict[str, str] = {}
    beside: dict[str, str] = {}
    for one in sightings:
        if one.priority not in URGENT or one.issue_type in truth.tolerated or one.detected_at < truth.judged_from:
            continue
        during = truth.onset is not None and one.detected_at >= truth.onset
        if during and one.issue_type in (truth.issue_type, *truth.accepted):
            continue
        (beside if during else false)[one.issue_id] = f"{one.issue_type} {one.priority}"
    return tuple(sorted(false.values())), tuple(sorted(beside.values()))


SUMS = (
    "half",
    "worlds",
    "incidents found",
    "with the right type",
    "hours to detect, median / p90",
    "complaints until then, median / p90",
    "right change named",
    "an innocent change named",
    "cleared wrongly",
    "worlds with a wrong rollback",
    "urgent beside the failure",
    "false P1/P2 a quiet product-month",
)
_HALF_NAMES = {"dev": "development", "held-out": "held out"}


def header(columns: Sequence[str]) -> tuple[str, str]:
    """The two lines that begin a Markdown table; all columns but the first are of numbers."""
    return f"| {' | '.join(columns)} |", "| --- |" + " ---: |" * (len(columns) - 1)


def sums(results: Sequence[Result]) -> Iterator[str]:
    """Lines of a Markdown table: one row for each half."""
    yield from header(SUMS)
    for half in HALVES:
        if own := [one for one in results if half_of(one.scenario) == half]:
            yield f"| {' | '.join([_HALF_NAMES[half], *_sums_of(own)])} |"


def _sums_of(own: Sequence[Result]) -> Iterator[str]:
    incidents, quiet = [one for one in own if not one.quiet], [one for one in own if one.quiet]
    found = [one for one in incidents if one.found]
    caused = [one for one in incidents if one.cause_kind in ("release", "flag")]
    yield str(len(own))
    yield f"{len(found)} of {len(incidents)}"
    yield f"{sum(one.found_as == one.issue_type for one in found)} of {len(found)}"
    yield _median_and_p90([one.hours for one in found])
    yield _median_and_p90([one.complaints for one in found])
    yield f"{sum(one.named == 'right' for one in caused)} of {len(caused)}"
    yield f"{sum(one.named == 'wrong' for one in incidents)} of {len(incidents)}"
    yield f"{sum(one.cleared_wrongly for one in caused)} of {len(caused)}"
    yield f"{sum(bool(one.rollbacks_wrong) for one in own)} of {len(own)}"
    yield str(sum(len(one.alarms_beside) for one in incidents))
    false, months = sum(len(one.alarms_false) for one in quiet), sum(one.months for one in quiet)
    yield f"{false / months:.2f} ({false} in {months:.0f})" if quiet else "–"


def _median_and_p90(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.0f} / {np.quantile(known, 0.9):.0f}" if known else "–"


def table(results: Iterable[Result]) -> str:
    """A Markdown table: one row per kind of scenario, then all incidents and all quiet worlds."""
    results = sorted(results, key=lambda one: (one.quiet, one.scenario, one.seed))
    kinds: dict[str, list[Result]] = {}
    for one in results:
        kinds.setdefault(one.scenario.rsplit("_", 1)[0], []).append(one)
    kinds["**all incidents**"] = [one for one in results if not one.quiet]
    kinds["**all quiet**"] = [one for one in results if one.quiet]
    head = (
        "scenario", "worlds", "found", "hours (median)", "onset off by (median)", "complaints until",
        "change right", "wrong", "cleared wrongly",
        "rollback right", "rollback wrong", "urgent beside", "false P1/P2 a month",
    )  # fmt: skip
    lines = [head, ("---",) * len(head), *(_row(kind, group) for kind, group in kinds.items() if group)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _row(kind: str, group: list[Result]) -> tuple[object, ...]:
    incidents = [one for one in group if not one.quiet]
    found = [one for one in incidents if one.found]
    return (
        kind,
        len(group),
        f"{len(found)}/{len(incidents)}" if incidents else "",
        _median([one.hours for one in found]),
        _median([None if one.onset_off is None else abs(one.onset_off) for one in found]),
        _median([one.complaints for one in found]),
        f"{sum(one.named == 'right' for one in found)}/{len(found)}" if found else "",
        sum(one.named == "wrong" for one in found) if found else "",
        sum(one.cleared_wrongly for one in found) if found else "",
        sum(one.rollback_right for one in incidents) if incidents else "",
        sum(bool(one.rollbacks_wrong) for one in group),
        sum(len(one.alarms_beside) for one in incidents) if incidents else "",
        f"{sum(len(one.alarms_false) for one in group) / sum(one.months for one in group):.2f}",
    )


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.0f}" if known else ""
