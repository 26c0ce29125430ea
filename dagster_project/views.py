"""View: a home of its own below another one, for decisions as of a past instant.

It has an own warehouse, published copy, outbound rows and report. It reads the lake of the home that it belongs to by
links, so nothing is landed or labelled twice. As a replay home it sends nothing, and it never touches what its home has
built or published. A view can be removed by hand at any time.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from dagster_project import lake
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from dagster_project.lake_tables import LAKE_TABLES, PLAYBOOK_TABLES


def open_view(home: Home, as_of: datetime) -> Home:
    """The view of a home as of an instant, made if it is not there; a replay home is its own view."""
    if home.kind == "replay":
        return home
    view = home.view(as_of).marked("replay")
    lake.ensure_tables(home)
    for table in LAKE_TABLES:
        if table in PLAYBOOK_TABLES:  # a build writes them
            lake.ensure_table(view, table)
        else:
            _link(view, f"lake/{table}", f"../../../lake/{table}")
    if home.playbook.parent == home.root:
        _link(view, "playbook.yml", "../../playbook.yml")
    return view


def find_view(home: Home, as_of: datetime) -> Home:
    """The view of a home as of an instant.

    Raises:
        ConfigurationError: there is none.
    """
    view = home.view(as_of)
    if not view.published.exists():
        raise ConfigurationError(
            f"no view as of {as_of:%Y-%m-%dT%H:%M:%SZ} in {home.root}; make it with `feedback-control --home"
            f" {home.root} run --as-of {as_of:%Y-%m-%dT%H:%M:%SZ}`"
        )
    return view


def _link(view: Home, place: str, target: str) -> None:
    path = view.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.symlink_to(target)
