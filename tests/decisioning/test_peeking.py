"""Looking at every tick blames an innocent release no more often than ``rollback_alpha`` says.

The formulas are those of the models, rendered from their file and run by DuckDB, over worlds drawn without any effect.
"""

from __future__ import annotations

import math

import duckdb
import numpy as np
import polars as pl
import pytest
from jinja2 import Environment, FileSystemLoader
from numpy.typing import NDArray

from dagster_project.home import DBT_PROJECT

ALPHA, WORLDS, LOOKS = 0.01, 2_000, 200
SHARE = 0.3
"""Share of the version in all feedback."""


def formula(name: str, **columns: object) -> str:
    """A macro of the models as SQL."""
    macros = Environment(loader=FileSystemLoader(DBT_PROJECT / "macros")).get_template("formulas.sql").module
    return str(getattr(macros, name)(**columns))


def ever(sql: str, table: pl.DataFrame) -> float:
    """The share of worlds in which the evidence reaches -ln(alpha) at any look."""
    with duckdb.connect() as connection:
        connection.register("looks", table)
        most: pl.Series = connection.sql(f"select max({sql}) as most from looks group by world").pl()["most"]
    return (most >= -math.log(ALPHA)).to_list().count(True) / most.len()


def looks_of(**sums: NDArray[np.float64]) -> pl.DataFrame:
    """One row per world and look, with what had come by then; each array has the shape (worlds, looks)."""
    worlds, looks = next(iter(sums.values())).shape
    number = np.repeat(np.arange(worlds), looks)
    return pl.DataFrame({"world": number, **{name: total.ravel() for name, total in sums.items()}})


def naming(share: float, looks: int = LOOKS) -> pl.DataFrame:
    """Complaints one after the other, of which this share names the version."""
    drawn = np.random.default_rng(7).random((WORLDS, looks)) < share
    trials = np.tile(np.arange(1.0, looks + 1), (WORLDS, 1))
    return looks_of(named=drawn.cumsum(axis=1).astype(float), trials=trials)


def errors(times: float, burst: float) -> pl.DataFrame:
    """Errors, five expected a look, that many times as many; of a Poisson spread, or in bursts of that dispersion."""
    rng, mean = np.random.default_rng(7), 5.0 * times
    # A negative binomial whose variance is `burst` times its mean.
    rates = rng.gamma(mean / (burst - 1), burst - 1, (WORLDS, LOOKS)) if burst > 1 else np.full((WORLDS, LOOKS), mean)
    expected = np.tile(5.0 * np.arange(1.0, LOOKS + 1), (WORLDS, 1))
    return looks_of(errors=rng.poisson(rates).cumsum(axis=1).astype(float), expected=expected)


def of_share(successes: str, trials: str, share: str) -> str:
    ratios = [
        formula("log_ratio_of_share", successes=successes, trials=trials, share=share, times=times)
        for times in ("2.0", "4.0", "8.0", "16.0")
    ]
    return formula("log_mean_exp", exponents=ratios)


OF_SHARE = of_share("named", "trials", str(SHARE))


def of_count(dispersion: float) -> str:
    return formula("log_e_value_of_count", count="errors", expected="expected", dispersion=str(dispersion))


def test_an_innocent_version_is_hardly_ever_blamed_by_looking_after_every_complaint() -> None:
    looks = naming(SHARE)
    assert ever(OF_SHARE, looks) <= ALPHA
    # A test meant for one look, at the same 1 %, is fooled many times as often: so these worlds can tell.
    z = f"(named - trials * {SHARE}) / sqrt(trials * {SHARE} * {1 - SHARE}) - 2.326 + {-math.log(ALPHA)}"
    assert ever(z, looks) > 5 * ALPHA


@pytest.mark.parametrize("burst", [1.0, 3.0])
def test_innocent_errors_are_hardly_ever_blamed_by_looking_at_every_tick(burst: float) -> None:
    looks = errors(1.0, burst)
    assert ever(of_count(burst), looks) <= ALPHA
    if burst > 1:  # leaving out the dispersion would be fooled: so bursts can tell
        assert ever(of_count(1.0), looks) > 5 * ALPHA


def test_a_version_that_complaints_name_eight_times_as_often_is_found_within_thirty_of_them() -> None:
    odds = 8 * SHARE / (1 - SHARE)
    assert ever(OF_SHARE, naming(odds / (1 + odds), looks=30)) > 0.9


def test_errors_that_double_are_found() -> None:
    assert ever(of_count(3.0), errors(2.0, 3.0)) > 0.9


@pytest.mark.parametrize("times", [1.0, 0.8])
def test_a_fall_of_successes_is_found_and_no_fall_hardly_ever_blamed(times: float) -> None:
    fall = formula("log_e_value_of_fall", count="errors", expected="expected", dispersion="1.0")
    found = ever(fall, errors(times, 1.0))
    assert found <= ALPHA if times == 1.0 else found > 0.9


@pytest.mark.parametrize(("named", "trials"), [(0, 0), (0, 100_000), (100_000, 100_000), (5, 10)])
def test_the_evidence_is_a_number_whatever_was_counted(named: int, trials: int) -> None:
    for share in ("1.0", "0.000001"):
        sql = of_share(str(float(named)), str(float(trials)), share)
        with duckdb.connect() as connection:
            value = connection.sql(f"select {sql} as value").pl()["value"].item()
        assert abs(value) <= 50
