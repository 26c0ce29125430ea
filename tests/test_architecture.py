"""Docs that can be trusted: paths and links lead somewhere, the map's contracts are those that CI checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
IN_HOME = {"reports/closed_loop.html"}
"""Paths of the docs that are in a home, not in the repository."""


def paths(text: str) -> set[str]:
    """Every path of the repository in backticks; placeholders such as <table> and HOME/ are none."""
    found = re.findall(r"`((?:dagster_project|models_ml|dbt_project|tests|benchmarks|docs|reports)\b[\w./]*)`", text)
    return {path.rstrip("/") for path in found if "/" in path}


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_path_exists() -> None:
    named = {path: page.name for page, text in PAGES.items() for path in paths(text) - IN_HOME}
    assert len(named) > 60
    missing = {path: page for path, page in named.items() if not (ROOT / path).exists()}
    assert not missing, f"{missing}: mend these pages"


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    broken = []
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            known = anchors(target.read_text(encoding="utf-8")) if anchor and target.is_file() else set()
            if "://" not in link and (not target.exists() or (anchor and anchor not in known)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


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
