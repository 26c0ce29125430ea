"""Rules of the dbt project, checked on its manifest: those of dbt-project-evaluator, and a few of our own.

An exception to a rule stands in the rule's allow-list with its reason; one that is no longer needed fails, too. Of the
evaluator's rules one is left out on purpose, *rejoining of upstream concepts*: most models join issues to evidence that
was itself measured per issue.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

import dagster_project
from dagster_project.home import DBT_PROJECT, Home
from models_ml.taxonomy import CHANNELS

Node = dict[str, Any]

MOST_PARENTS = 6
"""More tables read than this are too many to keep in mind (the evaluator's `too_many_joins_threshold` is 7)."""

MOST_LEAVES = 3
"""More dead ends than this from one model ask for a model between (the evaluator's `models_fanout_threshold`)."""

PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("fct_", "dim_"), "outbound": ("out_",)}
PUBLIC = ("marts", "outbound")

MANY_PARENTS_ALLOWED = {
    "int_issue_evidence": "gathers every kind of evidence in one row per issue",
    "int_release_correlation": "the verdict on a change: its terms, its strength, and thresholds",
    "int_release_terms": "gathers every kind of evidence in one row per change",
    "int_issue_value_days": "gathers every part of the revenue at risk, by day",
    "out_tickets": "all that a ticket is written from, in one row per issue",
    "fct_issues": "the issue with its priority: evidence, severity, routing, and three reference tables",
}
UNREAD_ALLOWED = {"stg_sync_snapshot": "the state of every ticket in the ledger, for queries by hand"}
MANY_LEAVES_ALLOWED = {"fct_issues": "the issue itself, which every mart about issues joins"}
INTERVALS_ALLOWED: dict[str, str] = {}
PROTECTED_READS_ALLOWED = {
    "int_feedback": "incremental.py plans a build by the warehouse itself, not by the published copy"
}


class Project:
    """The manifest, read by what the rules ask."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        ours = {key: node for key, node in manifest["nodes"].items() if node["package_name"] == "feedback_control"}
        self.models: dict[str, Node] = {key: node for key, node in ours.items() if node["resource_type"] == "model"}
        self.seeds: dict[str, Node] = {key: node for key, node in ours.items() if node["resource_type"] == "seed"}
        self.tests = [node for node in ours.values() if node["resource_type"] == "test"]
        self.sources: dict[str, Node] = manifest["sources"]
        self.exposures: dict[str, Node] = manifest["exposures"]
        self.semantic_models: dict[str, Node] = manifest["semantic_models"]
        self.groups: dict[str, Node] = manifest["groups"]

    def layer(self, key: str) -> str:
        return str(self.models[key]["fqn"][1]) if key in self.models else key.split(".", maxsplit=1)[0]

    def parents(self, key: str) -> list[str]:
        return list(dict.fromkeys(self.models[key]["depends_on"]["nodes"]))

    def children(self, key: str) -> list[str]:
        return [child for child in self.models if key in self.parents(child)]

    def breaking(self, rule: Callable[[str, Node], object]) -> list[str]:
        """The names of the models that break a rule."""
        return sorted(node["name"] for key, node in self.models.items() if rule(key, node))


@pytest.fixture(scope="module")
def project(built: Home) -> Project:
    return Project(json.loads((built.root / "dbt_target" / "manifest.json").read_text(encoding="utf-8")))


def assert_allowed(found: Iterable[str], allowed: Mapping[str, str]) -> None:
    """Fail unless the breaches of a rule are exactly those of its allow-list."""
    assert sorted(found) == sorted(allowed)


def test_a_model_is_named_after_its_layer_and_described_beside_it(project: Project) -> None:
    assert not project.breaking(lambda key, node: not node["name"].startswith(PREFIXES[project.layer(key)]))
    assert not project.breaking(lambda _, node: Path(node["patch_path"] or "").stem != node["name"])


def test_a_source_is_read_by_one_staging_model_which_reads_nothing_else(project: Project) -> None:
    assert not project.breaking(
        lambda key, _: (
            (project.layer(key) == "staging") != any(parent.startswith("source.") for parent in project.parents(key))
        )
    )
    assert not project.breaking(lambda key, _: project.layer(key) == "staging" and len(project.parents(key)) != 1)
    assert [project.sources[key]["name"] for key in project.sources if len(project.children(key)) != 1] == []


def test_models_read_relations_by_reference_only(project: Project) -> None:
    assert not project.breaking(lambda _, node: re.search(r"\b(?:from|join)\s+(?:lake|main)\.", node["raw_code"]))
    assert not project.breaking(lambda key, _: not project.parents(key))


def test_an_intermediate_model_reads_no_public_one(project: Project) -> None:
    assert not project.breaking(
        lambda key, _: (
            project.layer(key) == "intermediate"
            and any(project.layer(parent) in PUBLIC for parent in project.parents(key))
        )
    )


def test_every_model_has_a_reader(project: Project) -> None:
    unread = project.breaking(lambda key, _: project.layer(key) not in PUBLIC and not project.children(key))
    assert_allowed(unread, UNREAD_ALLOWED)


def test_a_view_reads_no_view(project: Project) -> None:
    views = {key for key, node in project.models.items() if node["config"]["materialized"] == "view"}
    assert not project.breaking(lambda key, _: key in views and views & set(project.parents(key)))


def test_no_model_reads_too_many_tables(project: Project) -> None:
    assert_allowed(project.breaking(lambda key, _: len(project.parents(key)) > MOST_PARENTS), MANY_PARENTS_ALLOWED)


def test_no_model_fans_out_to_too_many_dead_ends(project: Project) -> None:
    def leaves(key: str) -> list[str]:
        return [child for child in project.children(key) if not project.children(child)]

    assert_allowed(project.breaking(lambda key, _: len(leaves(key)) > MOST_LEAVES), MANY_LEAVES_ALLOWED)


def test_every_model_and_seed_has_a_tested_primary_key(project: Project) -> None:
    tested: dict[str, set[str]] = {}
    for test in project.tests:
        kind = test.get("test_metadata", {}).get("name")
        if kind in {"unique", "not_null"}:
            tested.setdefault(test["attached_node"], set()).add(f"{kind} {test['column_name']}")
        elif kind == "unique_combination_of_columns":  # it asks for not null, too
            tested.setdefault(test["attached_node"], set()).add("key")
    without = []
    for key, node in {**project.models, **project.seeds}.items():
        found = tested.get(key, set())
        columns = {name.removeprefix("unique ") for name in found if name.startswith("unique ")}
        if "key" not in found and not any(f"not_null {column}" in found for column in columns):
            without.append(node["name"])
    assert without == []


def test_everything_is_described(project: Project) -> None:
    nodes = [*project.models.values(), *project.seeds.values(), *project.sources.values(), *project.exposures.values()]
    assert [node["name"] for node in nodes if not node["description"].strip()] == []
    columns = [
        f"{node['name']}.{column['name']}"
        for key, node in project.models.items()
        if project.layer(key) in PUBLIC
        for column in node["columns"].values()
        if not column["description"].strip()
    ]
    assert columns == []


def test_public_models_have_a_contract_and_the_others_are_not_public(project: Project) -> None:
    def is_wrong(key: str, node: Node) -> bool:
        public = project.layer(key) in PUBLIC
        return bool(node["access"] != ("public" if public else "protected") or node["contract"]["enforced"] != public)

    assert not project.breaking(is_wrong)


def test_python_reads_public_models_only(project: Project) -> None:
    protected = {node["name"] for key, node in project.models.items() if project.layer(key) not in PUBLIC}
    found = {
        node.value
        for path in Path(dagster_project.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in protected
    }
    assert_allowed(found, PROTECTED_READS_ALLOWED)


def test_every_measure_of_the_semantic_models_can_be_computed_from_its_mart(project: Project, built: Home) -> None:
    with duckdb.connect(str(built.warehouse), read_only=True) as warehouse:
        for model in project.semantic_models.values():
            table = model["node_relation"]["alias"]
            for item in (*model["measures"], *model["dimensions"], *model["entities"]):
                warehouse.execute(f"select {item['expr'] or item['name']} from {table}")


def test_exposures_depend_on_public_models(project: Project) -> None:
    public = {key for key in project.models if project.layer(key) in PUBLIC}
    assert [name for name, node in project.exposures.items() if set(node["depends_on"]["nodes"]) - public] == []


def test_every_model_is_in_a_group_that_somebody_owns(project: Project) -> None:
    owners = {node["name"]: node["owner"]["name"] for node in project.groups.values()}
    assert not project.breaking(lambda _, node: not owners.get(node["config"].get("group") or ""))


def test_a_source_has_a_freshness_or_a_reason_for_none(project: Project) -> None:
    def promised(node: Node) -> bool:
        freshness = node.get("freshness") or {}
        return bool((freshness.get("warn_after") or {}).get("count") and node["loaded_at_field"])

    odd = [
        node["name"]
        for node in project.sources.values()
        if promised(node) == bool(node["config"]["meta"].get("no_freshness"))
    ]
    assert odd == []


def test_windows_have_names(project: Project) -> None:
    assert_allowed(project.breaking(lambda _, node: "interval '" in node["raw_code"]), INTERVALS_ALLOWED)


def seed(name: str) -> list[dict[str, str]]:
    with (DBT_PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_channels_are_those_of_the_classifier() -> None:
    assert [row["channel"] for row in seed("channels")] == list(CHANNELS)


@pytest.mark.parametrize(
    ("weights", "model"),
    [("severity_weights", "fct_issue_severity_terms"), ("release_evidence_weights", "int_release_terms")],
)
def test_every_term_of_a_seed_is_measured(project: Project, weights: str, model: str) -> None:
    code = project.models[f"model.feedback_control.{model}"]["raw_code"]
    own = {row["term"] for row in seed(weights) if row.get("explanation") != row["term"]}  # a kind measures itself
    assert {term for term in own if f"'{term}'" not in code} == set()
