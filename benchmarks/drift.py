"""Benchmark of the drift tests: false-alarm rate without drift, and power against three planted drifts.

Writes power.md and power.svg under reports/drift/. The pool of texts is 5,000 real App Store reviews if $YOUTUBE_IOS
names their folder, else the golden set. Vectors are computed once and kept under .feedback-control, or in the folder
given by --cache.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

# One thread for each of the worker processes; set before numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
SIZES = (50, 150, 500, 1_500, 5_000)
STRENGTHS = (0.02, 0.05, 0.1, 0.2, 0.4)
RESAMPLES = 400
REPEATS = 40

DRIFTS = {
    "vocabulary": "new vocabulary: a sentence about a feature that did not exist before is added to x % of the texts",
    "class_mix": "class mix: x % of the texts are replaced by ones that are read as app_crash",
    "ticket_style": "channel style: x % of the texts become support tickets, with greeting, number and sign-off",
}

FEATURES = (
    "The new story carousel keeps covering my playlist.",
    "since story carousel came i cannot swipe back to my clips",
    "Why do I get the carousel of stories at the top, who asked for that?",
    "the clip remix button shares a story by mistake",
    "Remix stories and the carousel are all I see now.",
    "love the clip remix but the carousel of it hides my subscriptions",
)
GREETINGS = ("Hello,", "Dear support team,", "Hi there,", "Good morning,", "To whom it may concern,")
SIGN_OFFS = ("Kind regards, Sam", "Thanks in advance, Alex", "Best wishes, Robin", "Please advise. Regards, Kim")


@dataclass(frozen=True)
class Task:
    """One resample: planted drift (none if the name is empty), its strength, and the number of rows."""

    drift: str
    strength: float
    size: int
    seed: int


@dataclass(frozen=True)
class Pool:
    """A corpus of the pool's texts as they are, with the feature's sentence, and as tickets: ``size`` rows of each."""

    corpus: Any
    size: int
    name: str
    version: str


_POOL: list[Pool] = []


def texts() -> tuple[str, list[str]]:
    """The pool's name and texts."""
    from models_ml.golden.golden_set import load_golden
    from models_ml.text.preprocess import join

    folder = os.environ.get("YOUTUBE_IOS")
    if not folder:
        golden = load_golden().texts
        return f"the golden set's {len(golden):,} texts", [text.text for text in golden]
    with (Path(folder) / "reviews.csv").open(encoding="utf-8", newline="") as rows:
        reviews = [join(row["title"].replace("None", ""), row["review"]) for row in csv.DictReader(rows)]
    return f"{len(reviews):,} App Store reviews of one real app, 2016-17", reviews


def with_feature(text: str, random: Random) -> str:
    """The text and a sentence about something new, in either order."""
    sentence = random.choice(FEATURES)
    return f"{text} {sentence}" if random.random() < 0.7 else f"{sentence} {text}"


def as_ticket(text: str, random: Random) -> str:
    """The same complaint, the way people write to a help desk."""
    number = random.randrange(10_000, 99_999)
    return f"{random.choice(GREETINGS)} my case number is {number}. {text} {random.choice(SIGN_OFFS)}"


def pool(cache: Path) -> Pool:
    """Read, vary, embed (or take from the cache) and measure."""
    import numpy as np

    from models_ml.drift import Corpus, Predictions
    from models_ml.model.encoder import embed
    from models_ml.taxonomy import ISSUE_TYPES
    from models_ml.text.preprocess import clean
    from models_ml.training.train import load_or_train

    name, plain = texts()
    random = Random(7)
    everything = plain + [with_feature(text, random) for text in plain] + [as_ticket(text, random) for text in plain]
    model = load_or_train(ROOT / ".feedback-control" / "models", progress=print)
    key = hashlib.sha256("\x1e".join([model.version, *everything]).encode("utf-8", "replace")).hexdigest()[:16]
    path = cache / f"drift-{key}.npy"
    if not path.exists():
        print(f"embedding {len(everything):,} texts", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, embed(model.encoder, everything))
    vectors = np.load(path)
    probabilities = model.probabilities_from([clean(text) for text in everything], vectors)
    types = np.array(ISSUE_TYPES)[probabilities.argmax(axis=1)]
    confidences = probabilities.max(axis=1)
    abstained = confidences < np.array([model.thresholds[name] for name in types])
    known = frozenset(model.encoder.tokenizer.get_vocab())
    corpus = Corpus.measure(everything, Predictions(types, confidences, abstained), vectors, known_words=known)
    return Pool(corpus, len(plain), name, model.version)


def judge(task: Task) -> tuple[Task, tuple[str, ...]]:
    """Draw two windows from the pool with replacement, plant the drift in the second; returns the kinds that fired."""
    import numpy as np

    from models_ml.drift import compare

    (here,) = _POOL
    rng = np.random.default_rng([task.seed, task.size])
    reference, current = rng.integers(here.size, size=task.size), rng.integers(here.size, size=task.size)
    planted = rng.random(task.size) < task.strength
    if task.drift == "class_mix":
        crashes = np.flatnonzero(here.corpus.predictions.types[: here.size] == "app_crash")
        current[planted] = rng.choice(crashes, int(planted.sum()))
    elif task.drift:
        current[planted] += here.size * (1 if task.drift == "vocabulary" else 2)
    result = compare(here.corpus, reference, current, seed=task.seed)
    return task, tuple(finding.kind for finding in result.findings if finding.drifted)


def run(tasks: list[Task]) -> list[tuple[Task, tuple[str, ...]]]:
    """All tasks on all cores, with progress."""
    results, started = [], time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as workers:
        for result in workers.map(judge, tasks, chunksize=10):
            results.append(result)
            if len(results) % 500 == 0:
                print(f"{len(results):,} of {len(tasks):,} resamples, {time.monotonic() - started:.0f} s", flush=True)
    return results


def tasks() -> list[Task]:
    """The largest windows first, so that no core waits at the end."""
    quiet = [Task("", 0.0, size, 20_000 + seed) for size in SIZES for seed in range(RESAMPLES)]
    planted = [
        Task(drift, strength, size, 7_000_000 + 1_000 * place + seed)
        for place, (drift, strength) in enumerate((drift, strength) for drift in DRIFTS for strength in STRENGTHS)
        for size in SIZES
        for seed in range(REPEATS)
    ]
    return sorted(quiet + planted, key=lambda task: -task.size)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    return middle - half, middle + half


def real_windows(rows: int = 500) -> list[tuple[str, ...]]:
    """The kinds that fired between each two successive windows of the pool in its own order, nothing planted."""
    import numpy as np

    from models_ml.drift import compare

    (here,) = _POOL
    starts = range(0, here.size - 2 * rows + 1, rows)
    results = [compare(here.corpus, np.arange(at, at + rows), np.arange(at + rows, at + 2 * rows)) for at in starts]
    return [tuple(finding.kind for finding in result.findings if finding.drifted) for result in results]


def write_page(path: Path, results: list[tuple[Task, tuple[str, ...]]], seconds: float) -> None:
    """The method and every figure, as Markdown."""
    from models_ml.drift import TESTS
    from models_ml.drift.compare import PERMUTATIONS

    (here,) = _POOL
    minima = "\n".join(f"| {kind} | {test.minimum:.2f} | {test.unit} |" for kind, test in TESTS.items())
    real = real_windows()
    header = _HEADER.format(
        pool=here.name,
        version=here.version,
        resamples=RESAMPLES,
        repeats=REPEATS,
        tasks=len(results),
        seconds=seconds,
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        minima=minima,
        tests=len(TESTS),
        permutations=PERMUTATIONS,
    )
    lines = [header, *false_alarm_table(results)]
    for drift, description in DRIFTS.items():
        lines += ["", f"## Power: {description}", "", *power_table(drift, results)]
    flagged = Counter(kind for kinds in real for kind in kinds)
    lines += [
        "",
        "## For scale: the pool in its own order",
        "",
        f"Nothing is planted here and nothing is known to be alike: of {len(real)} comparisons of 500 texts with the"
        f" 500 before them, {sum(map(bool, real))} say drift"
        + (f" ({', '.join(f'{kind} {count}' for kind, count in flagged.most_common())})." if flagged else "."),
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def false_alarm_table(results: list[tuple[Task, tuple[str, ...]]]) -> list[str]:
    """False-alarm rate by window size."""
    lines = ["| texts in each window | false alarms | rate | 95 % interval | by test |"]
    lines.append("| ---: | ---: | ---: | --- | --- |")
    for size in SIZES:
        fired = [kinds for task, kinds in results if not task.drift and task.size == size]
        hits = sum(map(bool, fired))
        low, high = wilson(hits, len(fired))
        kinds = Counter(kind for one in fired for kind in one)
        by_test = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "–"
        lines.append(
            f"| {size:,} | {hits} of {len(fired)} | {hits / len(fired):.1%} | {low:.1%} to {high:.1%} | {by_test} |"
        )
    return lines


def power_table(drift: str, results: list[tuple[Task, tuple[str, ...]]]) -> list[str]:
    """Power by strength and window size, and the two tests that fired most."""
    lines = ["| texts changed | " + " | ".join(f"n = {size:,}" for size in SIZES) + " | fired most |"]
    lines.append("| ---: |" + " ---: |" * len(SIZES) + " --- |")
    for strength in STRENGTHS:
        chosen = [(task, kinds) for task, kinds in results if task.drift == drift and task.strength == strength]
        most = Counter(kind for _, kinds in chosen for kind in kinds).most_common(2)
        rates = " | ".join(f"{rate(chosen, size):.0%}" for size in SIZES)
        lines.append(f"| {strength:.0%} | {rates} | {', '.join(kind for kind, _ in most) or '–'} |")
    return lines


def rate(results: Iterable[tuple[Task, tuple[str, ...]]], size: int) -> float:
    """Share of the resamples of this size in which any test fired."""
    fired = [bool(kinds) for task, kinds in results if task.size == size]
    return sum(fired) / len(fired)


def write_figure(path: Path, results: list[tuple[Task, tuple[str, ...]]]) -> None:
    """Power curves by window size, one panel for each drift, after a panel of the false alarms."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "feedback-control", "svg.fonttype": "none", "font.size": 9}):
        figure, panels = plt.subplots(1, 1 + len(DRIFTS), figsize=(13, 3.2), layout="constrained")
        quiet = [[bool(kinds) for task, kinds in results if not task.drift and task.size == size] for size in SIZES]
        rates = [sum(one) / len(one) for one in quiet]
        bounds = [wilson(sum(one), len(one)) for one in quiet]
        spread = [
            [max(0.0, share - low) for share, (low, _) in zip(rates, bounds, strict=True)],
            [high - share for share, (_, high) in zip(rates, bounds, strict=True)],
        ]
        panels[0].errorbar(SIZES, rates, yerr=spread, fmt="o", color="#33506b", capsize=3)
        panels[0].axhline(0.05, color="#b3261e", linestyle=":")
        panels[0].set(xscale="log", ylim=(0, 0.12), title="false alarms (promised: at most 5 %)", xlabel="texts")
        for panel, drift in zip(panels[1:], DRIFTS, strict=True):
            for place, size in enumerate(SIZES):
                powers = [
                    rate([one for one in results if one[0].drift == drift and one[0].strength == strength], size)
                    for strength in STRENGTHS
                ]
                panel.plot(STRENGTHS, powers, marker="o", color=str(0.75 - 0.17 * place), label=f"n = {size:,}")
            panel.set(title=f"power: {drift.replace('_', ' ')}", xlabel="share of texts changed", ylim=(-0.03, 1.03))
        panels[-1].legend(frameon=False, fontsize=8)
        for panel in panels:
            panel.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)


_HEADER = """# How well the drift tests tell drift from chance

Written by `python -m benchmarks.drift`; do not edit. {machine}, {tasks:,} comparisons in {seconds:.0f} s.

## Method
The pool is {pool}, read by classifier {version}.
Two windows of n texts are drawn from it with replacement. Undisturbed, they come from one source, and whatever the
tests say is a false alarm ({resamples} pairs for each n). Then a drift is planted in the second window, at five
strengths ({repeats} pairs for each n and strength). A comparison says drift if any of the {tests} tests does: its
effect is at least the practical minimum below, and it is beyond the null distribution of {permutations} permutations
at 5 % after Holm's correction over all tests. A comparison takes in up to 5,000 texts of a window, and up to 1,000
vectors. The tests and their minima were settled on earlier draws from the same pool; the draws here are other ones.

| test | practical minimum | unit |
| --- | ---: | --- |
{minima}

Texts drawn like this are independent; those that customers write come in bursts, answer each other and repeat. The
false-alarm rate holds for the drawing; the last section shows what real windows look like. Both windows have the pool's
mixture of languages, so the language test has nothing to find here.

![False alarms and power](power.svg)

## False alarms
"""


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / ".feedback-control" / "benchmarks")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "drift")
    options = parser.parse_args()
    _POOL.append(pool(options.cache))
    started = time.monotonic()
    results = run(tasks())
    options.out.mkdir(parents=True, exist_ok=True)
    write_page(options.out / "power.md", results, time.monotonic() - started)
    write_figure(options.out / "power.svg", results)
    print(f"wrote {options.out / 'power.md'}")


if __name__ == "__main__":
    main()
