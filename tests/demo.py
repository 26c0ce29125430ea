"""A demo as `feedback-control demo` makes it, in plain Python and with a shorter history."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dagster_project.home import REPOSITORY, Home
from dagster_project.loop import TurnReport, turn
from dagster_project.simulation import controls
from dagster_project.simulation.people import play
from dagster_project.simulation.shop.shop import write_shop
from dagster_project.simulation.shop.story import Story

UNTIL = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = 35


def played_demo(root: Path) -> Home:
    """A demo's home after all its turns; it shares the repository's trained models."""
    home = Home(root).marked("demo")
    shared = REPOSITORY / ".feedback-control" / "models"
    shared.mkdir(parents=True, exist_ok=True)
    home.models.symlink_to(shared)
    shop = write_shop(root / "demo", until=UNTIL, days=DAYS)
    controls.set_up(home, Story.ending(UNTIL, DAYS))
    reports: list[TurnReport] = []
    play(home, UNTIL, lambda as_of: reports.append(turn(home, sources=shop.sources, as_of=as_of, report=False)))
    reports.append(turn(home, sources=shop.sources, as_of=UNTIL))
    assert [failure for report in reports for failure in report.failures] == []
    return home
