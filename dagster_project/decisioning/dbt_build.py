"""The dbt build of the warehouse as of one instant, in this process. dbt is the only writer of the warehouse file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from dagster_project.decisioning.incremental import Plan, forget_build, plan, recipe
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.decisioning.published import Progress, writing
from dagster_project.environment import environment
from dagster_project.errors import DecisionError
from dagster_project.files import ensure_folder, set_aside, tell_repair
from dagster_project.home import DBT_PROJECT, Home
from dagster_project.outgoing import excerpt

BUILD = ("build", "--exclude-resource-type", "unit_test")
"""A production build: seeds, models and data tests; unit tests belong in CI."""

Told = Callable[[Any], None]
"""Called with an event of dbt (``EventMsg``)."""

_TARGET = "dbt_target"

_QUIETLY = ("--quiet", "--no-use-colors", "--log-level-file", "none")


def build(
    home: Home,
    *,
    as_of: datetime,
    command: Sequence[str] = BUILD,
    select: Sequence[str] = (),
    told: Told | None = None,
    progress: Progress = lambda _: None,
) -> None:
    """Bring every model up to an instant, incrementally where the last build allows it; one build at a time.

    Args:
        home: the installation.
        as_of: the instant to build for.
        command: dbt's command and its options.
        select: the models to build, by name; none means all. Such a build is not remembered as one of everything.
        told: called with each of dbt's events, from dbt's threads.
        progress: told when another process holds the warehouse.

    Raises:
        ConfigurationError: the playbook is wrong.
        DecisionError: dbt failed; the next build makes everything anew.
    """
    with writing(home, progress):
        land_playbook(home, load_playbook(home.playbook))
        planned = plan(home, as_of)
        chosen = [*command, *(["--select", *select] if select else [])]
        try:
            _build(home, planned, chosen, told)
        except DecisionError as error:
            forget_build(home)
            if planned.rebuild_from is None or not _BROKEN.search(str(error)):
                raise
            tell_repair(f"{home.warehouse} is broken ({error}): all models are built anew")
            planned = plan(home, as_of)
            _build(home, planned, chosen, told)
        if not select:
            planned.remember(home)


_BROKEN = re.compile("IO Error|Corrupt|Serialization Error|INTERNAL Error|FATAL Error|database has been invalidated")
"""DuckDB's words for a damaged file; dbt passes them on as text."""


def _build(home: Home, planned: Plan, command: Sequence[str], told: Told | None) -> None:
    if planned.rebuild_from is None and tuple(command) == BUILD:
        remove_warehouse(home)
    run_dbt(home, [*command, *planned.arguments()], told=told)


def remove_warehouse(home: Home) -> None:
    """Begin a build of everything with a new file, so that no table of a model that is gone stays published."""
    for path in (home.warehouse, home.warehouse.with_name(home.warehouse.name + ".wal")):
        if path.is_dir():
            tell_repair(f"{path} was a folder: it is now {set_aside(path, home.root / 'broken')}")
        path.unlink(missing_ok=True)


def run_dbt(home: Home, arguments: Sequence[str], *, told: Told | None = None) -> None:
    """Run dbt in this process over the home's lake and warehouse; ``told`` is called with each of its events.

    Raises:
        DecisionError: dbt failed; the message carries its first reasons.
    """
    for folder in (home.root, home.root / "logs", home.root / _TARGET):
        ensure_folder(folder)
    with dbt_environment(home):
        outcome = _invoked(_manifest(home), [*_QUIETLY, *arguments, *_folders(home)], told)
    _release_warehouse()
    if not outcome.success:
        raise _failed(outcome)


def document(home: Home, folder: Path) -> None:
    """Write dbt's documentation into a folder, as ``static_index.html``; call it with the warehouse's lock held.

    Parsed, not compiled: compiled models would name the home's folders.

    Raises:
        DecisionError: dbt failed.
    """
    with dbt_environment(home):
        parsed = _invoked(None, [*_QUIETLY, "parse", *_folders(home, folder)])
        outcome = parsed
        if parsed.success:
            generate = ["docs", "generate", "--static", "--no-compile"]
            outcome = _invoked(parsed.result, [*_QUIETLY, *generate, *_folders(home, folder)])
    _release_warehouse()
    if not outcome.success:
        raise _failed(outcome)


def _invoked(manifest: Any, arguments: list[str], told: Told | None = None) -> Any:
    """Outcome of a dbt command. A signal to stop, which dbt hands back as a failure, stops this program as well."""
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner(manifest=manifest, callbacks=[told] if told else None).invoke(arguments)
    if isinstance(outcome.exception, KeyboardInterrupt | SystemExit):
        _release_warehouse()
        raise outcome.exception
    return outcome


_PARSED: dict[str, Any] = {}


def _manifest(home: Home) -> Any:
    """The project as dbt parses it, once per process and state of the project.

    It is parsed without variables: dbt parses everything anew when one of them differs from the time before, and the
    as-of instant always does. What depends on them is only rendered when a model runs.
    """
    state = recipe(home.playbook)
    if state not in _PARSED:
        parse = [*_QUIETLY, "parse", *_folders(home)]
        parsed = _invoked(None, parse)
        if not parsed.success:
            # Parsing without what dbt has kept there tells a broken cache from a broken project.
            place = set_aside(home.root / _TARGET, home.root / "broken")
            parsed = _invoked(None, parse)
            if not parsed.success:
                raise _failed(parsed)
            tell_repair(f"dbt's cache {home.root / _TARGET} was broken: it is now {place}")
        _PARSED[state] = parsed.result
    return _PARSED[state]


def _folders(home: Home, target: Path | None = None) -> list[str]:
    target = target or home.root / _TARGET
    places = {"--project-dir": DBT_PROJECT, "--profiles-dir": DBT_PROJECT, "--target-path": target}
    return [word for option, folder in places.items() for word in (option, str(folder))]


def _failed(outcome: Any) -> DecisionError:
    return DecisionError("dbt did not finish: " + ("; ".join(_failures(outcome.result)) or str(outcome.exception)))


def _release_warehouse() -> None:
    """Close the database that dbt-duckdb keeps open for the life of the process, so that others can read the file."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def dbt_environment(home: Home) -> AbstractContextManager[None]:
    """The environment that dbt's profile reads, restored afterwards."""
    return environment(
        FEEDBACK_HOME=str(home.root),
        DO_NOT_TRACK="1",
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        DBT_LOG_PATH=str(home.root / "logs"),
    )


def _failures(result: Any) -> list[str]:
    """The first failures of a dbt run, one short line each."""
    lines = []
    for item in getattr(result, "results", []) or []:
        if str(item.status) in {"error", "fail", "runtime error"}:
            reason = excerpt(item.message or "", 300)
            lines.append(f"{item.node.name}: {reason}")
    return lines[:3]
