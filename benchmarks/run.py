"""Measure one turn of the loop on the simulated shop, stage by stage, and write reports/benchmarks.md.

Each stage runs in a process of its own, so that its peak memory is its own. Rerun with `make bench`.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.throughput import compare, table

ROOT = Path(__file__).resolve().parents[1]
UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


def stage(name: str, folder: Path) -> dict[str, float]:
    """Run one stage in this process and return what it measured."""
    from dagster_project.decisioning.warehouse import build, decide, run_dbt
    from dagster_project.enrichment.labeling import label_new
    from dagster_project.home import Home
    from dagster_project.ingestion.landing import land
    from dagster_project.ingestion.sources import load_sources
    from dagster_project.measurement.rehearsals.shop import write_shop
    from models_ml.train import load_or_train

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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return {"rows": rows, "seconds": seconds, "peak_mib": peak}


STAGES = {
    "train": "Load the classifier (train it if its hash is new)",
    "simulate": "Write the simulated shop's exports",
    "land": "Land them in the lake, all eight tables",
    "label": "Label the feedback (model already loaded)",
    "decide": "Decide and publish, in a fresh process",
    "build": "`dbt build` again, dbt already imported and parsed",
}


def main() -> None:
    """Run every stage in turn and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {}
        for name in STAGES:
            print(f"{name} …", end=" ", flush=True)
            command = [sys.executable, "-m", "benchmarks.run", name, folder]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
            measured[name] = json.loads(output.splitlines()[-1])
            print(f"{measured[name]['seconds']:.1f} s")
    lines = ["| stage | rows | seconds | rows a second | peak memory |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, title in STAGES.items():
        figures = measured[name]
        rows = f"{figures['rows']:,.0f}" if figures["rows"] else "–"
        rate = f"{figures['rows'] / figures['seconds']:,.0f}" if figures["rows"] else "–"
        lines.append(f"| {title} | {rows} | {figures['seconds']:.1f} | {rate} | {figures['peak_mib']:,.0f} MiB |")
    print("throughput, next to plain SetFit …")
    compared = table(compare())
    page = ROOT / "reports" / "benchmarks.md"
    page.parent.mkdir(exist_ok=True)
    header = _HEADER.format(machine=_machine(), when=f"{datetime.now(UTC):%Y-%m-%d}")
    page.write_text("\n".join([header, *lines, _THROUGHPUT, *compared, ""]), encoding="utf-8")
    print(f"wrote {page.relative_to(ROOT)}")


_HEADER = """# Benchmarks

Written by `make bench` on {when}; do not edit. Machine: {machine}.

Method: the simulated shop of 56 days (`feedback-control demo`), one run, each stage in a process of its own; seconds
exclude imports unless the row says otherwise; peak memory is the process's maximum resident set, imports included.
"""

_THROUGHPUT = """
## Classifying, next to plain SetFit

`benchmarks/throughput.py`: `SetFitModel.predict` on PyTorch, as its users run it, against the classifier as it labels,
with the same fine-tuned encoder and head. English golden texts as written, and several of one type strung together up
to a length in tokens. No text occurs twice, so no cache helps. Each side reads in a process of its own, in turns; the
fastest of three rounds counts. Ours also finds key phrases, neighbours and sentiment. The last bits of bfloat16 are why
the answers can differ where two types are equally likely.
"""


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(stage(sys.argv[1], Path(sys.argv[2]))))
    else:
        main()
