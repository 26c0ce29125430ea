"""Kind of a home: production, staging, demo or replay; kept in the marker file ``HOME/home.yml`` with the home's id.

The kind is the line between rehearsal and production. Commands, sources, destinations and the ledger compare theirs
with it and refuse what does not fit. A home from before there were markers is a demo if it holds a simulated shop, else
production.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from dagster_project.errors import ConfigurationError
from dagster_project.files import create_text

Kind = Literal["production", "staging", "demo", "replay"]

KINDS: tuple[Kind, ...] = get_args(Kind)
REHEARSALS: frozenset[Kind] = frozenset({"demo", "replay"})
"""Kinds whose issues are not of the present: nothing of them leaves the home, and their as-of is their present."""

MARKER = "home.yml"
SHOP = Path("demo") / "truth.json"
"""Truth of the simulated shop, which only a demo home holds."""

VIEWS = "views"
"""Folder of a home with its views (``views.py``), the only homes inside another one."""

_MEANING: dict[Kind, str] = {
    "production": "real feedback; its tickets go to the team's own trackers",
    "staging": "for trials; only destinations with `environment: staging` are written to",
    "demo": "a simulated shop; nothing in it is real, and nothing leaves this folder",
    "replay": "decisions as of past instants; nothing leaves this folder",
}


@dataclass(frozen=True)
class Marker:
    """Content of a home's marker file."""

    kind: Kind
    home_id: str
    created_at: datetime


def read_marker(root: Path) -> Marker | None:
    """The marker of a home; None if it has none.

    Raises:
        ConfigurationError: the file is damaged, or says otherwise than what the home holds.
    """
    path = root / MARKER
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        created: Any = content["created_at"]
        created = created if isinstance(created, datetime) else datetime.fromisoformat(str(created))
        marker = Marker(content["kind"], str(content["home_id"]), created)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        raise ConfigurationError(f"{path} is damaged; remove it, and run {_init(root)} with the home's kind") from None
    if marker.kind not in KINDS:
        raise ConfigurationError(f"{path}: kind '{marker.kind}' does not exist; there are {', '.join(KINDS)}")
    if marker.kind != "demo" and (root / SHOP).exists():
        raise ConfigurationError(
            f"{path} says {marker.kind}, but {root / SHOP.parent} holds a simulated shop: this is a demo home;"
            " choose another folder with --home"
        )
    return marker


def kind_of(root: Path) -> Kind:
    """Kind of a home, by its marker or by what it holds; nothing is written."""
    marker = read_marker(root)
    if marker is not None:
        return marker.kind
    return "demo" if (root / SHOP).exists() else "production"


def mark(root: Path, kind: Kind | None = None) -> Marker:
    """The marker of a home, written if it has none; of two writers at once the first wins.

    Raises:
        ConfigurationError: the home is of another kind than the one given, or would lie inside another home.
    """
    present = read_marker(root)
    found = kind_of(root)
    if kind not in (None, found) and (present is not None or found == "demo"):
        raise ConfigurationError(f"{root} is a {found} home, not a {kind} home; choose another folder with --home")
    if present is not None:
        return present
    around = next((folder for folder in root.parents if (folder / MARKER).is_file()), None)
    if around is not None and root.parent != around / VIEWS:
        raise ConfigurationError(
            f"{root} lies inside another home ({around}), which would take its files for its own; choose a folder"
            " beside it with --home"
        )
    wanted = Marker(kind or found, secrets.token_hex(16), datetime.now(UTC).replace(microsecond=0))
    create_text(root / MARKER, _text(wanted))
    return read_marker(root) or wanted


def _text(marker: Marker) -> str:
    return (
        f"# What this home is. It never changes: another kind needs another folder.\n"
        f"kind: {marker.kind}\nwhat: {json.dumps(_MEANING[marker.kind])}\n"
        f"home_id: {marker.home_id}\ncreated_at: '{marker.created_at.isoformat()}'\n"
    )


def _init(root: Path) -> str:
    return f"`feedback-control --home {root} init --kind production`"
