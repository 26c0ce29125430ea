"""Borders of destinations: whether a home may write to one, by where it is (``automation/borders.py`` has the rule)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from dagster_project.automation.borders import refusal_of
from dagster_project.automation.destinations.event_file import EventFileSettings
from dagster_project.automation.destinations.local import LocalSettings
from dagster_project.automation.destinations.settings import DestinationSettings
from dagster_project.home import Home


def refusal(home: Home, settings: DestinationSettings) -> str:
    """Why this home may not write there, as a line for people; empty if it may."""
    return refusal_of(home, settings.name, settings.environment, _place(home, settings))


def _place(home: Home, settings: DestinationSettings) -> Path | str:
    """A folder or file of this machine, resolved; or the host that is asked."""
    if isinstance(settings, LocalSettings):
        return (home.root / (settings.folder or home.tickets).expanduser()).resolve()
    if isinstance(settings, EventFileSettings):
        return (home.root / (settings.file or home.events).expanduser()).resolve()
    url = getattr(settings, "base_url", "")
    return urlsplit(url).hostname or url if url else str(getattr(settings, "host", settings.name))
