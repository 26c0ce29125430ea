"""Starting over in a demo home: what an earlier day's demo left is moved to a named backup, never deleted.

Models, the Dagster instance, configuration and unknown files stay where they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from dagster_project import lake
from dagster_project.automation.destinations.local import LocalTracker
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.errors import ConfigurationError
from dagster_project.files import relocate
from dagster_project.home import Home, parse_instant
from dagster_project.home_kind import SHOP, read_marker
from dagster_project.simulation.controls import playbook_is_edited
from dagster_project.simulation.people import SIMULATED, is_simulated
from dagster_project.simulation.shop.export_files import sources_file

_STATE = (
    *("lake", "tickets", "outbound", "published", "reports", "views", "demo"),
    *("built.json", "clock.json", "control.json", "playbook.yml"),
    *("ledger.sqlite*", "ledger.head", "warehouse.duckdb*"),
)
"""State that a demo of another day makes anew."""

_BEFORE_USE = frozenset(("dagster", "models", "logs", "home.yml", ".DS_Store"))
"""What a home may hold and be empty all the same."""

_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


def check_demo_home(home: Home) -> None:
    """Refuse a home that is no demo's.

    Raises:
        ConfigurationError: the home is of another kind, or holds data that is no demo's.
    """
    marker = read_marker(home.root)
    used = {path.name for path in home.root.glob("*")} - _BEFORE_USE
    if home.kind == "demo" or (marker is None and not used):
        return
    what = f"is a {marker.kind} home" if marker else f"holds data that is no demo's ({', '.join(sorted(used)[:3])})"
    raise ConfigurationError(
        f"{home.root} {what}; a demo has a home of its own: leave out --home and FEEDBACK_HOME, or name an empty folder"
    )


def is_outdated(home: Home, present: datetime) -> bool:
    """True if the home holds the demo of another present, one that was played on, or one with an edited sources.yml."""
    path = home.root / SHOP
    if "sources.yml" in _edited_shop(path.parent):
        return True
    try:
        truth = json.loads(path.read_text(encoding="utf-8"))
        return "played" in truth or parse_instant(truth["until"]) != present
    except FileNotFoundError:
        return any((home.root / name).exists() for name in ("lake", "tickets", "ledger.sqlite"))
    except (ValueError, KeyError, TypeError):  # damaged
        return True


def words_of_people(home: Home) -> list[str]:
    """What in a demo home somebody may have written, one line each."""
    return list(_words(home))


def _words(home: Home) -> Iterator[str]:
    if home.tickets.is_dir():
        try:
            changes = LocalTracker(home.tickets).changes_since(_LONG_AGO)
            changed = {change.external_id for change in changes if not is_simulated(change.actor)}
        except Exception as error:  # a file that cannot be read was written by somebody else
            changed = {f"unreadable: {error}"}
        if changed:
            yield f"tickets that were edited: {', '.join(sorted(changed))}"
        if others := [path.name for path in sorted(home.tickets.iterdir()) if not _is_tracker_s(path)]:
            yield f"other files among the tickets: {', '.join(others)}"
    by_people = pl.col("by_person") & ~pl.col("actor").fill_null("").str.ends_with(SIMULATED)
    for table, rows in (("ticket_events", by_people), ("baseline_exclusions", pl.lit(True))):
        if (home.lake / table).is_dir() and lake.scan(home, table).filter(rows).head(1).collect().height:
            yield f"what people did to tickets (lake/{table})"
    if (home.root / "ledger.sqlite").exists() and (people := Ledger(home.ledger_url).people()):
        yield f"acts of {', '.join(people)} in the ledger"
    if queues := sorted((home.reports / "drift").rglob("*.csv")):
        yield f"label queues, which people fill in: {', '.join(path.name for path in queues)}"
    if playbook_is_edited(home):
        yield "a playbook.yml that was edited"
    if edited := _edited_shop(home.root / SHOP.parent):
        yield f"files in demo/ that are not the shop's: {', '.join(edited)}"


def _is_tracker_s(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "index.md" or (path.match("FC-*.md") and path.is_file())


def _edited_shop(folder: Path) -> list[str]:
    truth = folder / SHOP.name
    if not truth.exists():
        return []
    try:
        own = {*json.loads(truth.read_text(encoding="utf-8"))["files"], SHOP.name}
    except (ValueError, KeyError, TypeError):
        return [SHOP.name]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    settings = folder / "sources.yml"
    changed = {"sources.yml"} if settings.exists() and settings.read_bytes() != sources_file() else set()
    return sorted((files - own) | changed)


def move_to_backup(home: Home) -> Path:
    """Move the state of a demo into a folder beside the home, named by the instant; returns that folder."""
    instant = datetime.now(UTC)
    backup = home.root.with_name(f"{home.root.name}.backup-{instant:%Y%m%dT%H%M%S}.{instant.microsecond:06d}Z")
    backup.mkdir()
    for pattern in _STATE:
        for path in home.root.glob(pattern):
            relocate(path, backup / path.name)
    return backup
