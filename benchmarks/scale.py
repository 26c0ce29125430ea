"""What a build costs at scale: everything at once, and one tick more, with a history and with a tenth of it.

    python -m benchmarks.scale                 # writes reports/scale.md: about 5 minutes, 2 GB of disk
    python -m benchmarks.scale --days 60 --feedback 50000 --out FOLDER

The feedback is drawn, labels included, so that only the decisions are measured; each build runs in a process of its
own.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.measuring import ROOT, peak_mib, told_by
from dagster_project import lake
from dagster_project.decisioning.playbook import issue_types
from dagster_project.home import Home
from dagster_project.lake_tables import INSTANT, schema_of

START = datetime(2015, 1, 1, tzinfo=UTC)
PLATFORMS, COUNTRIES, STEPS, SERVICES = (
    ("android", "ios", "web"),
    ("DE", "FR", "GB", "PL"),
    ("visit", "checkout", "payment"),
    ("checkout", "app-client"),
)
Names = NDArray[np.str_]
INCIDENT_DAYS = 20
"""Each product has a bad release this often; it lasts two days."""


@dataclass(frozen=True)
class Shape:
    """How much there is: products, days of history, pieces of feedback in all of them."""

    products: int
    days: int
    feedback: int


def land(home: Home, shape: Shape, first_day: int, days: int) -> None:
    """Land some days, one file per table and day."""
    for number in range(first_day, first_day + days):
        for table, rows in drawn(shape, number):
            schema = schema_of(table)
            folder = home.lake / table / f"ingest_date={START + timedelta(days=number):%Y-%m-%d}"
            folder.mkdir(parents=True, exist_ok=True)
            columns = [
                (pl.col(name).cast(kind) if name in rows.columns else pl.lit(None, dtype=kind)).alias(name)
                for name, kind in schema.items()
            ]
            rows.select(columns).write_parquet(folder / "day.parquet", compression="zstd")


def drawn(shape: Shape, number: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """One day's rows by table."""
    rng = np.random.default_rng((17, number))
    midnight = START + timedelta(days=number)
    products = np.array([f"product-{one:03d}" for one in range(shape.products)])
    since_release = (np.arange(shape.products) + number) % INCIDENT_DAYS
    broken = products[since_release < 2]
    usual = int(rng.poisson(shape.feedback / shape.days * 0.95))
    said = _said(rng, number, products, broken, usual, int(rng.poisson(shape.feedback / shape.days * 0.05)))
    yield "feedback", said
    label = said.with_columns(
        labeled_at="known_at", text_hash="feedback_id", masked_text="feedback_id", confidence=pl.lit(0.9),
        label_version=pl.lit("drawn"), model_version=pl.lit("drawn"), decided_by=pl.lit("classifier"),
    )  # fmt: skip
    yield "labels", label
    yield from _telemetry(rng, midnight, products, broken)
    instants = said["known_at"][:usual]
    bought = pl.DataFrame(
        {
            "order_id": [f"o{number}-{place}" for place in range(usual)],
            "product": rng.choice(products, usual),
            "amount": rng.uniform(10, 90, usual),
            "ordered_at": instants,
            "known_at": instants,
        }
    )
    yield "orders", bought.with_columns(currency=pl.lit("EUR"), status=pl.lit("paid"), customer_id=pl.lit("c1"))
    released = products[since_release == 0]
    if len(released):
        bad = pl.DataFrame({"product": released}).with_columns(
            version=pl.lit(_version(number)), environment=pl.lit("production"), deployed_at=midnight, known_at=midnight
        )
        yield "releases", bad.with_columns(release_id=pl.col("product") + "@" + pl.col("version"))


def _said(
    rng: np.random.Generator, number: int, products: Names, broken: Names, usual: int, extra: int
) -> pl.DataFrame:
    """A day's feedback: so much of what is always said, and so much about what is broken."""
    count = usual + extra
    product = np.concatenate([rng.choice(products, usual), rng.choice(broken, extra)])
    types = np.concatenate([rng.choice(issue_types(), usual), np.full(extra, "checkout_failure")])
    seconds = (START + timedelta(days=number)).timestamp() + rng.uniform(0, 86_400, count)
    instants = pl.Series(seconds * 1e6).cast(pl.Int64).cast(INSTANT)
    ids = [f"f{number}-{place}" for place in range(count)]
    said = pl.DataFrame(
        {
            "feedback_id": ids,
            "text": ids,
            "content_hash": ids,
            "product": product,
            "known_at": instants,
            "occurred_at": instants,
            "platform": rng.choice(PLATFORMS, count),
            "country": rng.choice(COUNTRIES, count),
            "names_version": rng.random(count) < 0.7,
            "customer_id": [f"c{one}" for one in rng.integers(0, 200_000, count)],
            "issue_type": types,
        }
    )
    version = pl.when("names_version").then(pl.lit(_version(number))).alias("app_version")
    return said.with_columns(version, source=pl.lit("drawn"), channel=pl.lit("app_review"), schema_version=1)


def _telemetry(
    rng: np.random.Generator, midnight: datetime, products: Names, broken: Names
) -> Iterator[tuple[str, pl.DataFrame]]:
    """A day of the funnel and of the services, by the hour; what is broken fails ten times as often."""
    hours = pl.DataFrame({"bucket_start": [midnight + timedelta(hours=hour) for hour in range(24)]})
    grid = hours.join(pl.DataFrame({"product": products}), how="cross").join(
        pl.DataFrame({"platform": PLATFORMS}), how="cross"
    )
    grid = grid.with_columns(known_at=pl.col("bucket_start") + pl.duration(hours=1))
    funnel = grid.join(pl.DataFrame({"step": STEPS}), how="cross")
    funnel = funnel.with_columns(entered=pl.Series(rng.poisson(400, funnel.height)))
    yield "funnel_metrics", funnel.with_columns(completed=(pl.col("entered") * 0.7).cast(pl.Int64))
    served = grid.join(pl.DataFrame({"service": SERVICES}), how="cross")
    errors = np.where(np.isin(served["product"].to_numpy(), broken), 40, 4)
    requests = pl.Series(rng.poisson(2_000, served.height))
    yield "service_metrics", served.with_columns(requests=requests, errors=pl.Series(rng.poisson(errors)))


def _version(number: int) -> str:
    """That of every product on that day."""
    return f"{number // INCIDENT_DAYS}.0"


def build_once(home: Home, as_of: datetime) -> dict[str, float]:
    """One build in this process: seconds (dbt imported), peak memory, issues."""
    import dbt.cli.main  # noqa: F401  # importing is not building

    from dagster_project.decisioning.dbt_build import build
    from dagster_project.decisioning.incremental import plan
    from dagster_project.decisioning.published import publish, read_mart

    rebuilt = plan(home, as_of).rebuild_from
    started = time.perf_counter()
    build(home, as_of=as_of)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    publish(home)
    published = time.perf_counter() - started
    peak = peak_mib()
    rows = read_mart(home, "fct_issues", ["issue_id"]).height
    back = (as_of - rebuilt).total_seconds() / 86_400 if rebuilt else float("nan")
    return {"seconds": seconds, "publish": published, "mib": peak, "issues": rows, "days_rebuilt": back}


def measured(home: Home, as_of: datetime) -> dict[str, Any]:
    """The same in a process of its own."""
    found: dict[str, Any] = told_by("benchmarks.scale", "--one", str(home.root), "--as-of", as_of.isoformat())
    click.echo(f"as of {as_of:%Y-%m-%d %H:%M}: {found}", err=True)
    return found


def ticks(home: Home, shape: Shape, day: int) -> dict[str, Any]:
    """Land one more day, and build at three quarters of an hour of its noon; the last of the builds is the figure.

    (Of the first one the day's files are news; of the others only what became known since.)
    """
    land(home, shape, day, 1)
    noon = START + timedelta(days=day, hours=12)
    return [measured(home, noon + timedelta(minutes=minutes)) for minutes in (0, 15, 30)][-1]


def line(what: str, rows: int, found: dict[str, Any]) -> str:
    """One row of the table."""
    return (
        f"| {what} | {rows:,} | {found['seconds']:.1f} | {found['mib']:,.0f} MiB | {found['publish']:.1f} |"
        f" {found['issues']:,} |"
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--products", default=50, show_default=True)
@click.option("--days", default=400, show_default=True)
@click.option("--feedback", default=1_000_000, show_default=True, help="Pieces of feedback in those days.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", help="Where the page goes.")
@click.option("--one", type=click.Path(path_type=Path), hidden=True)
@click.option("--as-of", hidden=True)
def main(products: int, days: int, feedback: int, out: Path, one: Path | None, as_of: str) -> None:
    """Measure a build of everything and one tick more, over a tenth of a history and over all of it."""
    if one:
        click.echo(json.dumps(build_once(Home(one), datetime.fromisoformat(as_of))))
        return
    lines = []
    for shape in (Shape(products, days // 10, feedback // 10), Shape(products, days, feedback)):
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            lake.ensure_tables(home)
            land(home, shape, 0, shape.days)
            everything = measured(home, START + timedelta(days=shape.days))
            lines.append(line(f"everything, {shape.days} days", shape.feedback, everything))
            lines.append(line(f"one tick more, {shape.days} days", shape.feedback, ticks(home, shape, shape.days)))
    page = report(lines, Shape(products, days, feedback))
    out.mkdir(parents=True, exist_ok=True)
    (out / "scale.md").write_text(page, encoding="utf-8")
    click.echo(f"wrote {out / 'scale.md'}")


def report(lines: list[str], shape: Shape) -> str:
    """The page."""
    import os
    import platform

    return "\n".join(
        [
            "# What a build costs at scale",
            "",
            f"Written by `python -m benchmarks.scale --products {shape.products} --days {shape.days} --feedback"
            f" {shape.feedback}`; do not edit. Machine: {os.cpu_count()} cores,"
            f" {platform.system()} {platform.machine()}, Python {platform.python_version()}.",
            "",
            f"{shape.products} products, {shape.feedback:,} pieces of labelled feedback in {shape.days} days, hourly",
            "telemetry per platform, orders, and a bad release per product every 20 days, drawn; one lake file per",
            "table and day. Seconds are those of `dbt build` with its data tests, dbt imported; a tick is a quarter of",
            "an hour later, with what became known in it. Publishing copies the warehouse for its readers. One run",
            "each.",
            "",
            "| build | feedback | seconds | peak memory | publishing, seconds | issues |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
