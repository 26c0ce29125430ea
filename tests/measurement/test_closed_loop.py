"""The closed-loop page is written on a home whose history is too short for anything to be counted."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dagster_project.home import Home
from dagster_project.measurement import closed_loop

EMPTY: dict[str, dict[str, pl.DataType]] = {
    "fct_issue_lifecycle": {"detected_at": pl.Datetime(), "issue_id": pl.String(), "minutes_to_detect": pl.Float64()},
    "fct_issue_activity": {"tick": pl.Datetime()},
}


def test_a_page_without_activity_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_loop, "queue", lambda *_, **__: [])
    monkeypatch.setattr(closed_loop, "read_facts", lambda _: {})
    monkeypatch.setattr(closed_loop, "read_mart", lambda _, mart, *__: pl.DataFrame(schema=EMPTY[mart]))
    page = closed_loop.write_report(Home(tmp_path)).read_text(encoding="utf-8")
    assert "Nothing is counted yet: the history is too short." in page
