"""Few-shot benchmark: train on k texts per category of any labelled CSV, test on another file.

    python -m models_ml.evaluation.fewshot --train train.csv --test test.csv

Both files have the columns ``text`` and ``category``, as public data sets of customer requests do (BANKING77 among
them). For each number of shots and each seed, k texts of every category are drawn from the training file. Encoder, head
and n-gram model are trained on them as ``models_ml.training.train`` does, and tested on the whole test file. Progress
goes to stderr.
Exit codes: 0 fine, 1 a file cannot be used, 2 bad usage.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np

from models_ml.model.char_ngrams import Target, fit_char_ngrams
from models_ml.model.encoder import embed
from models_ml.model.linear_head import fit_head
from models_ml.text.preprocess import clean
from models_ml.training.train import TrainingConfig, fine_tune

Progress = Callable[[str], None]


class LabelledFileError(ValueError):
    """A file of labelled texts cannot be used; the message names the file, and the row or category."""


@dataclass(frozen=True)
class Labelled:
    """A text and its category."""

    text: str
    category: str


@dataclass(frozen=True)
class Score:
    """Result of one training: seed, accuracy, and macro-F1 over the categories of the test file."""

    seed: int
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Spread:
    """Summary of a figure over seeds; ``deviation`` is the sample standard deviation, None for one seed."""

    mean: float
    deviation: float | None
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise one value or more."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), deviation, min(values), max(values))

    def __str__(self) -> str:
        aside = f" ± {self.deviation:.3f} ({self.least:.3f} to {self.most:.3f})" if self.deviation is not None else ""
        return f"{self.mean:.3f}{aside}"


@dataclass(frozen=True)
class Result:
    """Results of all seeds with one number of shots."""

    shots: int
    texts: int
    accuracy: Spread
    macro_f1: Spread
    scores: tuple[Score, ...]


def read_labelled(path: Path) -> list[Labelled]:
    """Read a CSV file with the columns ``text`` and ``category``; other columns are ignored.

    Raises:
        LabelledFileError: the file is not UTF-8 or not CSV, a column is missing, or a row lacks text or category
            or has more fields than there are columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source, strict=True)
            missing = [name for name in ("text", "category") if name not in (reader.fieldnames or ())]
            if missing:
                raise LabelledFileError(
                    f"{path}: no column {' and no column '.join(missing)}; the first row must name the columns,"
                    f" and names {', '.join(reader.fieldnames or ()) or 'none'}"
                )
            rows = [_checked(row, f"{path}, row {number}") for number, row in enumerate(reader, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelledFileError(f"{path} cannot be read as CSV in UTF-8: {error}") from error
    if not rows:
        raise LabelledFileError(f"{path} holds no texts")
    return rows


def _checked(row: dict[Any, Any], where: str) -> Labelled:
    if None in row:
        raise LabelledFileError(f"{where}: more fields than columns; a text with a comma in it needs quotes")
    text, category = (clean(row[name] or "") for name in ("text", "category"))
    for name, value in (("text", text), ("category", category)):
        if not value:
            raise LabelledFileError(f"{where}: {name} is empty")
    return Labelled(text, category)


def check(train: Path, test: Path, shots: Sequence[int]) -> tuple[list[Labelled], list[Labelled]]:
    """Read both files and validate them: enough texts for every number of shots, no unknown test category.

    Raises:
        LabelledFileError: a file cannot be read, the training file has one category only or too few texts of one, or
            the test file has a category that the training file lacks.
    """
    known, unseen = read_labelled(train), read_labelled(test)
    counts = Counter(row.category for row in known)
    if len(counts) < 2:
        raise LabelledFileError(f"{train}: every text is of category {known[0].category!r}; two are needed")
    name, fewest = min(counts.items(), key=lambda item: (item[1], item[0]))
    if fewest < max(shots):
        raise LabelledFileError(f"{train}: category {name!r} has {fewest} texts, too few for {max(shots)} shots")
    for number, row in enumerate(unseen, start=2):
        if row.category not in counts:
            raise LabelledFileError(f"{test}, row {number}: category {row.category!r} does not stand in {train}")
    return known, unseen


def draw(rows: Sequence[Labelled], shots: int, seed: int) -> list[Labelled]:
    """Sample ``shots`` texts of every category without replacement; deterministic for rows and seed."""
    by_category: dict[str, list[Labelled]] = defaultdict(list)
    for row in rows:
        by_category[row.category].append(row)
    random = Random(seed)
    return [row for name in sorted(by_category) for row in random.sample(by_category[name], shots)]


def train_and_judge(
    train: Sequence[Labelled], test: Sequence[Labelled], config: TrainingConfig, progress: Progress = lambda _: None
) -> Score:
    """Train encoder, head and n-gram model on ``train``, test on ``test``; ``train`` must have all its categories."""
    from sklearn.metrics import accuracy_score, f1_score

    categories = sorted({row.category for row in train})
    classes = [categories.index(row.category) for row in train]
    encoder = fine_tune([row.text for row in train], classes, config, progress)
    known, unseen = ([clean(row.text) for row in rows] for rows in (train, test))
    head = fit_head(embed(encoder, known), classes, config.inverse_regularisation)
    ngrams = fit_char_ngrams(known, [Target(classes, config.letters_weight)], config.inverse_regularisation)
    progress(f"judging on {len(test):,} texts")
    best = (head.logits(embed(encoder, unseen)) + ngrams.logits(unseen)).argmax(axis=1)
    truth, predicted = [row.category for row in test], [categories[index] for index in best]
    macro_f1 = f1_score(truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0)
    return Score(config.seed, float(accuracy_score(truth, predicted)), float(macro_f1))


def measure(
    train: Sequence[Labelled],
    test: Sequence[Labelled],
    shots: Sequence[int],
    seeds: int,
    config: TrainingConfig,
    progress: Progress = lambda _: None,
) -> list[Result]:
    """Train and test for each number of shots, with seeds 0 to ``seeds`` - 1; one result per number of shots."""
    results = []
    for place, count in enumerate(shots):
        scores = []
        for seed in range(seeds):
            run = f"training {place * seeds + seed + 1} of {len(shots) * seeds}, {count} shots, seed {seed}"
            report = _prefixed(progress, run)
            drawn = draw(train, count, seed)
            scores.append(train_and_judge(drawn, test, replace(config, seed=seed), report))
            report(f"accuracy {scores[-1].accuracy:.3f}, macro-F1 {scores[-1].macro_f1:.3f}")
        accuracy, macro_f1 = (Spread.of([getattr(one, name) for one in scores]) for name in ("accuracy", "macro_f1"))
        results.append(Result(count, len(drawn), accuracy, macro_f1, tuple(scores)))
    return results


def _prefixed(progress: Progress, run: str) -> Progress:
    return lambda message: progress(f"{run}: {message}")


def as_table(results: Sequence[Result]) -> str:
    """Text table, one line per number of shots: mean ± deviation (least to most) over seeds."""
    lines = [f"{'shots':>5}  {'texts':>6}  {'accuracy':<30}  macro-F1"]
    lines += [f"{one.shots:>5}  {one.texts:>6,}  {one.accuracy!s:<30}  {one.macro_f1}" for one in results]
    return "\n".join(lines)


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as 5,10,20") from None
    if min(numbers) < 2:
        raise click.BadParameter("at least 2 shots are needed: the encoder learns from pairs of one category")
    return numbers


_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--train", type=_FILE, required=True, help="CSV with the columns text and category to draw shots from.")
@click.option("--test", type=_FILE, required=True, help="CSV with the same columns to test on.")
@click.option("--shots", default="5,10,20", show_default=True, callback=_numbers, help="Texts of each category.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Draws and trainings for each.")
@click.option(
    "--epochs", default=TrainingConfig().epochs, show_default=True, type=click.IntRange(min=1), help="Passes over them."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def main(train: Path, test: Path, shots: tuple[int, ...], seeds: int, epochs: int, as_json: bool) -> None:
    """Train on k texts of each category, test on a whole file, and print accuracy and macro-F1 over seeds."""
    try:
        known, unseen = check(train, test, shots)
    except LabelledFileError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    config = TrainingConfig(epochs=epochs)
    results = measure(known, unseen, shots, seeds, config, lambda message: click.echo(message, err=True))
    categories = len({row.category for row in known})
    if as_json:
        content = {"categories": categories, "test_texts": len(unseen), "epochs": epochs}
        click.echo(json.dumps({**content, "results": [asdict(one) for one in results]}, indent=1))
        return
    click.echo(f"{categories} categories, {len(unseen):,} test texts, {seeds} seed{'s' if seeds > 1 else ''}")
    click.echo(as_table(results))


if __name__ == "__main__":
    main()
