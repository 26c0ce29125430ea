"""Borders of a home: which tools it may write to, by its kind; for destinations and for control systems.

================ ====================================================================================
home             may write to
================ ====================================================================================
production       tools of ``environment: production`` (the default); no folder of another home
staging          folders inside the home, and ``environment: staging``
demo, replay     folders inside the home, and ``environment: simulated`` on this machine (loopback)
================ ====================================================================================

A loopback address alone proves nothing: a tunnel or a proxy may stand behind it.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from dagster_project.home import Home
from dagster_project.home_kind import MARKER, kind_of

Environment = Literal["production", "staging", "simulated"]


def refusal_of(home: Home, name: str, environment: Environment, place: Path | str) -> str:
    """Why this home may not write to a tool, as a line for people; empty if it may.

    Args:
        home: the home.
        name: the tool's name in its configuration.
        environment: the kind of home that the tool is for.
        place: a folder or file of this machine, or the host that is asked.
    """
    if isinstance(place, Path):
        place = place.resolve()
        inside = place.is_relative_to(home.root.resolve())
        owner = next((folder for folder in (place, *place.parents) if (folder / MARKER).is_file()), None)
        if owner is not None and owner != home.root.resolve():
            return f"{name}: nothing is written to {place}, which lies in another home ({kind_of(owner)})"
        if inside:
            return ""
    if home.kind in ("production", "staging"):
        may = environment == home.kind
    else:
        may = environment == "simulated" and isinstance(place, str) and _is_loopback(place)
    if may:
        return ""
    needs = {
        "production": "`environment: production`",
        "staging": "`environment: staging`",
    }.get(home.kind, "`environment: simulated` and an address on this machine")
    return (
        f"{name}: nothing is sent to {place}: this is a {home.kind} home, and it is for {environment};"
        f" this home writes to what has {needs}"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
