"""Drift report: compare the windows, rank groups by their effect on the expected accuracy, write HTML and JSON.

``drift.json`` holds everything the page shows and is byte-equal for equal inputs; ``index.html`` is self-contained and
links to Evidently's pages beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from dagster_project.files import write_text
from dagster_project.home import Home
from dagster_project.measurement.drift import figures
from dagster_project.measurement.drift.evidently_pages import write_evidently
from dagster_project.measurement.drift.windows import Progress, Windows, read_windows
from dagster_project.outgoing import finalized
from models_ml.drift import (
    AccuracyEstimate,
    Comparison,
    DriftFinding,
    DriftVerdict,
    GroupChange,
    MovedWord,
    changes,
    compare,
    estimate_accuracy,
    explain,
)
from models_ml.training.registry import champion

REFERENCES = ("previous", "golden")
_TEMPLATES = Path(__file__).parents[1] / "templates"
_SHOWN_CHANGES = 12


@dataclass(frozen=True)
class ExplainedFinding:
    """A drift finding, its effect on the expected accuracy (None if not applicable), and a sentence."""

    finding: DriftFinding
    accuracy_effect: float | None
    sentence: str


@dataclass(frozen=True)
class ExplainedChange:
    """A group of answers that changed the expected accuracy, its grouping, and a sentence."""

    by: str
    change: GroupChange
    sentence: str


@dataclass(frozen=True)
class AgainstReference:
    """Comparison of the current window with one reference; largest effects first."""

    comparison: Comparison
    findings: tuple[ExplainedFinding, ...]
    changes: tuple[ExplainedChange, ...]
    moved_words: tuple[MovedWord, ...]


@dataclass(frozen=True)
class DriftReport:
    """Result of one drift report.

    Attributes:
        folder: folder of the pages and drift.json.
        page: its index.html.
        as_of: the end of the current window.
        window: the length of the current and the previous window.
        model_version: the classifier whose labels were compared.
        known: feedback in each window (golden, previous, current), before sampling.
        against: the results by reference.
        accuracy: expected accuracy of the answers in each window.
        golden_accuracy: measured accuracy of the answers on the golden evaluation split; None if it has no answers.
    """

    folder: Path
    page: Path
    as_of: datetime
    window: timedelta
    model_version: str
    known: dict[str, int]
    against: dict[str, AgainstReference]
    accuracy: dict[str, AccuracyEstimate]
    golden_accuracy: float | None

    @property
    def verdicts(self) -> dict[str, DriftVerdict]:
        """By reference: ``drift``, ``no_drift`` or ``insufficient_data``."""
        return {name: one.comparison.verdict for name, one in self.against.items()}

    def lines(self) -> list[str]:
        """Summary lines: each verdict with its drifted tests, and the expected accuracy."""
        lines = []
        for name, one in self.against.items():
            lines.append(f"{one.comparison.verdict.replace('_', ' ')} against the {name} window")
            lines += [f"  {each.sentence}" for each in one.findings if each.finding.drifted]
        now = self.accuracy["current"]
        if now.accuracy is not None:
            lines.append(f"expected accuracy of the answers {now.accuracy:.0%} ({now.low:.0%} to {now.high:.0%})")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """The content of drift.json, floats rounded to four places."""
        content = {
            "as_of": self.as_of.isoformat(),
            "window_hours": self.window / timedelta(hours=1),
            "model_version": self.model_version,
            "feedback": self.known,
            "verdicts": self.verdicts,
            "accuracy": {name: asdict(one) for name, one in self.accuracy.items()},
            "golden_accuracy": self.golden_accuracy,
            "against": {name: _plain(one) for name, one in self.against.items()},
        }
        rounded: dict[str, Any] = _rounded(content)
        return rounded


def write_report(
    home: Home,
    *,
    as_of: datetime,
    window: timedelta = timedelta(days=7),
    progress: Progress = lambda _: None,
) -> DriftReport:
    """Compare the feedback of the last window with the window before it and with the golden set, and write the report.

    Too little feedback gives the verdict ``insufficient_data``, not an error.

    Args:
        home: the installation.
        as_of: end of the current window; only rows known by then count.
        window: the length of the current and the previous window.
        progress: called with each step.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
        NoChampionError: no model was promoted yet.
    """
    model = champion(home.models, golden=home.golden, progress=progress)
    windows = read_windows(home, model, as_of, window, progress=progress)
    folder = home.reports / "drift" / as_of.date().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    right = windows.judged.right
    report = DriftReport(
        folder=folder,
        page=folder / "index.html",
        as_of=as_of,
        window=window,
        model_version=model.version,
        known=windows.known,
        against={name: _against(windows, name) for name in REFERENCES},
        accuracy={name: estimate_accuracy(windows.corpus, rows, windows.judged) for name, rows in windows.rows.items()},
        golden_accuracy=float(right.mean()) if len(right) else None,
    )
    progress("drift: writing the pages")
    pages = [name for name in REFERENCES if write_evidently(folder / f"evidently_{name}.html", windows, name)]
    write_text(folder / "drift.json", json.dumps(report.as_dict(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    write_text(report.page, _page(report, windows, pages))
    progress("drift: " + ", ".join(f"{verdict} against {name}" for name, verdict in report.verdicts.items()))
    return report


def _against(windows: Windows, name: str) -> AgainstReference:
    corpus, reference, current = windows.corpus, windows.rows[name], windows.rows["current"]
    comparison = compare(corpus, reference, current)
    if comparison.verdict == "insufficient_data":
        return AgainstReference(comparison, (), (), ())
    topics = explain.topics(corpus, np.concatenate([reference, current]))
    findings = []
    for finding in comparison.findings:
        effect = explain.accuracy_effect(corpus, finding.kind, reference, current, topics)
        sentence = explain.finding_sentence(corpus, finding, reference, current, effect)
        findings.append(ExplainedFinding(finding, effect, sentence))
    findings.sort(key=lambda one: (not one.finding.drifted, -abs(one.accuracy_effect or 0.0), one.finding.kind))
    groupings = {
        "issue type": corpus.predictions.types.tolist(),
        "topic": topics,
        "channel": windows.channels.tolist(),
        "language": corpus.languages.tolist(),
    }
    found = [
        ExplainedChange(by, change, explain.change_sentence(change))
        for by, groups in groupings.items()
        for change in changes(corpus, reference, current, groups)
        if change.low > 0 or change.high < 0
    ]
    found.sort(key=lambda one: (-abs(one.change.effect), one.by, one.change.group))
    moved = explain.moved_words(corpus, reference, current)
    return AgainstReference(comparison, tuple(findings), tuple(found[:_SHOWN_CHANGES]), moved)


def _plain(one: AgainstReference) -> dict[str, Any]:
    return {
        "verdict": one.comparison.verdict,
        "reference_rows": one.comparison.reference_rows,
        "current_rows": one.comparison.current_rows,
        "findings": [
            {**asdict(each.finding), "accuracy_effect": each.accuracy_effect, "sentence": each.sentence}
            for each in one.findings
        ],
        "changes": [{"by": each.by, **asdict(each.change), "sentence": each.sentence} for each in one.changes],
        "moved_words": [asdict(word) for word in one.moved_words],
    }


def _rounded(value: Any) -> Any:
    """Round floats to four places, so that reports are byte-equal on every machine."""
    if isinstance(value, float):
        return round(value, 4) + 0.0
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def _page(report: DriftReport, windows: Windows, evidently_pages: list[str]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        finalize=finalized,
    )
    environment.filters["points"] = explain.points
    return environment.get_template("drift.html.j2").render(
        report=report,
        starts={name: report.as_of - number * report.window for number, name in ((1, "current"), (2, "previous"))},
        effects={name: figures.effects(one.comparison) for name, one in report.against.items() if one.findings},
        type_mix=figures.type_mix(windows),
        confidences=figures.confidences(windows),
        accuracies=figures.accuracies(report.accuracy, report.golden_accuracy),
        map_of_texts=figures.map_of_texts(windows),
        evidently_pages=evidently_pages,
        queue=(report.folder / "to_label.csv").exists(),
    )
