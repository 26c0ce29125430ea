"""Diagnosis of an installation: one finding per part, source and destination that is not well, with its remedy."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.automation.destinations import (
    ConfiguredDestination,
    load_destinations,
    refused_destinations,
)
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation import readiness
from dagster_project.automation.mitigation.planner import Targets
from dagster_project.decisioning.playbook import Playbook, load_playbook
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import FeedbackControlError
from dagster_project.files import read_state
from dagster_project.home import Home
from dagster_project.ingestion.landing import survey
from dagster_project.ingestion.provenance import sources_of
from dagster_project.ingestion.sources import WrongEntry
from models_ml.errors import ModelError

_NEEDED = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "polars", "setfit", "torch")
_FREE_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One part of the installation, its health, and what was seen or has to be done."""

    subject: str
    ok: bool
    detail: str


def examine(home: Home, sources: Path | None = None) -> list[Finding]:
    """Look at every part; never raises for what it finds, and changes nothing but the tables of an older ledger."""
    if not home.root.exists():
        home.root.mkdir(parents=True)
    return [
        Finding("versions", True, ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _NEEDED)),
        _disk(home),
        _check("sizes", lambda: _sizes(home)),
        _check("home", lambda: f"{home.kind}: {home.root}"),
        *_several("sources", lambda: _sources(home, sources)),
        _check("playbook", lambda: _playbook(home)),
        _check("model", lambda: _model(home)),
        *_several("destinations", lambda: _destinations(home, load_destinations(home))),
        *_several("targets", lambda: _targets(home, load_playbook(home.playbook))),
        *_several("approvers", lambda: _approvers(home, load_playbook(home.playbook))),
        _check("warehouse", lambda: f"{read_mart(home, 'fct_issues', ['issue_id']).height} issues published"),
        _check("ledger", lambda: _ledger(home)),
    ]


def _check(subject: str, look: Callable[[], str]) -> Finding:
    (finding,) = _several(subject, lambda: iter([Finding(subject, True, look())]))
    return finding


def _several(subject: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except (FeedbackControlError, ModelError) as error:
        return [Finding(subject, False, str(error))]
    except Exception as error:  # a damaged file: the other parts are looked at all the same
        return [
            Finding(subject, False, f"cannot be looked at ({type(error).__name__}: {' '.join(str(error).split())})")
        ]


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free / 1e9
    return Finding(
        "disk", free >= _FREE_GB, f"{free:.1f} GB free at {home.root}" + ("" if free >= _FREE_GB else "; make room")
    )


def _sizes(home: Home) -> str:
    """Space that each part of the home takes, the largest first; parts below a megabyte are left out."""
    sizes = {part.name: _size(part) / 1e6 for part in home.root.iterdir()}
    shown = sorted(((size, name) for name, size in sizes.items() if size >= 1), reverse=True)
    total = f"{sum(sizes.values()):,.0f} MB"
    return f"{total}: {', '.join(f'{name} {size:,.0f}' for size, name in shown)}" if shown else total


def _size(part: Path) -> int:
    size = 0
    for path in part.rglob("*") if part.is_dir() else [part]:
        with suppress(FileNotFoundError):  # a turn under way has replaced it
            size += 0 if path.is_dir() else path.lstat().st_size
    return size


def _sources(home: Home, chosen: Path | None) -> Iterator[Finding]:
    path = home.sources(chosen)
    wrong: list[WrongEntry] = []
    report = survey(home, sources_of(home, path, wrong), now=datetime.now(UTC))
    report.note_wrong(wrong)
    problems = [*report.problems, *report.silent]
    well = sum(line.state == "read" and line.silent_since is None for line in report.lines)
    yield Finding("sources", not problems, f"{well} of {len(report.lines)} are well, configured in {path}")
    for problem in problems:
        yield Finding("source", False, problem)


def _playbook(home: Home) -> str:
    playbook = load_playbook(home.playbook)
    if playbook.is_stale(datetime.now(UTC).date()):
        raise FeedbackControlError(
            f"{home.playbook} was to be reviewed by {playbook.review_by}; review it and move the date"
        )
    return f"version {playbook.version}, review by {playbook.review_by}"


def _model(home: Home) -> str:
    from models_ml.model.classifier import Classifier
    from models_ml.model.integrity import check_files
    from models_ml.training.registry import Champion

    record = home.models / "champion.json"
    if not record.exists():
        return "none yet; the next turn of the loop trains it, which takes some minutes"
    champion = read_state(record, Champion, "the next turn determines the champion anew")
    if champion is None:
        raise FeedbackControlError(f"{record} is damaged; the next `run` writes it anew, without training")
    if not Classifier.is_complete(home.models / champion.version):
        raise FeedbackControlError(
            f"{record} names model {champion.version}, which is not there; put its folder back before the next `run`,"
            " which takes another model that is fit, or trains it anew"
        )
    check_files(home.models / champion.version)
    figures = champion.decision.figures
    return f"champion {champion.version}, macro-F1 {figures['macro_f1']:.2f} on the golden evaluation split"


def _destinations(home: Home, configured: list[ConfiguredDestination]) -> Iterator[Finding]:
    for one in configured:
        if one.broken:
            yield Finding("destination", False, one.broken)
    unset = {one.name: list(_unset_secrets(one)) for one in configured if not one.broken}
    yield Finding("destinations", not any(unset.values()), ", ".join(unset))
    for refused in refused_destinations(home):
        yield Finding("destination", False, refused)
    for name, variables in unset.items():
        for setting, variable in variables:
            detail = f"{name}: the environment variable {variable} ({setting}) is not set, so nothing is sent there"
            yield Finding("destination", False, f"{detail}; export {variable}=…")


def _unset_secrets(configured: ConfiguredDestination) -> Iterator[tuple[str, str]]:
    """Secrets of a destination that are not set."""
    if getattr(configured.policy, "user", "someone") is None:  # mail without a login needs no password
        return iter(())
    return readiness.unset_secrets(configured.policy)


def _targets(home: Home, playbook: Playbook) -> Iterator[Finding]:
    """Each control system, tried without writing to it."""
    targets = Targets(home, playbook)
    try:
        wrong = {one.name: list(readiness.target_problems(playbook, one)) for one in targets.all()}
    finally:
        targets.close()
    yield Finding("targets", not any(wrong.values()), ", ".join(wrong) or "none")
    for name, problems in wrong.items():
        for problem in problems:
            detail = problem if problem.startswith("target") else f"{name}: {problem}"
            yield Finding("target", False, f"{detail}; nothing is done there until then")


def _approvers(home: Home, playbook: Playbook) -> Iterator[Finding]:
    """Those who may approve, and whether they can."""
    tokens = Ledger.of(home).access_tokens.names()
    able = readiness.voters(playbook, tokens)
    idle = [name for name in playbook.approvers if name not in able]
    short = [one for target in playbook.targets for one in readiness.approver_problems(playbook, target, tokens)]
    told = [f"{name} (no token: by comment only)" if name not in tokens else name for name in able]
    yield Finding("approvers", not idle and not short, ", ".join(told) or "none")
    for name in idle:
        remedy = f"`feedback-control approvers add {name}` issues one"
        yield Finding("approver", False, f"{name} has neither a token nor an account in a tracker; {remedy}")
    for problem in short:
        yield Finding("approver", False, f"{problem}; add some to `approvers` in {home.playbook}")


def _ledger(home: Home) -> str:
    ledger = Ledger.of(home)
    counts = ledger.count_by_state()
    if ledger.continuity.gap:
        raise FeedbackControlError(
            f"it is not as {home.ledger_head} remembers it (put back from a backup, made anew, or another one);"
            " `feedback-control ledger status` says more, and the next push reconciles it"
        )
    waiting = counts.get("rejected", 0) + counts.get("held", 0)
    if waiting:
        raise FeedbackControlError(
            f"{waiting} writes wait for a person; `feedback-control dead-letters list` has owners and reasons"
        )
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "empty"
