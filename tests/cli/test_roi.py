"""The command ``roi``: columns of the marts as JSON, a table for people, and what is not measured yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dagster_project.cli.main import main
from dagster_project.home import Home
from tests.measurement.roi_marts import APRIL, MARCH, issue, publish, running


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), "roi", *arguments], catch_exceptions=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    issues = [
        issue("a", "shop", MARCH, 5000.0, 4000.0, 6200.0, release_cohort="2.0"),
        issue("b", "app", APRIL, 0.0, 0.0, 0.0, not_attributed_value=770.0, cost_wrong_acts=400.0, wrong_acts=1),
    ]
    return publish(Home(tmp_path / "home"), issues, [running("shop", MARCH, 250.0)])


def line(result: Result, start: str) -> str:
    return next(line for line in result.stdout.splitlines() if " ".join(line.split()).startswith(start))


def test_the_table_has_money_with_its_interval_and_what_was_not_told(home: Home) -> None:
    result = cli(home)
    assert result.exit_code == 0
    # cost: 320 + 250 = 570; net 4,430; ratio 8.77
    assert line(result, "shop").split() == "shop 1 5,000 4,000 to 6,200 10,000 570 4,430 8.77 0 0".split()
    assert line(result, "app").split() == "app 1 0 0 to 0 0 720 -720 0.00 770 0".split()
    assert line(result, "all").split()[1:3] == ["2", "5,000"]
    assert line(result, "cost:") == "cost: engineering 640 (2 tickets), running 250, wrong acts 400 (1)"
    assert line(result, "effects by answer") == "effects by answer: 1 fewer, 1 too_few_placebos; without a price: 0"


def test_adoption_deployments_assumptions_and_the_claim_stand_beside(home: Home) -> None:
    result = cli(home)
    assert line(result, "shop negative_review_share").split()[2:] == (
        "2026-03-01 0.2500 0.1250 -40% -60% to -10% 24 fewer".split()
    )
    assert line(result, "shop 2026-03").split() == "shop 2026-03 3 67% 1.5 33% -".split()
    assert "engineer's hour 80" in line(result, "assumptions")
    assert line(result, "to compare").endswith("(seed case): 40% fewer negative reviews, ROI 3.5 times")


def test_json_has_the_columns_of_the_marts(home: Home) -> None:
    found = json.loads(cli(home, "--by", "month", "--since", "2026-04-10", "--json").stdout)
    assert [(row["month"], row["cost_wrong_acts"], row["net"]) for row in found["roi"]] == [
        ("2026-04-01 00:00:00", 400.0, -720.0)
    ]
    assert found["total"]["not_attributed_value"] == 770.0
    assert found["costs"]["cost_support_contact"] == 6.0
    assert found["adoption"][0]["answer"] == "fewer"
    assert found["claims"][0]["roi_ratio"] == 3.5


def test_a_home_where_nothing_is_measured_says_so(tmp_path: Path) -> None:
    result = cli(publish(Home(tmp_path / "home"), [], []), "--by", "type")
    assert result.exit_code == 0
    assert "nothing is measured yet: there is no issue, and no product has adopted the loop" in result.stdout
    assert "costs.adopted_on" in result.stdout


def test_without_decisions_the_remedy_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    result = cli(home)
    assert result.exit_code == 2
    assert f"run `feedback-control --home {home.root} run` first" in result.stderr


def test_an_unknown_dimension_is_a_usage_error(home: Home) -> None:
    assert cli(home, "--by", "colour").exit_code == 2
