"""docs/architecture.md is a map that can be trusted: its paths exist, its contracts are those that CI checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")


def paths(text: str) -> set[str]:
    """Every path of the repository in backticks; placeholders such as <table> and HOME/ are none."""
    found = re.findall(r"`((?:dagster_project|models_ml|dbt_project|tests|benchmarks|docs|reports)\b[\w./]*)`", text)
    return {path.rstrip("/") for path in found if "/" in path}


def test_every_path_exists() -> None:
    named = paths(MAP) | paths(GUIDE)
    assert len(named) > 60
    missing = {path for path in named if not (ROOT / path).exists()}
    assert not missing, f"{sorted(missing)}: mend docs/architecture.md or docs/adding.md"


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
