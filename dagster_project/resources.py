"""What assets need from the outside: the home they work in, and dbt."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dagster import ConfigurableResource, InitLoggerContext, logger
from dagster_dbt import DbtCliResource, DbtProject

from dagster_project.home import DBT_PROJECT, Home


class HomeResource(ConfigurableResource[Home]):
    """The installation that the assets work on; empty settings mean what the command line means by its defaults."""

    root: str = ""
    sources: str = ""

    def home(self) -> Home:
        """The home, made if it is not there yet."""
        home = Home.locate(self.root or None)
        home.root.mkdir(parents=True, exist_ok=True)
        return home

    def sources_path(self) -> Path:
        """The ``sources.yml`` of this installation."""
        return self.home().sources(self.sources or None)


def now() -> datetime:
    """The current instant, to the second: what an unpinned run uses as its as-of."""
    return datetime.now(UTC).replace(microsecond=0)


@cache
def dbt_project() -> DbtProject:
    """The dbt project with its manifest; it is parsed when the manifest is missing or older than the models."""
    _put_dbt_on_path()
    os.environ.setdefault("FEEDBACK_HOME", str(Home.locate().root))
    project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)
    folders = ("models", "seeds", "macros", "tests")
    sources = [path for folder in folders for path in (DBT_PROJECT / folder).rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in [DBT_PROJECT / "dbt_project.yml", *sources])
    if not project.manifest_path.exists() or project.manifest_path.stat().st_mtime < newest:
        project.preparer.prepare(project)
    return project


def dbt_resource() -> DbtCliResource:
    """Dbt's command line."""
    return DbtCliResource(project_dir=dbt_project())


def _put_dbt_on_path() -> None:
    """Dagster calls ``dbt`` by name: let it be the one of this environment, whether or not it is activated."""
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])


def _meta(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "dagster_meta", {})


class _Plain(logging.Formatter):
    """The message alone; Dagster puts run and step before it, which the event log has anyway."""

    def format(self, record: logging.LogRecord) -> str:
        meta = _meta(record)
        return (
            f"{record.levelname.lower()}: {meta['orig_message']}"
            if record.levelno > logging.INFO
            else meta["orig_message"]
        )


@logger
def plain_console(init_context: InitLoggerContext) -> logging.Logger:
    """What the stages report, one line each, without Dagster's own events: for runs started from a terminal."""
    console = logging.Logger("feedback-control", logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain())
    handler.addFilter(lambda record: _meta(record).get("dagster_event") is None)
    console.addHandler(handler)
    return console
