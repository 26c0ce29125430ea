"""The dbt build of the warehouse as of one instant, in this process. dbt is the only writer of the warehouse file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from dagster_project.decisioning.incremental import plan, recipe
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.decisioning.published import Progress, writing
from dagster_project.errors import DecisionError
from dagster_project.home import DBT_PROJECT, Home
from dagster_project.outgoing import excerpt

BUILD = ("build", "--exclude-resource-type", "unit_test")
"""A production build: seeds, models and data tests; unit tests belong in CI."""

_QUIETLY = ("--quiet", "--no-use-colors", "--log-level-file", "none")


def build(home: Home, *, as_of: datetime, command: Sequence[str] = BUILD, progress: Progress = lambda _: None) -> None:
    """Bring every model up to an instant, incrementally where the last build allows it; one build at a time.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the next build makes everything anew.
    """
    with writing(home, progress):
        land_playbook(home, load_playbook())
        planned = plan(home, as_of)
        if planned.rebuild_from is None and command == BUILD:
            remove_warehouse(home)
        run_dbt(home, [*command, *planned.arguments()])
        planned.remember(home)


def remove_warehouse(home: Home) -> None:
    """Begin a build of everything with a new file, so that no table of a model that is gone stays published."""
    for path in (home.warehouse, home.warehouse.with_name(home.warehouse.name + ".wal")):
        path.unlink(missing_ok=True)


def run_dbt(home: Home, arguments: Sequence[str]) -> None:
    """Run dbt in this process over the home's lake and warehouse.

    Raises:
        DecisionError: dbt failed; the message carries its first reasons.
    """
    from dbt.cli.main import dbtRunner

    home.root.mkdir(parents=True, exist_ok=True)
    with dbt_environment(home):
        outcome = dbtRunner(manifest=_manifest(home)).invoke([*_QUIETLY, *arguments, *_folders(home)])
    _release_warehouse()
    if not outcome.success:
        raise _failed(outcome)


_PARSED: dict[str, Any] = {}


def _manifest(home: Home) -> Any:
    """The project as dbt parses it, once per process and state of the project.

    It is parsed without variables: dbt parses everything anew when one of them differs from the time before, and the
    as-of instant always does. What depends on them is only rendered when a model runs.
    """
    from dbt.cli.main import dbtRunner

    state = recipe()
    if state not in _PARSED:
        parsed = dbtRunner().invoke([*_QUIETLY, "parse", *_folders(home)])
        if not parsed.success:
            raise _failed(parsed)
        _PARSED[state] = parsed.result
    return _PARSED[state]


def _folders(home: Home) -> list[str]:
    places = {"--project-dir": DBT_PROJECT, "--profiles-dir": DBT_PROJECT, "--target-path": home.root / "dbt_target"}
    return [word for option, folder in places.items() for word in (option, str(folder))]


def _failed(outcome: Any) -> DecisionError:
    return DecisionError("dbt did not finish: " + ("; ".join(_failures(outcome.result)) or str(outcome.exception)))


def _release_warehouse() -> None:
    """Close the database that dbt-duckdb keeps open for the life of the process, so that others can read the file."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


@contextmanager
def dbt_environment(home: Home) -> Iterator[None]:
    """The environment that dbt's profile reads, restored afterwards."""
    wanted = {
        "FEEDBACK_HOME": str(home.root),
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_LOG_PATH": str(home.root / "logs"),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _failures(result: Any) -> list[str]:
    """The first failures of a dbt run, one short line each."""
    lines = []
    for item in getattr(result, "results", []) or []:
        if str(item.status) in {"error", "fail", "runtime error"}:
            reason = excerpt(item.message or "", 300)
            lines.append(f"{item.node.name}: {reason}")
    return lines[:3]
