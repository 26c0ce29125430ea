"""The command ``roadmap``: a table for people, columns of the mart as JSON, rows for a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner, Result

from dagster_project.cli.main import main
from dagster_project.home import Home


def row(product: str, rank: int, feature: str, recommendation: str, reason: str, **more: Any) -> dict[str, Any]:
    """A row of ``fct_roadmap``."""
    counts = {"complaints": 12, "complaints_before": 4, "customers": 3, "episodes": 1, "issues": 1, "open_issues": 1}
    shares = {"complaints_slope": 2.8, "support_share": 0.25, "lost_value": 1234.5, "mention_share": None}
    own = {"product": product, "issue_type": "app_crash", "feature": feature, "roadmap_rank": rank}
    return {**own, "recommendation": recommendation, "reason": reason, **counts, **shares, **more}


ROWS = [
    row("shop", 2, "none", "watch", "as_usual", support_share=None, complaints=0, lost_value=0.0),
    row("shop", 1, "search", "patch_now", "urgent_issue"),
    row("app", 1, "none", "next_train", "comes_back"),
]
SEGMENTS = [("shop", "app_crash", "search", "vip", 2), ("shop", "app_crash", "search", "unknown", 1)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    publish(home, pl.DataFrame(ROWS, infer_schema_length=None))
    return home


def publish(home: Home, rows: pl.DataFrame) -> None:
    home.published.parent.mkdir(parents=True, exist_ok=True)
    names = ("product", "issue_type", "feature", "segment", "customers")
    segments = pl.DataFrame(SEGMENTS, schema=list(names), orient="row")
    with duckdb.connect(str(home.published)) as connection:
        connection.execute("create table fct_roadmap as from rows")
        connection.execute("create table fct_roadmap_segments as from segments")
    assert segments.height == 2


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), "roadmap", *arguments], catch_exceptions=False)


def test_the_table_is_ranked_by_product_with_words_for_codes(home: Home) -> None:
    result = cli(home)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert [line.split()[:2] for line in lines[2:]] == [["app", "1"], ["shop", "1"], ["shop", "2"]]
    assert lines[3] == "shop 1 app_crash search patch now urgent issue 12 4 +2.8 3 25% 1 1,234"


def test_json_and_a_file_have_the_columns_of_the_mart_and_the_segments(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "roadmap.csv"
    found = json.loads(cli(home, "--product", "shop", "--csv", str(file), "--json").stdout)
    assert [(one["feature"], one["reason"]) for one in found] == [
        ("search", "urgent_issue"),
        ("none", "as_usual"),
    ]
    assert found[0]["customers_by_segment"] == {"unknown": 1, "vip": 2}
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [(one["feature"], one["customers_vip"], one["customers_unknown"]) for one in rows] == [
        ("search", "2", "1"),
        ("none", "0", "0"),
    ]


def test_nothing_to_plan_is_said(tmp_path: Path) -> None:
    home = Home(tmp_path / "empty")
    publish(home, pl.DataFrame(ROWS, infer_schema_length=None).head(0))
    assert "nothing to plan for app" in cli(home, "--product", "app").stdout
