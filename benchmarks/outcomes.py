"""Benchmark of outcomes: false claims in worlds without an effect, bias, coverage and power in worlds with one.

    python -m benchmarks.outcomes                 # writes reports/outcomes.md: 200 quiet worlds and 200 with an effect
    python -m benchmarks.outcomes --worlds 40 --out FOLDER

The models are those of the dbt project, compiled once and run by DuckDB over made-up hours of each world. Beside them,
on the same worlds: naive before/after, difference-in-differences with errors clustered by series, and a structural
time series in the manner of CausalImpact (Brodersen et al. 2015), fitted by maximum likelihood.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click
import duckdb
import numpy as np
import polars as pl

from benchmarks.measuring import ROOT
from dagster_project import lake
from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.home import DBT_PROJECT, Home

START = datetime(2026, 1, 5)
DAYS = 100
AS_OF = START + timedelta(days=DAYS)
HOURS = DAYS * 24
WINDOW = 7
MODELS = (
    *("int_outcome_windows", "int_outcome_blocks", "int_outcome_troubled", "int_outcome_counts", "int_outcome_scores"),
    *("int_outcome_effects", "fct_interventions", "fct_issue_outcomes"),
)
TYPES = (
    *("checkout_failure", "payment_failure", "login_account", "app_crash", "performance", "search_discovery"),
    *("feature_bug", "ui_usability", "shipping_delivery", "product_defect", "pricing_expectation", "customer_service"),
)
PLATFORMS = ("android", "ios", "web")
OURS, NAIVE, DID, BSTS = (
    "untreated, ranked among placebos",
    "naive before/after",
    "DiD, clustered errors",
    "structural time series",
)

Series = tuple[str, str, str]
"""Product, issue type, platform."""


@dataclass(frozen=True)
class Kind:
    """Kind of world: products, share of the excess that the act removes, rise of everything after it."""

    name: str
    products: int
    effect: float
    campaign: float = 1.0
    chosen: bool = False
    """True: a quiet series is taken because it was high, as a false issue is; else an issue is really there."""


QUIET = (
    Kind("quiet, taken at random, one product", 1, 0.0),
    Kind("quiet, taken at its highest, one product", 1, 0.0, chosen=True),
    Kind("quiet, taken at random, three products", 3, 0.0),
    Kind("quiet, taken at its highest, three products", 3, 0.0, chosen=True),
)
EFFECTS = (
    Kind("all of the excess, three products", 3, 1.0),
    Kind("two thirds, three products", 3, 0.67),
    Kind("one third, three products", 3, 0.33),
    Kind("two thirds, one product", 1, 0.67),
    Kind("two thirds, three products, campaign on top", 3, 0.67, campaign=1.8),
    Kind("two thirds, one product, campaign on top", 1, 0.67, campaign=1.8),
)


@dataclass(frozen=True)
class World:
    """One world: complaints by series and hour, visits by product, platform and hour, and its issue."""

    kind: Kind
    complaints: dict[Series, np.ndarray]
    visits: dict[tuple[str, str], np.ndarray]
    treated: tuple[str, str]
    started: int
    acted: int
    avoided: float
    """True number avoided: expected complaints without the act, less those with it."""


@dataclass(frozen=True)
class Claim:
    """What one method says of a world; ``low`` and ``high`` bound 90 %. NaN where it says nothing."""

    claims: bool
    avoided: float
    low: float
    high: float


def worlds(kind: Kind, count: int, seed: int) -> Iterator[World]:
    """Worlds of one kind: days vary by a quarter beyond chance, weeks and hours have their shape."""
    for number in range(count):
        yield _world(kind, np.random.default_rng([seed, number, len(kind.name), int(100 * kind.effect), kind.products]))


def _world(kind: Kind, random: np.random.Generator) -> World:
    hour_of_day = 1.0 + 0.8 * np.sin((np.arange(24) - 9.0) / 24.0 * 2.0 * math.pi)
    weekday = random.lognormal(0.0, 0.15, 7)
    shape = np.tile(hour_of_day, DAYS) * np.repeat(weekday[np.arange(DAYS) % 7], 24)
    acted = (DAYS - WINDOW - 1) * 24 + int(random.integers(0, 12))
    length = int(random.integers(10, 72))
    started = acted - length
    traffic = np.ones(HOURS)
    traffic[acted:] *= kind.campaign
    products = [f"shop{n}" for n in range(kind.products)]
    visits, rates = {}, {}
    for product in products:
        days = np.repeat(random.gamma(40.0, 1.0 / 40.0, DAYS), 24)
        for platform, share in zip(PLATFORMS, (0.5, 0.3, 0.2), strict=True):
            usual = share * 400.0 * shape * traffic * days
            visits[product, platform] = random.poisson(usual)
            for issue_type in TYPES:
                level = random.lognormal(0.0, 0.8) * share * 2.0 / 24.0
                vary = np.repeat(random.gamma(16.0, 1.0 / 16.0, DAYS), 24)
                rates[product, issue_type, platform] = level * shape * traffic * days * vary
    treated, avoided = (products[0], TYPES[int(random.integers(len(TYPES)))]), 0.0
    if kind.effect:
        avoided = _planted(rates, treated, started, acted, kind.effect, random)
    complaints = {series: random.poisson(rate) for series, rate in rates.items()}
    if kind.chosen:
        treated, started = _highest(complaints, products[0], acted, length)
    return World(kind, complaints, visits, treated, started, acted, avoided)


def _planted(
    rates: dict[Series, np.ndarray],
    treated: tuple[str, str],
    started: int,
    acted: int,
    effect: float,
    random: np.random.Generator,
) -> float:
    """Plant an issue into the rates, and take a share of its excess away after the act; the number taken away."""
    factor = random.uniform(4.0, 8.0)
    avoided = 0.0
    for series, rate in rates.items():
        if series[:2] == treated:
            excess = (factor - 1.0) * rate
            rate[started:acted] += excess[started:acted]
            rate[acted:] += (1.0 - effect) * excess[acted:]
            until = acted + 24 * WINDOW
            avoided += effect * float(excess[acted + 1 : until].sum())
    return avoided


def _highest(
    complaints: dict[Series, np.ndarray], product: str, acted: int, length: int
) -> tuple[tuple[str, str], int]:
    """The series of a product that was furthest above its usual level before the act."""
    found = []
    for issue_type in TYPES:
        counts = np.sum([complaints[product, issue_type, platform] for platform in PLATFORMS], axis=0)
        usual = float(counts[: acted - length].mean()) * length
        found.append(((float(counts[acted - length : acted].sum()) - usual) / math.sqrt(usual + 0.5), issue_type))
    return (product, max(found)[1]), acted - length


class Models:
    """The outcome models of the dbt project, compiled for one as-of instant."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder)
        lake.ensure_tables(home)
        land_playbook(home, load_playbook(home.playbook))
        variables = json.dumps({"as_of": AS_OF.isoformat(sep=" ")})
        run_dbt(home, ["compile", "--no-introspect", "--full-refresh", "--vars", variables, "--select", *MODELS])
        compiled = home.root / "dbt_target" / "compiled"
        self.sql = {model: next(compiled.rglob(f"{model}.sql")).read_text(encoding="utf-8") for model in MODELS}
        self.taxonomy = pl.read_csv(DBT_PROJECT / "seeds" / "taxonomy.csv")

    def outcome(self, world: World) -> Claim:
        """What the models say of complaints by the untreated comparator."""
        with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
            connection.execute("attach ':memory:' as warehouse; use warehouse; set threads = 2")
            for table, rows in self._inputs(world).items():
                rows.write_parquet(f"{folder}/{table}.parquet")
                connection.execute(f"create table {table} as select * from '{folder}/{table}.parquet'")
            for model in MODELS:
                connection.execute(f"create table {model} as {self.sql[model]}")
            row = connection.execute(
                "select answer = 'fewer' or answer = 'more', avoided, avoided_low, avoided_high from fct_issue_outcomes"
                " where measure = 'complaints' and comparator = 'untreated'"
            ).fetchone()
        if row is None or row[1] is None:
            return Claim(False, math.nan, math.nan, math.nan)
        return Claim(*row)

    def _inputs(self, world: World) -> dict[str, pl.DataFrame]:
        product, issue_type = world.treated
        started, acted = (START + timedelta(hours=hour) for hour in (world.started, world.acted))
        issue = {"issue_id": "ISS-1", "product": product, "issue_type": issue_type}
        text, instant, number = pl.String, pl.Datetime, pl.Float64
        span = {
            **issue,
            "scope_kind": "all",
            "scope_value": "all",
            "platform": None,
            "funnel_step": None,
            "refunds_follow": False,
            "started_at": started,
            "detected_at": started,
            "resolved_at": None,
            "ended_at": AS_OF,
            "customer_value": 1.0,
        }
        act = {
            **issue,
            "intervention_id": "p1",
            "kind": "fixing_release",
            "acted_at": acted,
            "ended_at": None,
            "plan_id": None,
            "mitigation": None,
            "change_id": "r1",
            "version": "2",
            "ticket_event": None,
            "actor": None,
            "undoes_suspect": True,
            "window_ends_at": acted + timedelta(days=WINDOW),
        }
        episode = {
            **issue,
            "first_tick": started,
            "detected_at": started,
            "elevated_until": acted,
            "resolved_at": None,
            "is_live": True,
        }
        texts = {
            "platform": text,
            "funnel_step": text,
            "plan_id": text,
            "mitigation": text,
            "ticket_event": text,
            "actor": text,
        }
        times = {"ended_at": instant, "resolved_at": instant}
        return {
            "taxonomy": self.taxonomy,
            "int_outcome_hours": _hours(world),
            "int_issue_spans": pl.DataFrame([span], schema_overrides={**texts, **times}),
            "int_interventions": pl.DataFrame([act], schema_overrides={**texts, **times}),
            "int_episodes": pl.DataFrame([episode], schema_overrides=times),
            "int_mitigation_effects": pl.DataFrame(
                schema={"plan_id": text, "effect": text, "is_verifying": pl.Boolean, "x": number}
            ),
            "int_issue_unit_values": pl.DataFrame(
                schema={"issue_id": text, "failed_attempt_value": number, "refund_value": number}
            ),
            "stg_playbook_settings": pl.DataFrame({"cost_support_contact": [5.0]}),
        }


def _hours(world: World) -> pl.DataFrame:
    ends = [START + timedelta(hours=hour + 1) for hour in range(HOURS)]
    frames = []
    for (product, issue_type), counts in _by_type(world).items():
        frames.append(_frame(product, "complaints", issue_type, ends, counts, np.zeros(HOURS)))
    for product in {product for product, _ in world.visits}:
        visits = np.sum([world.visits[product, platform] for platform in PLATFORMS], axis=0)
        frames.append(_frame(product, "visits", "visit", ends, np.zeros(HOURS), visits))
    return pl.concat(frames).filter((pl.col("amount") > 0) | (pl.col("exposure") > 0))


def _frame(
    product: str, measure: str, series: str, ends: list[datetime], amount: np.ndarray, exposure: np.ndarray
) -> pl.DataFrame:
    return pl.DataFrame(
        {"hour": ends, "amount": amount.astype(float), "exposure": exposure.astype(float)}
    ).with_columns(
        product=pl.lit(product),
        measure=pl.lit(measure),
        series=pl.lit(series),
        scope_kind=pl.lit("all"),
        scope_value=pl.lit("all"),
        ordered_money=pl.lit(0.0),
        refunded_money=pl.lit(0.0),
    )


def _by_type(world: World) -> dict[tuple[str, str], np.ndarray]:
    summed: dict[tuple[str, str], np.ndarray] = {}
    for (product, issue_type, _), counts in world.complaints.items():
        summed[product, issue_type] = summed.get((product, issue_type), np.zeros(HOURS)) + counts
    return summed


def _windows(world: World) -> tuple[slice, slice]:
    return slice(world.started, world.acted), slice(world.acted + 1, world.acted + 24 * WINDOW)


def naive(world: World) -> Claim:
    """Rate before against rate after, by a normal interval of Poisson counts."""
    before, after = _windows(world)
    counts = _by_type(world)[world.treated]
    hours = after.stop - after.start
    expected = float(counts[before].sum()) / (before.stop - before.start) * hours
    came = float(counts[after].sum())
    error = math.sqrt(expected * hours / (before.stop - before.start) + came + 1e-9)
    return _claim(expected - came, error, 1.96)


def clustered(world: World) -> Claim:
    """Difference-in-differences of log(1 + complaints a day) with errors clustered by series (statsmodels)."""
    import statsmodels.api as sm

    before, after = _windows(world)
    daily = {series: counts.reshape(DAYS, 24).sum(axis=1) for series, counts in _by_type(world).items()}
    first, turn = (before.start // 24) - 28, world.acted // 24
    days = np.arange(first, min(DAYS, after.stop // 24))
    rows, values, groups = [], [], []
    for group, (series, counts) in enumerate(daily.items()):
        for day in days:
            treated, post = series == world.treated, day > turn
            during = before.start // 24 <= day <= turn
            rows.append([1.0, treated, post, during, treated and post, treated and during])
            values.append(math.log1p(counts[day]))
            groups.append(group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sm.OLS(np.array(values), np.array(rows, dtype=float)).fit(
            cov_type="cluster", cov_kwds={"groups": np.array(groups)}
        )
        effect = fit.t_test([0.0, 0.0, 0.0, 0.0, 1.0, -1.0])
    estimate, error = float(effect.effect[0]), float(effect.sd[0, 0])
    counts = _by_type(world)[world.treated]
    came = float(counts[after].sum())
    low, high = (came * (math.exp(-(estimate + 1.645 * sign * error)) - 1.0) for sign in (1.0, -1.0))
    return Claim(abs(estimate) > 1.96 * error, came * (math.exp(-estimate) - 1.0), min(low, high), max(low, high))


def structural(world: World) -> Claim:
    """Local level with a regression on the controls, fitted to the days before, projected over those after."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    _, after = _windows(world)
    daily = {series: counts.reshape(DAYS, 24).sum(axis=1) for series, counts in _by_type(world).items()}
    turn, last = world.acted // 24, min(DAYS, after.stop // 24)
    own = daily.pop(world.treated)
    controls = np.mean(list(daily.values()), axis=0)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = UnobservedComponents(own[:turn].astype(float), "llevel", exog=controls[:turn]).fit(
            disp=False, maxiter=200
        )
        ahead = fit.get_forecast(last - turn, exog=controls[turn:last])
        mean = ahead.predicted_mean[1:]
        steps = ahead.se_mean[1:]
    avoided = float(mean.sum() - own[turn + 1 : last].sum())
    return _claim(avoided, float(np.sqrt((steps**2).sum() + 2.0 * sum(np.cumsum(steps[:-1] ** 2)))), 1.96)


def _claim(avoided: float, error: float, z: float) -> Claim:
    return Claim(abs(avoided) > z * error, avoided, avoided - 1.645 * error, avoided + 1.645 * error)


@dataclass(frozen=True)
class Line:
    """Line of the report: a method in the worlds of one kind."""

    kind: str
    method: str
    worlds: int
    claimed: float
    bias: float
    coverage: float


def _line(kind: Kind, method: str, results: list[tuple[World, Claim]]) -> Line:
    said = [(world, claim) for world, claim in results if not math.isnan(claim.avoided)]
    truth = [world.avoided for world, _ in said]
    bias = (
        sum(claim.avoided - world.avoided for world, claim in said) / max(1.0, sum(truth)) if kind.effect else math.nan
    )
    covered = [claim.low <= world.avoided <= claim.high for world, claim in said]
    claimed = [claim.claims for _, claim in results]
    return Line(kind.name, method, len(results), float(np.mean(claimed)), bias, float(np.mean(covered)))


@click.command()
@click.option("--worlds", "count", default=200, show_default=True, help="Quiet worlds, and worlds with an effect.")
@click.option("--seed", default=19, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", show_default=True)
def main(count: int, seed: int, out: Path) -> None:
    """Measure, and write the report."""
    with tempfile.TemporaryDirectory() as folder:
        models = Models(Path(folder))
    methods: dict[str, Callable[[World], Claim]] = {
        OURS: models.outcome,
        NAIVE: naive,
        DID: clustered,
        BSTS: structural,
    }
    lines: list[Line] = []
    for kinds in (QUIET, EFFECTS):
        for kind in kinds:
            made = list(worlds(kind, math.ceil(count / len(kinds)), seed))
            for method, judge in methods.items():
                lines.append(_line(kind, method, [(world, judge(world)) for world in made]))
                click.echo(str(lines[-1]))
    out.mkdir(parents=True, exist_ok=True)
    (out / "outcomes.md").write_text(page(lines, count, seed), encoding="utf-8")
    click.echo(f"wrote {out / 'outcomes.md'}")


def page(lines: list[Line], count: int, seed: int) -> str:
    """The report in Markdown."""
    return "\n".join(
        (
            "# Outcomes: claims, bias and coverage",
            f"\nWritten by `python -m benchmarks.outcomes --worlds {count} --seed {seed}`.",
            _METHOD,
            "| world | method | worlds | effect claimed | bias | truth inside the 90 % interval |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
            *(
                f"| {line.kind} | {line.method} | {line.worlds} | {line.claimed:.0%} | {_signed(line.bias)}"
                f" | {line.coverage:.0%} |"
                for line in lines
            ),
            "",
        )
    )


_METHOD = f"""
Complaints of {len(TYPES)} issue types in one or three products over {DAYS} days; visits are known; days vary
by a quarter beyond chance. In quiet worlds the act changes nothing; *taken at its highest* means that the
series was chosen because it stood highest just before, as a false issue is. In the others an issue of four to
eight times the usual level began 10 to 72 hours before the act, which took away a share of its excess. What
came in the {WINDOW} days after is compared with what would have come.

Bias is the error of the avoided complaints, as a share of the true ones. Of the rivals' claims, those at 5 %
count. In quiet worlds a claim is false; in the others its frequency is the power.
"""


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.0%}"


if __name__ == "__main__":
    main()
