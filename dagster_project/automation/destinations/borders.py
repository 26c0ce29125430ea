"""Borders of a home: which destinations it may write to, by its kind.

================ ====================================================================================
home             may write to
================ ====================================================================================
production       destinations of ``environment: production`` (the default); no folder of another home
staging          folders inside the home, and ``environment: staging``
demo, replay     folders inside the home, and ``environment: simulated`` on this machine (loopback)
================ ====================================================================================

A loopback address alone proves nothing: a tunnel or a proxy may stand behind it.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from dagster_project.automation.destinations.event_file import EventFileSettings
from dagster_project.automation.destinations.local import LocalSettings
from dagster_project.automation.destinations.settings import DestinationSettings
from dagster_project.home import Home
from dagster_project.home_kind import MARKER, kind_of


def refusal(home: Home, settings: DestinationSettings) -> str:
    """Why this home may not write there, as a line for people; empty if it may."""
    place = _place(home, settings)
    if isinstance(place, Path):
        inside = place.is_relative_to(home.root.resolve())
        owner = next((folder for folder in (place, *place.parents) if (folder / MARKER).is_file()), None)
        if owner is not None and owner != home.root.resolve():
            return f"{settings.name}: nothing is written to {place}, which lies in another home ({kind_of(owner)})"
        if inside:
            return ""
    wanted, may = settings.environment, False
    if home.kind in ("production", "staging"):
        may = wanted == home.kind
    else:
        may = wanted == "simulated" and isinstance(place, str) and _is_loopback(place)
    if may:
        return ""
    needs = {
        "production": "`environment: production`",
        "staging": "`environment: staging`",
    }.get(home.kind, "`environment: simulated` and an address on this machine")
    return (
        f"{settings.name}: nothing is sent to {place}: this is a {home.kind} home, and the destination is for"
        f" {wanted}; this home writes to destinations with {needs}"
    )


def _place(home: Home, settings: DestinationSettings) -> Path | str:
    """A folder or file of this machine, resolved; or the host that is asked."""
    if isinstance(settings, LocalSettings):
        return (home.root / (settings.folder or home.tickets).expanduser()).resolve()
    if isinstance(settings, EventFileSettings):
        return (home.root / (settings.file or home.events).expanduser()).resolve()
    url = getattr(settings, "base_url", "")
    return urlsplit(url).hostname or url if url else str(getattr(settings, "host", settings.name))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
