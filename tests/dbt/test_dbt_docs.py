"""The documentation of the warehouse: one page with everything on it, and nothing of the machine that wrote it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from dagster_project.cli.main import main
from dagster_project.home import DBT_PROJECT, Home


def test_the_page_describes_every_mart_and_names_neither_the_home_nor_a_tracker(built: Home) -> None:
    outcome = CliRunner().invoke(main, ["--home", str(built.root), "docs"], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    page = (built.reports / "dbt_docs.html").read_text(encoding="utf-8")
    for mart in (DBT_PROJECT / "models" / "marts").glob("*.sql"):
        assert f'"model.feedback_control.{mart.stem}"' in page
    assert "feedback-control: the warehouse" in page  # our own first page, not dbt's
    assert "semantic_model.feedback_control.issues" in page and "exposure.feedback_control.tickets" in page
    assert str(built.root) not in page and str(DBT_PROJECT.parent) not in page
    said = re.search(r'"send_anonymous_usage_stats": ?(\w+)', page)
    assert said and json.loads(said.group(1)) is False  # without it the page loads nothing from elsewhere


def test_before_the_first_build_there_is_nothing_to_describe(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    outcome = CliRunner().invoke(main, ["--home", str(home.root), "docs"])
    assert outcome.exit_code == 2 and "does not exist yet" in outcome.output
