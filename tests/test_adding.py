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

import pytest
import yaml

from dagster_project.automation.destinations import config
from dagster_project.decisioning import incremental
from dagster_project.ingestion import contracts
from dagster_project.simulation.worlds import feedback, must_fire, must_not_roll_back
from dagster_project.simulation.worlds.scenario import BREAKABLE
from models_ml.golden.golden_set import SPLITS, load_golden
from models_ml.taxonomy import CHANNELS, ISSUE_TYPES
from models_ml.text import channels
from models_ml.text.rules import load_rules
from models_ml.training.registry import URGENT

ROOT = Path(__file__).parents[1]
SEEDS, MODELS = ROOT / "dbt_project" / "seeds", ROOT / "dbt_project" / "models"

GOLDEN_TEXTS = {"train": 12, "calibration": 4, "evaluation": 8}
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
NO_DECISION_READS = {
    # What automation did and what could not be read: reported, never decided by.
    *("quarantine", "ticket_events", "sync_runs", "sync_attempts", "sync_snapshot"),
}
NO_STAGING = {"quarantine"}  # read by people and by a check, not by models


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a dbt seed."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def doc(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def complete(wanted: Iterable[str], present: Iterable[str], remedy: str) -> None:
    """Fail with the missing names and the edit that adds them."""
    missing = sorted({*wanted} - {*present})
    assert not missing, f"{', '.join(missing)}: {remedy} (docs/adding.md)"


# ---------- a channel


def test_a_channel_has_every_entry() -> None:
    complete(CHANNELS, contracts.CHANNELS, "add to CHANNELS in dagster_project/ingestion/contracts.py")
    complete(contracts.CHANNELS, CHANNELS, "add to CHANNELS in models_ml/taxonomy.py")
    complete(CHANNELS, channels._STRIP, "add its preparation to _STRIP in models_ml/text/channels.py")
    used = {text.channel for text in load_golden().texts}
    complete(CHANNELS, used, "add texts from it to models_ml/golden/golden.csv")
    listed = re.findall(r"^\| `(\w+)` \|", doc("sources.md").split("## Channels")[1].split("\n## ")[0], re.MULTILINE)
    complete(CHANNELS, listed, "add a row to the table of channels in docs/sources.md")
    readme = (ROOT / "models_ml" / "golden" / "README.md").read_text(encoding="utf-8")
    complete(CHANNELS, re.findall(r"\w+", readme), "name it in the column table of models_ml/golden/README.md")


# ---------- an issue type


def test_issue_types_keep_their_position() -> None:
    first = hashlib.sha256(",".join(ISSUE_TYPES[:20]).encode()).hexdigest()[:12]
    assert first == "57af531f952c", (
        "trained models store issue types by position: append rows to dbt_project/seeds/taxonomy.csv, never reorder"
    )


@pytest.mark.parametrize("split", SPLITS)
def test_an_issue_type_has_golden_texts(split: str) -> None:
    counts = Counter(text.issue_type for text in load_golden().texts if text.split == split)
    enough = [name for name in ISSUE_TYPES if counts[name] >= GOLDEN_TEXTS[split]]
    complete(ISSUE_TYPES, enough, f"add texts in split {split} to models_ml/golden/golden.csv")


def test_an_issue_type_has_a_rule_or_an_exemption() -> None:
    forced = {rule.types[0] for rule in load_rules().rules if rule.forces}
    complete(ISSUE_TYPES, forced | NO_FORCING_RULE, "add a forcing rule to models_ml/text/rules.yml")


def test_an_issue_type_has_a_journey_an_owner_and_a_service_or_an_exemption() -> None:
    rows = {row["issue_type"]: row for row in seed("taxonomy")}
    steps = {*contracts.FUNNEL_STEPS, "none"}
    known = [name for name, row in rows.items() if row["journey"] and row["funnel_step"] in steps]
    complete(ISSUE_TYPES, known, "give it a journey and a funnel_step in dbt_project/seeds/taxonomy.csv")
    owned = [name for name, row in rows.items() if row["default_owner"] != "nobody" or row["actionable"] == "false"]
    complete(ISSUE_TYPES, owned, "give it a default_owner in dbt_project/seeds/taxonomy.csv")
    served = {row["issue_type"] for row in seed("service_map")}
    complete(ISSUE_TYPES, served | NO_SERVICE, "add its services to dbt_project/seeds/service_map.csv")


def test_an_issue_type_has_actions_or_takes_the_defaults() -> None:
    rules = yaml.safe_load((ROOT / "playbook.yml").read_text(encoding="utf-8"))["rules"]
    complete(ISSUE_TYPES, {*rules} | DEFAULT_ACTIONS, "add a rule to playbook.yml")
    complete(rules, ISSUE_TYPES, "the rule names no issue type; mend playbook.yml")


def test_an_issue_type_that_is_urgent_is_confirmed() -> None:
    remedy = "journey_weight makes it urgent for promotion; confirm in URGENT_CONFIRMED of tests/test_adding.py"
    complete(URGENT, URGENT_CONFIRMED, remedy)
    complete(URGENT_CONFIRMED, URGENT, "no longer urgent; raise journey_weight in dbt_project/seeds/taxonomy.csv")


def test_an_issue_type_is_simulated() -> None:
    place = "dagster_project/simulation/worlds"
    complete(ISSUE_TYPES, feedback._MIX, f"add its share to _MIX in {place}/feedback.py")
    stories = inspect.getsource(must_fire) + inspect.getsource(must_not_roll_back)
    told = {name for name in ISSUE_TYPES if f'"{name}"' in stories}
    complete(ISSUE_TYPES, told | {*BREAKABLE} | NO_SCENARIO, f"add to BREAKABLE or to a scenario in {place}")


# ---------- a term of severity, a term of release evidence


def test_a_severity_term_has_an_expression_and_a_row_in_the_docs() -> None:
    terms = [row["term"] for row in seed("severity_weights")]
    model = MODELS / "marts" / "fct_issue_severity_terms.sql"
    written = re.findall(r"when '(\w+)' then", model.read_text(encoding="utf-8"))
    complete(terms, written, f"add `when '<term>' then` to {model.relative_to(ROOT)}")
    complete(written, terms, "add a row to dbt_project/seeds/severity_weights.csv")
    table = doc("decisions.md").split("## How bad, how urgent")[1]
    complete(terms, re.findall(r"\| (\w+) \|", table), "add it to the table of severity terms in docs/decisions.md")


def test_a_release_term_has_an_expression_and_a_row_in_the_docs() -> None:
    constants = {"intercept", "alternative"}  # log-odds before any evidence
    terms = [row["term"] for row in seed("release_evidence_weights") if row["term"] not in constants]
    causes = MODELS / "intermediate" / "causes"
    models = [*causes.glob("int_release_terms.sql"), *causes.glob("int_issue_alternatives.sql")]
    models += [MODELS / "marts" / "fct_release_correlation.sql"]
    written = "\n".join(path.read_text(encoding="utf-8") for path in models)
    complete(terms, re.findall(r"\w+", written), f"add its expression to {models[0].relative_to(ROOT)}")
    table = doc("decisions.md").split("## Tying it to a release")[1]
    complete(terms, re.findall(r"^\| (\w+) \|", table, re.MULTILINE), "add it to the tables in docs/decisions.md")


# ---------- a destination


def test_a_destination_has_every_entry() -> None:
    union = get_args(config.Settings)[0]
    kinds = {get_args(settings.model_fields["kind"].annotation)[0] for settings in get_args(union)}
    folder = ROOT / "dagster_project" / "automation" / "destinations"
    files = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    present = re.findall(r'kind: Literal\["(\w+)"\]', files)
    complete(present, kinds, "add its settings to the union in dagster_project/automation/destinations/config.py")
    table = doc("destinations.md").split("```")[0]
    complete(kinds, re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE), "add a row to docs/destinations.md")
    tests = ROOT / "tests" / "automation" / "destinations"
    tested = "\n".join(path.read_text(encoding="utf-8") for path in tests.glob("test_contract*.py"))
    complete(kinds, re.findall(r'"(\w+)"', tested), "add a Subject to tests/automation/destinations/test_contract.py")


# ---------- a lake table


def test_a_lake_table_has_every_entry() -> None:
    tables = {*contracts.TABLES, *contracts.FURTHER_TABLES, "labels"}
    sources = yaml.safe_load((MODELS / "staging" / "_sources.yml").read_text(encoding="utf-8"))["sources"]
    declared = {table["name"]: table.get("description") for table in sources[0]["tables"]}
    described = {name for name, text in declared.items() if text}
    complete(tables, described | NO_STAGING, "describe it in dbt_project/models/staging/_sources.yml")
    staged = {path.stem.removeprefix("stg_") for path in (MODELS / "staging").glob("stg_*.sql")}
    complete(tables, staged | NO_STAGING, "add stg_<table>.sql to dbt_project/models/staging")
    module = inspect.getsource(incremental)
    place = "dagster_project/decisioning/incremental.py"
    complete(tables - NO_DECISION_READS, re.findall(r'"(\w+)"', module), f"add it to _EARLIEST in {place}")
