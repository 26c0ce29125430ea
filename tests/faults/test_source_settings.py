"""Settings of sources: limits for all and for one, and wrong entries, which cost that source only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagster_project import lake
from dagster_project.cli.main import main
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from dagster_project.ingestion.sources import load_sources
from tests.faults.homes import without_a_warehouse


def test_limits_are_set_for_all_sources_and_for_one(tmp_path: Path) -> None:
    (tmp_path / "sources.yml").write_text(
        "limits: {rows: 10, line_bytes: 2 MiB}\n"
        "sources:\n"
        "  - {name: a, table: feedback, path: a.csv}\n"
        "  - {name: b, table: feedback, path: a.csv, limits: {rows: 20}}\n"
    )
    first, second = load_sources(tmp_path / "sources.yml")
    assert (first.limits.rows, first.limits.line_bytes) == (10, 2 * 1024**2)
    assert (second.limits.rows, second.limits.line_bytes) == (20, 2 * 1024**2)
    assert first.fingerprint() != second.fingerprint()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: {rowz: 1}", "limits.rowz: there is no such setting; did you mean 'rows'?"),
        ("limits: {rows: 0}", "limits.rows: Input should be greater than 0"),
        ("limits: {line_bytes: many}", "limits.line_bytes: "),
        ("limits: 5", "`limits` is not a mapping"),
    ],
)
def test_a_wrong_limit_is_named(tmp_path: Path, text: str, said: str) -> None:
    entry = "{name: a, table: feedback, path: a.csv"
    (tmp_path / "sources.yml").write_text(f"{text}\nsources:\n  - {entry}}}\n")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_sources(tmp_path / "sources.yml")
    (tmp_path / "sources.yml").write_text(f"sources:\n  - {entry}, {text}}}\n")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_sources(tmp_path / "sources.yml")


WRONG_ENTRIES = {
    "no mapping": "- [reviews]",
    "a name that is none": "- {name: 'a b/c', table: feedback, path: good.csv}",
    "no such reader": "- {name: odd, reader: telepathy, path: good.csv}",
    "no such table": "- {name: odd, table: feelings, path: good.csv}",
    "no such setting": "- {name: odd, table: feedback, path: good.csv, pathh: x}",
    "a variable that is not set": "- {name: odd, reader: prometheus, url: 'http://${NOT_SET_ANYWHERE}/'}",
    "the same name again": "- {name: good, table: feedback, path: good.csv}",
    "limits of another type": "- {name: odd, table: feedback, path: good.csv, limits: many}",
    "a table of another type": "- {name: odd, table: [feedback], path: good.csv}",
    "keys of several types": "- {name: odd, table: feedback, path: good.csv, 1: x}",
    "an empty entry": "-",
}


@pytest.mark.parametrize("entry", WRONG_ENTRIES.values(), ids=WRONG_ENTRIES)
def test_a_wrong_entry_of_the_settings_costs_that_source_only(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_warehouse(monkeypatch, tmp_path)
    (tmp_path / "good.csv").write_text("feedback_id,channel,occurred_at,text\n1,chat,2026-05-01T10:00:00Z,It crashes\n")
    file = tmp_path / "sources.yml"
    good = "sources:\n- {name: good, table: feedback, path: good.csv, constants: {product: app}}\n"
    file.write_text(good + entry + "\n")
    result = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "run", "--sources", str(file)])
    assert result.exit_code == 1, result.output
    assert lake.scan(Home(tmp_path / "home"), "feedback").collect().height == 1
    assert "failed: " in result.stderr and str(file) in result.stderr
    file.write_text("sources:\n" + entry.replace("name: good", "name: good, nothing: right") + "\n")
    alone = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "run", "--sources", str(file)])
    assert alone.exit_code == 2 and alone.stderr.startswith("error: ")
