"""What assets need from the outside: the home they work in, and dbt."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from dagster import ConfigurableResource
from dagster_dbt import DbtProject

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


def dbt_project() -> DbtProject:
    """The dbt project with its manifest; it is parsed when the manifest is missing or older than the models."""
    project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)
    folders = ("models", "seeds", "macros", "tests")
    sources = [path for folder in folders for path in (DBT_PROJECT / folder).rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in [DBT_PROJECT / "dbt_project.yml", *sources])
    if not project.manifest_path.exists() or project.manifest_path.stat().st_mtime < newest:
        os.environ.setdefault("FEEDBACK_HOME", str(Home.locate().root))
        project.preparer.prepare(project)
    return project
