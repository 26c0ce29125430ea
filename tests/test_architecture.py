"""docs/architecture.md is a map that can be trusted: its paths exist, its contracts are those that CI checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")


def paths(text: str) -> set[str]:
    """Every path of the repository in backticks; placeholders such as <table> and HOME/ are none."""
    found = re.findall(r"`((?:dagster_project|models_ml|dbt_project|tests|benchmarks|docs|reports)\b[\w./]*)`", text)
    return {path.rstrip("/") for path in found if "/" in path}


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings give, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = {path for path in paths(text) if not (ROOT / path).exists()}
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            missing.add(target)
    assert not missing, f"{page.name}: {sorted(missing)}"


def test_the_map_is_dense() -> None:
    assert len(paths(MAP) | paths(GUIDE)) > 60


def test_every_package_and_every_room_of_the_models_is_on_the_map() -> None:
    folders = {path.parent for path in (ROOT / "dagster_project").glob("*/__init__.py")}
    folders |= {path.parent for path in (ROOT / "dagster_project" / "automation").glob("*/__init__.py")}
    folders |= {path.parent for path in (ROOT / "models_ml").glob("*/__init__.py")}
    folders |= {path for path in (ROOT / "dbt_project" / "models").glob("*") if path.is_dir()} - {
        ROOT / "dbt_project" / "models" / "intermediate"
    }
    folders |= {path for path in (ROOT / "dbt_project" / "models" / "intermediate").glob("*") if path.is_dir()}
    names = {str(path.relative_to(ROOT)) for path in folders}
    assert names <= paths(MAP), f"{sorted(names - paths(MAP))}: add a row to the folders in docs/architecture.md"


def test_every_import_contract_is_explained() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {one["id"] for one in config["tool"]["importlinter"]["contracts"]}
    explained = set(re.findall(r"^\| `([\w-]+)` \|", MAP.split("| contract |")[1].split("\n\n")[0], re.MULTILINE))
    assert explained == contracts, "docs/architecture.md and [tool.importlinter] in pyproject.toml differ"
