"""Measure, section by section, and write reports/benchmarks.md; `make bench` measures all of it.

    python -m benchmarks.run --only push ledger     # these anew; the other sections stay as they were

Whatever is measured runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measuring import ROOT, peak_mib, told_by

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


def stage(name: str, folder: Path) -> dict[str, float]:
    """Run one stage in this process and return its measurements."""
    from dagster_project.decisioning.dbt_build import build, run_dbt
    from dagster_project.decisioning.decide import decide
    from dagster_project.enrichment.labeling import label_new
    from dagster_project.home import Home
    from dagster_project.ingestion.landing import land
    from dagster_project.ingestion.sources import load_sources
    from dagster_project.simulation.shop.shop import write_shop
    from models_ml.training.train import load_or_train

    home = Home(folder)
    rows = 0.0
    if name == "train":
        trained = Home(ROOT / ".feedback-control").models
        started = time.monotonic()
        load_or_train(trained)
        home.root.mkdir(parents=True, exist_ok=True)
        (home.root / "models").symlink_to(trained)
    elif name == "simulate":
        started = time.monotonic()
        write_shop(folder / "demo", until=UNTIL)
    elif name == "land":
        sources = load_sources(folder / "demo" / "sources.yml")
        started = time.monotonic()
        report = land(home, sources, now=UNTIL)
        rows = float(sum(line.landed for line in report.lines))
    elif name == "label":
        load_or_train(home.models)  # loading the model is not labelling
        started = time.monotonic()
        rows = float(label_new(home).labeled)
    elif name == "decide":
        started = time.monotonic()
        decide(home, as_of=UNTIL)
    else:
        run_dbt(home, ["parse"])  # importing and parsing are not building
        started = time.monotonic()
        (home.root / "built.json").unlink()  # everything, not only what changed: nothing did
        build(home, as_of=UNTIL)
    seconds = time.monotonic() - started
    return {"rows": rows, "seconds": seconds, "peak_mib": peak_mib()}


STAGES = {
    "train": "Load the classifier (train it if its hash is new)",
    "simulate": "Write the simulated shop's exports",
    "land": "Land them in the lake, all eight tables",
    "label": "Label the feedback (model already loaded)",
    "decide": "Decide and publish, in a fresh process",
    "build": "`dbt build` again, dbt already imported and parsed",
}


def shop_section() -> list[str]:
    """Run every stage in turn."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {}
        for name in STAGES:
            print(f"{name} …", end=" ", flush=True)
            measured[name] = told_by("benchmarks.run", "stage", name, folder)
            print(f"{measured[name]['seconds']:.1f} s")
    lines = ["| stage | rows | seconds | rows a second | peak memory |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, title in STAGES.items():
        figures = measured[name]
        rows = f"{figures['rows']:,.0f}" if figures["rows"] else "–"
        rate = f"{figures['rows'] / figures['seconds']:,.0f}" if figures["rows"] else "–"
        lines.append(f"| {title} | {rows} | {figures['seconds']:.1f} | {rate} | {figures['peak_mib']:,.0f} MiB |")
    return lines


@dataclass(frozen=True)
class Section:
    """One section of the page: heading, method, and the function that measures it."""

    title: str
    method: str
    measure: Callable[[], list[str]]


def sections() -> dict[str, Section]:
    """Every section by its name, in the order of the page."""
    from benchmarks import labelling, ledger, push_rivals, throughput

    return {
        "shop": Section("The simulated shop, stage by stage", _SHOP, shop_section),
        "throughput": Section(
            "Classifying, next to plain SetFit", _THROUGHPUT, lambda: throughput.table(throughput.compare())
        ),
        "labelling": Section("Labelling, by number of rows", _LABELLING, lambda: labelling.table(labelling.measure())),
        "push": Section(
            "Opening 10,000 tickets, next to drt-core", _PUSH, lambda: push_rivals.table(push_rivals.compare())
        ),
        "ledger": Section("A push after a long history", _LEDGER, lambda: ledger.table(ledger.compare())),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure all sections, or those named after --only, and write the page; the others stay as they were."""
    every = sections()
    chosen = set(arguments[1:]) if arguments else set(every)
    if arguments and (arguments[0] != "--only" or not chosen or not chosen <= set(every)):
        raise SystemExit(f"usage: python -m benchmarks.run [--only {' '.join(every)}]")
    page = ROOT / "reports" / "benchmarks.md"
    bodies = bodies_of(page.read_text(encoding="utf-8")) if page.exists() else {}
    for section in (section for name, section in every.items() if name in chosen):
        print(f"{section.title} …")
        stamp = f"Measured on {datetime.now(UTC):%Y-%m-%d}; {_machine()}."
        bodies[section.title] = "\n".join([stamp, "", section.method.strip(), "", *section.measure()])
        # After each, so that what was measured is kept when a later one fails.
        parts = [f"## {one.title}\n\n{bodies[one.title]}\n" for one in every.values() if one.title in bodies]
        page.write_text("\n".join([_HEADER, *parts]), encoding="utf-8")
    print(f"wrote {page.relative_to(ROOT)}")


def bodies_of(page: str) -> dict[str, str]:
    """Sections of the page, by heading."""
    _, *parts = f"\n{page}".split("\n## ")
    return {title: body.strip() for title, _, body in (part.partition("\n") for part in parts)}


_HEADER = """# Benchmarks

Written by `make bench` (all of it) and `python -m benchmarks.run --only NAME` (a section); do not edit.
"""

_SHOP = """
The simulated shop of 56 days (`feedback-control demo`), one run, each stage in a process of its own; seconds exclude
imports unless the row says otherwise; peak memory is the process's maximum resident set, imports included.
"""

_THROUGHPUT = """
`benchmarks/throughput.py`: `SetFitModel.predict` on PyTorch, as its users run it, against the classifier as it labels,
with the same fine-tuned encoder and head. English golden texts as written, and several of one type strung together up
to a length in tokens. No text occurs twice, so no cache helps. Each side reads in a process of its own, in turns; the
fastest of three rounds counts. Ours also finds key phrases, neighbours and sentiment. The last bits of bfloat16 are why
the answers can differ where two types are equally likely.
"""

_LABELLING = """
`benchmarks/labelling.py`: so many pieces of feedback, no two alike (pairs of golden texts), labelled in whole:
language, rules, classifier with reasons, sentiment, entities, spam, copies, masking. Each number in a process of its
own. It works in chunks of 2,000, so beyond one chunk memory should not grow; up to 100,000 signatures are kept to find
copies.
"""

_PUSH = """
`benchmarks/push_rivals.py`: both tools write the same bodies, one request each, to the same tracker on loopback
(`benchmarks/tracker.py`, a process of its own), as their users do: `feedback-control push` and `drt run` (drt-core
1.2.1, in an environment of its own). Where answers are lost, one write in a hundred is kept by the tracker and its
connection then reset. A tool is run until it reports that nothing failed or is unsettled (`drt retry` for what failed),
a second apart; seconds are those of all these runs and the pauses between them, each a whole process with its imports.
Peak memory is the largest of them. Then each is run once more. One measurement each.

The first target opens a record for every request and finds records by a key, as trackers do: ours is `servicenow`
there. The second takes an id once: ours is `webhook` and sends its events there, theirs the same bodies as before, with
the key in `native_idempotency_key`.

What is set: ours makes no pause between writes (the default is one a second), looks for a lost write after a second
(the default is a minute), renders a short text by `template`, and each issue has an owner of its own, because an owner
gets at most 12 new tickets an hour. Theirs makes no pause either (the default is 10 requests a second), keeps its
defaults for retries (3 attempts, after 1 and 2 seconds), is incremental, and has `on_error: skip` with its dead letter
queue, as its guide pairs them. Theirs finds the bodies ready in its table.

What ours does and theirs does not: render each ticket; check every row of the queue against its contract; make each
intent durable before it is sent and each outcome after it (two synced transactions a ticket, chained in the audit log);
look up what is unknown instead of sending it again; look for twins, of a thousand tickets a run; write what it did to
the lake. What theirs does and ours does not: send again at once, within the run, which costs it a second each.
"""

_LEDGER = """
`benchmarks/ledger.py`: a ledger on SQLite with so many intents of tickets opened, updated and resolved over two years
(one in 200 an umbrella over 20 issues), the lake that belongs to them, and a queue of which 20 issues are open. Then
five pushes of the unchanged queue in a fresh process, and five with one new ticket each; the median counts, and imports
do not. The destination takes everything at once, so this is our own work only. Peak memory is that of the process with
the unchanged queue, imports included. With a new ticket the snapshot of all tickets is written anew, and so grows.
"""


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "stage":
        print(json.dumps(stage(sys.argv[2], Path(sys.argv[3]))))
    else:
        main(sys.argv[1:])
