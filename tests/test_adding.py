"""Completeness of what recurs: docs/adding.md lists the edits, and each test here names the file that was forgotten."""

from __future__ import annotations

import csv
import hashlib
import inspect
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import yaml

from dagster_project.automation.actuators.config import KINDS
from dagster_project.automation.destinations import config
from dagster_project.decisioning import incremental
from dagster_project.lake_tables import FUNNEL_STEPS, LAKE_TABLES
from dagster_project.simulation.worlds import feedback, must_fire, must_not_roll_back
from dagster_project.simulation.worlds.scenario import BREAKABLE
from models_ml.evaluation.baselines import KEYWORDS
from models_ml.golden.golden_set import Split, load_golden
from models_ml.taxonomy import CHANNELS, ISSUE_TYPES
from models_ml.text import channels
from models_ml.text.rules import load_rules
from models_ml.training.registry import URGENT

ROOT = Path(__file__).parents[1]
SEEDS, MODELS = ROOT / "dbt_project" / "seeds", ROOT / "dbt_project" / "models"

GOLDEN_TEXTS: dict[Split, int] = {"train": 12, "calibration": 4, "evaluation": 8}
"""Texts of each issue type that each split needs at least."""

# Exemptions: what has no entry on purpose, and why.
NO_FORCING_RULE = {"other"}  # the answer when nothing is clear
NO_SERVICE = {
    # Happens outside our services, or in the interface alone.
    *("ui_usability", "inventory_availability", "shipping_delivery", "product_defect", "packaging"),
    *("pricing_expectation", "returns_refunds", "customer_service", "security_privacy"),
    *("feature_request", "praise", "other"),
}
DEFAULT_ACTIONS = {
    # The playbook's defaults say all there is to say in general.
    *("performance", "search_discovery", "feature_bug", "ui_usability", "product_defect", "packaging"),
    *("billing_subscription", "returns_refunds", "customer_service", "feature_request", "praise", "other"),
}
NO_SCENARIO = {"product_defect", "packaging", "returns_refunds"}  # told apart from other types by the texts alone
URGENT_CONFIRMED = {"checkout_failure", "payment_failure", "login_account", "app_crash", "security_privacy"}


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a dbt seed."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def doc(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def missing(wanted: Iterable[str], present: Iterable[str], remedy: str) -> list[str]:
    """One line per missing name, with the edit that adds it."""
    return [f"{name}: {remedy}" for name in sorted({*wanted} - {*present})]


def complete(*lines: list[str]) -> None:
    """Fail with every missing entry at once."""
    found = [one for own in lines for one in own]
    assert not found, "\n".join(["forgotten (docs/adding.md lists every edit):", *found])


# ---------- a channel


def test_a_channel_has_every_entry() -> None:
    used = {text.channel for text in load_golden().texts}
    listed = re.findall(r"^\| `(\w+)` \|", doc("sources.md"), re.MULTILINE)
    readme = (ROOT / "models_ml" / "golden" / "README.md").read_text(encoding="utf-8")
    complete(
        missing(CHANNELS, channels._STRIP, "add its preparation to _STRIP in models_ml/text/channels.py"),
        missing(CHANNELS, used, "add texts from it to models_ml/golden/golden.csv"),
        missing(CHANNELS, listed, "add a row to the table of channels in docs/sources.md"),
        missing(CHANNELS, re.findall(r"\w+", readme), "name it in the columns table of models_ml/golden/README.md"),
    )


# ---------- an issue type


def test_issue_types_keep_their_position() -> None:
    first = hashlib.sha256(",".join(ISSUE_TYPES[:20]).encode()).hexdigest()[:12]
    assert first == "57af531f952c", (
        "trained models store issue types by position: append rows to dbt_project/seeds/taxonomy.csv, never reorder"
    )


def test_an_issue_type_has_what_the_classifier_needs() -> None:
    counts: Counter[tuple[str, str]] = Counter((text.split, text.issue_type) for text in load_golden().texts)
    texts = [
        missing(
            ISSUE_TYPES,
            [name for name in ISSUE_TYPES if counts[split, name] >= least],
            f"add texts to models_ml/golden/golden.csv, at least {least} in split {split}",
        )
        for split, least in GOLDEN_TEXTS.items()
    ]
    forced = {rule.types[0] for rule in load_rules().rules if rule.forces}
    complete(
        *texts,
        missing(ISSUE_TYPES, forced | NO_FORCING_RULE, "add a forcing rule to models_ml/text/rules.yml"),
        missing(ISSUE_TYPES, KEYWORDS, "add keywords to KEYWORDS in models_ml/evaluation/baselines.py"),
        missing(URGENT, URGENT_CONFIRMED, "journey_weight makes it urgent; confirm that in tests/test_adding.py"),
        missing(URGENT_CONFIRMED, URGENT, "no longer urgent; see journey_weight in dbt_project/seeds/taxonomy.csv"),
    )


def test_an_issue_type_has_what_the_decisions_need() -> None:
    rows = {row["issue_type"]: row for row in seed("taxonomy")}
    steps = {*FUNNEL_STEPS, "none"}
    placed = [name for name, row in rows.items() if row["journey"] and row["funnel_step"] in steps]
    owned = [name for name, row in rows.items() if row["default_owner"] != "nobody" or row["actionable"] == "false"]
    served = {row["issue_type"] for row in seed("service_map")}
    rules = yaml.safe_load((ROOT / "playbook.yml").read_text(encoding="utf-8"))["rules"]
    complete(
        missing(ISSUE_TYPES, placed, "give it a journey and a funnel_step in dbt_project/seeds/taxonomy.csv"),
        missing(ISSUE_TYPES, owned, "give it a default_owner in dbt_project/seeds/taxonomy.csv"),
        missing(ISSUE_TYPES, served | NO_SERVICE, "add its services to dbt_project/seeds/service_map.csv"),
        missing(ISSUE_TYPES, {*rules} | DEFAULT_ACTIONS, "add a rule to playbook.yml"),
        missing(rules, ISSUE_TYPES, "the rule names no issue type; correct playbook.yml"),
    )


def test_an_issue_type_is_simulated() -> None:
    place = "dagster_project/simulation/worlds"
    stories = inspect.getsource(must_fire) + inspect.getsource(must_not_roll_back)
    in_a_scenario = {name for name in ISSUE_TYPES if f'"{name}"' in stories}
    covered = in_a_scenario | {*BREAKABLE} | NO_SCENARIO
    complete(
        missing(ISSUE_TYPES, feedback._MIX, f"add its share to _MIX in {place}/feedback.py"),
        missing(ISSUE_TYPES, covered, f"add it to BREAKABLE in {place}/scenario.py, or to a scenario in {place}"),
    )


# ---------- a term of severity, a term of release evidence


def test_a_severity_term_has_an_expression_and_a_row_in_the_docs() -> None:
    terms = [row["term"] for row in seed("severity_weights")]
    model = MODELS / "marts" / "fct_issue_severity_terms.sql"
    written = re.findall(r"when '(\w+)' then", model.read_text(encoding="utf-8"))
    listed = re.findall(r"\| (\w+) (?=\|)", doc("decisions.md"))
    complete(
        missing(terms, written, f"add `when '<term>' then` to {model.relative_to(ROOT)}"),
        missing(written, terms, "add a row to dbt_project/seeds/severity_weights.csv"),
        missing(terms, listed, "add it to the table of severity terms in docs/decisions.md"),
    )


def test_a_release_term_has_an_expression_and_a_row_in_the_docs() -> None:
    constants = {"intercept", "alternative"}  # log-odds before any evidence
    terms = [row["term"] for row in seed("release_evidence_weights") if row["term"] not in constants]
    causes = MODELS / "intermediate" / "causes"
    models = [*causes.glob("int_release_terms.sql"), *causes.glob("int_issue_alternatives.sql")]
    models += [MODELS / "marts" / "fct_release_correlation.sql"]
    written = "\n".join(path.read_text(encoding="utf-8") for path in models)
    listed = re.findall(r"^\| (\w+) \|", doc("decisions.md"), re.MULTILINE)
    complete(
        missing(terms, re.findall(r"\w+", written), f"add its expression to {models[0].relative_to(ROOT)}"),
        missing(terms, listed, "add it to the tables in docs/decisions.md"),
    )


# ---------- a destination


def test_a_destination_has_every_entry() -> None:
    union = get_args(config.Settings)[0]
    kinds = {get_args(settings.model_fields["kind"].annotation)[0] for settings in get_args(union)}
    folder = ROOT / "dagster_project" / "automation" / "destinations"
    files = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    present = re.findall(r'kind: Literal\["(\w+)"\]', files)
    listed = re.findall(r"^\| `(\w+)` \|", doc("destinations.md").split("```")[0], re.MULTILINE)
    tests = ROOT / "tests" / "automation" / "destinations"
    tested = "\n".join(path.read_text(encoding="utf-8") for path in tests.glob("test_contract*.py"))
    place = "tests/automation/destinations/test_contract.py"
    complete(
        missing(present, kinds, "add its settings to `Settings` in dagster_project/automation/destinations/config.py"),
        missing(present, listed, "add a row to the table of kinds in docs/destinations.md"),
        missing(present, re.findall(r'"(\w+)"', tested), f"add a Subject to {place}"),
    )


# ---------- a control system


def test_a_control_system_has_every_entry() -> None:
    folder = ROOT / "dagster_project" / "automation" / "actuators"
    files = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    present = re.findall(r'kind: Literal\["(\w+)"\]', files)
    page = doc("control_systems.md")
    tests = ROOT / "tests" / "automation" / "actuators"
    tested = "\n".join(path.read_text(encoding="utf-8") for path in tests.glob("*.py"))
    complete(
        missing(present, KINDS, "add its settings to `KINDS` in dagster_project/automation/actuators/config.py"),
        missing(present, re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE), "add a row to docs/control_systems.md"),
        missing(present, re.findall(r"\{kind: (\w+)", page), "add an example target to docs/control_systems.md"),
        missing(present, re.findall(r'"(\w+)"', tested), "add a Subject to tests/automation/actuators/subjects.py"),
    )


# ---------- a lake table


def test_a_lake_table_has_every_entry() -> None:
    tables = {name for name, table in LAKE_TABLES.items() if table.in_dbt}
    sources = yaml.safe_load((MODELS / "staging" / "_sources.yml").read_text(encoding="utf-8"))["sources"]
    described = {table["name"] for table in sources[0]["tables"] if table.get("description")}
    staged = {path.stem.removeprefix("stg_") for path in (MODELS / "staging").glob("stg_*.sql")}
    place = "dagster_project/decisioning/incremental.py"
    complete(
        missing(tables, described, "describe it in dbt_project/models/staging/_sources.yml"),
        missing(tables, staged, "add stg_<table>.sql to dbt_project/models/staging"),
        missing(tables, incremental._KNOWN | incremental._READ_WHOLE, f"add it to _EARLIEST in {place}"),
    )
