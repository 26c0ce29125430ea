"""The closed-loop page: on a home whose history is too short for anything to be counted, and with mitigations."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.home import Home
from dagster_project.measurement import closed_loop

INSTANT = pl.Datetime()
EMPTY: dict[str, dict[str, Any]] = {
    "fct_issue_lifecycle": {"detected_at": INSTANT, "issue_id": pl.String(), "minutes_to_detect": pl.Float64()},
    "fct_issue_activity": {"tick": INSTANT},
    "fct_mitigations": {
        **dict.fromkeys(("issue_id", "mitigation", "target", "item", "plan_id", "plan_state"), pl.String()),
        **dict.fromkeys(("last_event", "effect"), pl.String()),
        **dict.fromkeys(("proposed_at", "applied_at", "drifted_at"), INSTANT),
        "tier": pl.Int64(),
        "would_have_been_right": pl.Boolean(),
    },
}
MORNING, NOON = datetime(2026, 6, 1, 9), datetime(2026, 6, 1, 12)


def page_of(home: Home, monkeypatch: pytest.MonkeyPatch, plans: list[dict[str, Any]]) -> str:
    """The page of a home without issues, and with these plans."""
    rows = {"fct_mitigations": plans}
    monkeypatch.setattr(closed_loop, "queue", lambda *_, **__: [])
    monkeypatch.setattr(closed_loop, "read_facts", lambda _: {})
    monkeypatch.setattr(
        closed_loop, "read_mart", lambda _, mart, *__: pl.DataFrame(rows.get(mart, []), schema=EMPTY[mart])
    )
    return closed_loop.write_report(home).read_text(encoding="utf-8")


def plan(number: int, state: str, **more: Any) -> dict[str, Any]:
    common = {"issue_id": f"ISS-{number}", "mitigation": "flag-off", "target": "control", "item": f"flags/f{number}"}
    nothing = dict.fromkeys(("last_event", "effect", "applied_at", "drifted_at", "would_have_been_right"))
    made = {"plan_id": f"{number}abcdef0123", "plan_state": state, "tier": 1, "proposed_at": MORNING}
    return {**nothing, **common, **made, **more}


def test_a_page_without_activity_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(Home(tmp_path), monkeypatch, [])
    assert "Nothing is counted yet: the history is too short." in page
    assert "No plan has been made." in page


def test_plans_are_counted_by_state_and_drift_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [
        plan(1, "in_force", applied_at=NOON, effect="effective", last_event="effective"),
        plan(2, "in_force", applied_at=NOON, drifted_at=NOON, last_event="drifted"),
        plan(3, "in_force", applied_at=NOON, drifted_at=NOON, last_event="returned"),
        plan(4, "shadow", would_have_been_right=False),
        {**plan(5, "shadow"), "plan_id": None},
    ]
    page = page_of(Home(tmp_path), monkeypatch, plans)
    assert '<span class="tag">3 in force</span><span class="tag">1 shadow</span>' in page
    assert '<span class="tag P1">1 no longer as set</span>' in page
    rows = {line.split("flags/f")[1][0]: line for line in page.replace("\n", " ").split("<tr>") if "flags/f" in line}
    assert {number for number, row in rows.items() if "no longer as set" in row} == {"2"}
    assert ["helped" in rows["1"], "would have been wrong" in rows["4"]] == [True, True]
    assert "2026-06-01 12:00" in rows["1"]
    assert "2026-06-01 09:00" in rows["4"]
    assert '<a href="#times-ISS-1">ISS-1</a>' in rows["1"]
