"""The dbt project's documentation as one page: descriptions, columns with their types, tests, lineage, exposures."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from dagster_project.decisioning.dbt_build import document
from dagster_project.decisioning.published import Progress, writing
from dagster_project.errors import ConfigurationError
from dagster_project.files import ensure_folder, write_text
from dagster_project.home import DBT_PROJECT, Home

PAGE = "dbt_docs.html"
"""Name of the page under ``HOME/reports``."""


def write_docs(home: Home, progress: Progress = lambda _: None) -> Path:
    """Write the page and return its path. It holds no data, and opens without a server or network.

    Raises:
        ConfigurationError: nothing has been built yet, so no column has a type.
        DecisionError: dbt failed.
    """
    if not home.warehouse.exists():
        raise ConfigurationError(
            f"{home.warehouse} does not exist yet; run `feedback-control --home {home.root} run` first"
        )
    page = home.reports / PAGE
    ensure_folder(home.reports)
    with writing(home, progress), TemporaryDirectory() as folder:
        document(home, Path(folder))
        text = (Path(folder) / "static_index.html").read_text(encoding="utf-8")
        write_text(page, text.replace(str(DBT_PROJECT), DBT_PROJECT.name))  # seeds name their folder in full
    return page
