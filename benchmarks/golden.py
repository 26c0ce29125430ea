"""Benchmark of the labels: classifier with and without rules against three baselines, on the evaluation split.

Writes index.md, reliability.svg, risk_coverage.svg and results.json under reports/golden/. Trained models are kept in
the folder given by --models, so that a rerun only measures.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.evaluation.baselines import BASELINES, Baseline
from models_ml.evaluation.plots import ScoredAnswers, reliability, risk_coverage
from models_ml.golden.golden_set import GoldenSet, Split, load_golden
from models_ml.label import Labeller
from models_ml.model.calibration import answers, fit_temperature, fit_thresholds, softmax
from models_ml.model.classifier import Classifier
from models_ml.model.metrics import Metrics, evaluate
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.training.train import TrainingConfig, load_or_train

ROOT = Path(__file__).resolve().parents[1]
OURS = "rules and classifier, as served"
ALONE = "the classifier alone"
FIGURES = ("macro_f1", "accuracy", "ece", "coverage", "accuracy_when_answering")
LIBRARIES = ("setfit", "sentence-transformers", "transformers", "torch", "openvino", "scikit-learn", "numpy")
RESAMPLES = 2_000
"""Draws of the evaluation texts with replacement, for the intervals."""

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Reader:
    """A model under test: texts to probabilities, and True where it answers."""

    read: Callable[[Sequence[str]], tuple[Probabilities, NDArray[np.bool_]]]

    @classmethod
    def of(cls, probabilities: Callable[[Sequence[str]], Probabilities], thresholds: dict[str, float]) -> Reader:
        """One that answers from a confidence on."""

        def read(texts: Sequence[str]) -> tuple[Probabilities, NDArray[np.bool_]]:
            found = probabilities(texts)
            return found, answers(found, thresholds)

        return cls(read)


@dataclass(frozen=True)
class Run:
    """One model with one seed on the evaluation texts."""

    seed: int
    probabilities: Probabilities
    answered: NDArray[np.bool_]
    metrics: Metrics

    @classmethod
    def of(cls, reader: Reader, seed: int, data: GoldenSet) -> Run:
        texts, types = columns(data, "evaluation")
        probabilities, answered = reader.read(texts)
        return cls(seed, probabilities, answered, evaluate(probabilities, types, answered))


def trained(model: Classifier) -> dict[str, Reader]:
    """Readers that depend on the seed: the classifier with rules, and alone."""
    return {OURS: Reader(partial(as_served, Labeller(model))), ALONE: Reader.of(model.probabilities, model.thresholds)}


def as_served(labeller: Labeller, texts: Sequence[str]) -> tuple[Probabilities, NDArray[np.bool_]]:
    """Probabilities after the rules: a forced type gets the rules' confidence, a vetoed type 0."""
    probabilities = labeller.classifier.probabilities(texts).copy()
    labels = labeller.label(texts)
    for row, label in enumerate(labels):
        decided = ISSUE_TYPES.index(label.decision.issue_type)
        if label.decision.decided_by == "rule":
            probabilities[row] *= (1 - label.decision.confidence) / max(1e-9, 1 - probabilities[row, decided])
            probabilities[row, decided] = label.decision.confidence
        for name, _ in label.verdict.vetoed:
            vetoed = ISSUE_TYPES.index(name)
            probabilities[row, [decided, vetoed]] += probabilities[row, vetoed], -probabilities[row, vetoed]
    return probabilities, np.array([not label.decision.abstained for label in labels])


def calibrated(baseline: Baseline, data: GoldenSet) -> Reader:
    """Fit and calibrate a baseline, then refit it on the calibration texts as well, as training does."""
    texts, types = columns(data, "train")
    more_texts, more_types = columns(data, "calibration")
    baseline.fit(texts, types)
    logits = np.log(baseline.probabilities(more_texts) + 1e-9)
    temperature = fit_temperature(logits, more_types)
    thresholds = fit_thresholds(softmax(logits, temperature), more_types)
    baseline.fit(texts + more_texts, types + more_types)
    return Reader.of(lambda texts: softmax(np.log(baseline.probabilities(texts) + 1e-9), temperature), thresholds)


def columns(data: GoldenSet, split: Split) -> tuple[list[str], list[str]]:
    """Texts and issue types of one split."""
    chosen = data.split(split)
    return [one.text for one in chosen], [one.issue_type for one in chosen]


def measure(data: GoldenSet, models: Path, seeds: Sequence[int]) -> tuple[dict[str, list[Run]], list[float]]:
    """Every model's runs, ours first, and the seconds that each training took when it was done."""
    runs: dict[str, list[Run]] = {}
    seconds = []
    for place, seed in enumerate(seeds, start=1):
        say(f"seed {seed}, {place} of {len(seeds)}")
        model = load_or_train(models, config=TrainingConfig(seed=seed), progress=say)
        seconds.append(json.loads((model.folder / "training.json").read_text(encoding="utf-8"))["seconds"])
        for name, reader in trained(model).items():
            runs.setdefault(name, []).append(Run.of(reader, seed, data))
            say(f"{name}: macro-F1 {runs[name][-1].metrics.macro_f1:.3f}")
    for name, make in BASELINES.items():
        runs[name] = [Run.of(calibrated(make(), data), seeds[0], data)]
        say(f"{name}: macro-F1 {runs[name][-1].metrics.macro_f1:.3f}")
    return runs, seconds


def macro_f1(predicted: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    """F1 averaged over the issue types, from numbers of types: 2 hits / (texts named so + texts that are so)."""
    count = len(ISSUE_TYPES)
    hits = np.bincount(predicted[predicted == expected], minlength=count)
    both = np.bincount(predicted, minlength=count) + np.bincount(expected, minlength=count)
    return float(np.mean(2 * hits / np.maximum(both, 1)))


def resampled(runs: dict[str, list[Run]], expected: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Each model's macro-F1, averaged over its seeds, on the same draws of evaluation texts; shape (draws,)."""
    rng = np.random.default_rng(7)
    draws = rng.integers(len(expected), size=(RESAMPLES, len(expected)))
    return {
        name: np.array(
            [np.mean([macro_f1(guess[draw], expected[draw]) for guess in guesses]) for draw in draws],
        )
        for name, own in runs.items()
        for guesses in [[run.probabilities.argmax(axis=1) for run in own]]
    }


def interval(values: NDArray[np.float64]) -> str:
    """The middle 95 %."""
    low, high = np.quantile(values, (0.025, 0.975))
    return f"{low:.3f} to {high:.3f}"


def spread(values: Sequence[float]) -> str:
    """Mean and sample standard deviation, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"


def summary_table(runs: dict[str, list[Run]], draws: dict[str, NDArray[np.float64]]) -> list[str]:
    """One row for each model."""
    lines = [
        "| model | macro-F1 | 95 % interval | accuracy | calibration error | answers | right when answering |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, own in runs.items():
        cells = [spread([getattr(run.metrics, figure) for run in own]) for figure in FIGURES]
        lines.append(f"| {name} | {cells[0]} | {interval(draws[name])} | {' | '.join(cells[1:])} |")
    return lines


def difference(runs: dict[str, list[Run]], draws: dict[str, NDArray[np.float64]]) -> str:
    """Paired difference to the best baseline, on the same bootstrap samples."""
    best = max(BASELINES, key=lambda name: runs[name][0].metrics.macro_f1)
    ahead = statistics.fmean(run.metrics.macro_f1 for run in runs[OURS]) - runs[best][0].metrics.macro_f1
    between = interval(draws[OURS] - draws[best])
    return f"Against the best baseline ({best}): {ahead:+.3f} macro-F1, 95 % interval {between}."


def type_table(own: list[Run]) -> list[str]:
    """Precision and recall by issue type."""
    lines = ["| issue type | precision | recall | F1 | texts |", "| --- | ---: | ---: | ---: | ---: |"]
    for name in ISSUE_TYPES:
        figures = [run.metrics.by_type[name] for run in own]
        cells = [spread([getattr(one, figure) for one in figures]) for figure in ("precision", "recall", "f1")]
        lines.append(f"| {name} | {' | '.join(cells)} | {figures[0].support} |")
    return lines


def language_table(own: list[Run], data: GoldenSet) -> list[str]:
    """Coverage and accuracy by language, over all seeds."""
    texts = data.split("evaluation")
    expected = np.array([ISSUE_TYPES.index(text.issue_type) for text in texts])
    spoken = np.array([text.language for text in texts])
    lines = ["| language | texts | answers | right when answering |", "| --- | ---: | ---: | ---: |"]
    for language in sorted(set(spoken)):
        chosen = spoken == language
        coverage = [float(run.answered[chosen].mean()) for run in own]
        right = [
            float((run.probabilities.argmax(axis=1) == expected)[chosen & run.answered].mean())
            for run in own
            if run.answered[chosen].any()
        ]
        lines.append(f"| {language} | {chosen.sum()} | {spread(coverage)} | {spread(right) if right else 'none'} |")
    return lines


def outcome(own: list[Run], expected: NDArray[np.int64]) -> ScoredAnswers:
    """All seeds' answers, one after the other."""
    return ScoredAnswers.of(
        np.concatenate([run.probabilities for run in own]),
        np.tile(expected, len(own)),
        np.concatenate([run.answered for run in own]),
    )


def write(out: Path, data: GoldenSet, runs: dict[str, list[Run]], seconds: list[float]) -> None:
    """The page, the pictures and the plain figures."""
    out.mkdir(parents=True, exist_ok=True)
    expected = np.array([ISSUE_TYPES.index(name) for name in columns(data, "evaluation")[1]])
    draws = resampled(runs, expected)
    outcomes = {name: outcome(own, expected) for name, own in runs.items()}
    (out / "reliability.svg").write_bytes(reliability(outcomes))
    (out / "risk_coverage.svg").write_bytes(risk_coverage(outcomes))
    facts = environment(data, [run.seed for run in runs[OURS]], seconds)
    results = {name: [{"seed": run.seed, **run.metrics.as_dict()} for run in own] for name, own in runs.items()}
    content = json.dumps({**facts, "results": results}, indent=1, sort_keys=True)
    (out / "results.json").write_text(content + "\n", encoding="utf-8")
    page = _PAGE.format(
        **facts,
        resamples=RESAMPLES,
        seed_list=", ".join(map(str, facts["seeds"])),
        library_list=", ".join(f"{name} {version}" for name, version in facts["libraries"].items()),
        longest=max(seconds),
        summary="\n".join(summary_table(runs, draws)),
        difference=difference(runs, draws),
        types="\n".join(type_table(runs[OURS])),
        languages="\n".join(language_table(runs[OURS], data)),
    )
    (out / "index.md").write_text(page, encoding="utf-8")


def environment(data: GoldenSet, seeds: list[int], seconds: list[float]) -> dict[str, Any]:
    """Environment: library versions and machine."""
    return {
        "golden_set": data.content_hash[:16],
        "train": len(data.split("train")),
        "calibration": len(data.split("calibration")),
        "evaluation": len(data.split("evaluation")),
        "seeds": seeds,
        "training_seconds": seconds,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


_PAGE = """# The classifier on texts that it has never seen

Written by `python -m benchmarks.golden`; do not edit. Machine: {machine}. Python {python}, {library_list}.

## Method
The golden set (`models_ml/golden`, hash {golden_set}) teaches with {train} texts, calibrates with {calibration} and
judges with {evaluation}, which no model has seen. The classifier is trained once for each seed ({seed_list}), in at
most {longest:.0f} s each. Served, deterministic rules go before it. The baselines of
`models_ml/evaluation/baselines.py` get the same texts, the same calibration and the same search for
thresholds. They have no randomness, so they are measured once.

Figures are means over seeds ± their standard deviation. Macro-F1, accuracy and calibration error (ten bins) are of the
likeliest type before abstaining. The interval is about the choice of texts, not of seeds: the middle 95 % of macro-F1
over {resamples:,} draws of the evaluation texts with replacement. The pictures show all seeds' answers together.

The evaluation texts were written by hand, by the authors of the training texts, and chosen to be hard. They rank
models; they do not foretell the accuracy on any shop's own feedback.

## All models

{summary}

{difference}

![Reliability](reliability.svg)

![Risk and coverage](risk_coverage.svg)

## As served, by issue type

{types}

## As served, by language
Other languages than these are detected and abstained as `unsupported_language`, unless a rule decides.

{languages}
"""

_STARTED = time.monotonic()


def say(message: str) -> None:
    """Progress."""
    print(f"[{time.monotonic() - _STARTED:6.1f} s] {message}", flush=True)


def main() -> None:
    """Train, measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=5, help="how many seeds to train with; the first one is the served model's"
    )
    parser.add_argument("--models", type=Path, default=ROOT / ".feedback-control" / "models")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "golden")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    first, data = TrainingConfig().seed, load_golden()
    runs, seconds = measure(data, options.models, range(first, first + options.seeds))
    write(options.out, data, runs, seconds)
    print(f"wrote {options.out / 'index.md'}")


if __name__ == "__main__":
    main()
