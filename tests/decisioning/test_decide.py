"""From labelled feedback to issues, through the real dbt and the real DuckDB."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.decisioning import dbt_build, wording
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.explain import explain, queue
from dagster_project.decisioning.facts import Evidence, read_facts
from dagster_project.decisioning.incremental import forget_build
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.home import DBT_PROJECT, Home
from dagster_project.lake import ensure_tables
from tests.decisioning.lake_builder import LakeBuilder, hours

START = datetime(2026, 3, 1, tzinfo=UTC)
RELEASED = START + timedelta(days=40)
AS_OF = RELEASED + timedelta(days=2)
EARLIER = RELEASED + timedelta(hours=30)


def background(lake: LakeBuilder, product: str = "app") -> None:
    """Six weeks of an ordinary product: praise every hour, one crash and one late parcel a day."""
    for at in hours(START, AS_OF, 1.0):
        version = "2.0" if at >= RELEASED else "1.9"
        lake.complain("praise", at, product=product, platform="android", country="DE", app_version=version)
    for at in hours(START, AS_OF, 24.0):
        lake.complain("app_crash", at, product=product, platform="android", country="DE", app_version="1.9")
        lake.complain("shipping_delivery", at + timedelta(hours=3), product=product, platform="web", country="FR")


def release(lake: LakeBuilder, product: str = "app") -> None:
    for version, at in (("1.9", START), ("2.0", RELEASED)):
        lake.add(
            "releases",
            release_id=f"{product}@{version}",
            product=product,
            version=version,
            environment="production",
            deployed_at=at,
            platform="android",
            known_at=at,
            content_hash="1",
        )


def world(home: Home) -> LakeBuilder:
    """A bad release and a delivery problem in `app`, and a quiet product beside it."""
    lake = LakeBuilder(home)
    background(lake)
    release(lake)
    for at in hours(RELEASED + timedelta(hours=2), AS_OF, 1.5):
        lake.complain("app_crash", at, platform="android", country="DE", app_version="2.0")
    for at in hours(AS_OF - timedelta(days=1), AS_OF, 0.6):
        lake.complain("shipping_delivery", at, platform="web", country="GB", channel="support_ticket")
    background(lake, product="quiet")
    release(lake, product="quiet")
    return lake


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """That world, decided once; a test that decides again takes a `copy`."""
    home = Home(tmp_path_factory.mktemp("decided") / "home").marked("replay")
    world(home).write()
    decide(home, as_of=AS_OF)
    return home


@pytest.fixture
def copy(decided: Home, tmp_path: Path) -> Home:
    home = Home(tmp_path / "copy")
    shutil.copytree(decided.root, home.root)
    return home


def by_type(home: Home) -> dict[str, dict[str, Any]]:
    return {row["issue_type"]: row for row in queue(home)}


def test_a_bad_release_is_found_and_named(decided: Home) -> None:
    crash = by_type(decided)["app_crash"]
    assert (crash["verdict"], crash["suspect_version"]) == ("regression", "2.0")
    assert RELEASED <= crash["detected_at"].replace(tzinfo=UTC) <= RELEASED + timedelta(hours=24)


def test_a_delivery_problem_in_one_country_is_not_blamed_on_the_release(decided: Home) -> None:
    late = by_type(decided)["shipping_delivery"]
    assert (late["scope_country"], late["suspect_release_id"]) == ("GB", None)
    # That it sits in one country clears no release on the word of strangers (tests/faults/test_forged_signals.py).
    assert late["verdict"] == "inconclusive" and not late["rollback_supported"]


def test_a_quiet_product_has_no_issue(decided: Home) -> None:
    assert {row["product"] for row in queue(decided, include_resolved=True)} == {"app"}


def test_severity_is_the_sum_of_its_terms(decided: Home) -> None:
    for row in queue(decided):
        terms = explain(decided, row["issue_id"]).severity_terms
        assert sum(term["points"] for term in terms) == pytest.approx(row["severity_score"])


def test_an_explanation_names_the_release_in_the_text(decided: Home) -> None:
    crash = by_type(decided)["app_crash"]
    text = explain(decided, crash["issue_id"][:9].lower()).as_text()
    assert "app@2.0" in text
    assert "App crashing since Android 2.0 (10 Apr 00:00) — app" in text
    assert "What to do\n  Halt the rollout of Android 2.0 if it is still under way; otherwise bring back 1.9" in text


def test_a_ticket_claims_what_the_evidence_holds_and_nothing_else(decided: Home) -> None:
    crash = by_type(decided)["app_crash"]
    issue = next(one for one in read_queue(decided) if one.issue_id == crash["issue_id"])
    rows = read_mart(decided, "fct_issue_evidence", where={"issue_id": issue.issue_id}).sort("position")
    about = rows.filter(subject="app@2.0")
    body = render(issue, "local").body
    for_it, against_it = (part.split("Seen in")[0] for part in body.split("**For it**")[1].split("**Against it**"))
    assert for_it.count("\n- ") == about.filter(stance="for").height > 0
    assert against_it.count("\n- ") == max(1, about.filter(stance="against").height)
    named = about.filter(measure="version_named").row(0, named=True)
    assert f"- {named['counted']} of {named['total']} complaints with a version name it." in for_it
    correlation = explain(decided, issue.issue_id).candidates[0]
    assert named["counted"] == correlation["issue_feedback_naming_version"]
    assert named["total"] == correlation["issue_feedback_with_version"]
    days = read_mart(decided, "fct_issue_facts", where={"issue_id": issue.issue_id}).row(0, named=True)
    assert f" {days['complaints_latest_day']} complaints on 11 Apr" in body.splitlines()[0]
    assert f"In all {crash['feedback_count']} complaints from {crash['customers_affected']} customers." in body


def test_a_reworded_mart_changes_no_ticket(decided: Home) -> None:
    for issue in read_queue(decided):
        evidence = tuple(item.model_copy(update={"sentence": "against it: nothing"}) for item in issue.evidence)
        assert render(replace(issue, evidence=evidence, summary="All is well."), "x") == render(issue, "x")


def test_a_ticket_without_a_suspect_says_where_it_gathers_and_quotes_from_there(decided: Home) -> None:
    late = by_type(decided)["shipping_delivery"]
    issue = next(one for one in read_queue(decided) if one.issue_id == late["issue_id"])
    ticket = render(issue, "local")
    assert ticket.title.startswith(f"[{issue.priority}] Delivery failing on web in GB since 11 Apr 00:00")
    assert "of the complaints that name a country name GB" in ticket.body
    assert {quote.country for quote in issue.quotes if quote.is_in_scope} == {"GB"}


def test_every_measure_of_the_evidence_has_words(decided: Home) -> None:
    models = (DBT_PROJECT / "models" / "intermediate" / "issues" / "int_issue_evidence_items.sql").read_text()
    written = set(re.findall(r"'change', '(\w+)'", models))
    written = written - {"shift_of_"} | {f"shift_of_{measure}" for measure in ("errors", "latency", "completions")}
    assert {"hours_to_onset", "version_named", "other_scope"} <= written
    kinds = set(
        re.findall(
            r"'(\w+)' as kind", (DBT_PROJECT / "models/intermediate/causes/int_issue_alternatives.sql").read_text()
        )
    )
    crash = read_facts(decided, by_type(decided)["app_crash"]["issue_id"]).popitem()[1]
    for measure in written | kinds:
        item = Evidence(
            kind="change",
            measure=measure,
            stance="for",
            subject="x",
            value=1,
            baseline=1,
            counted=1,
            total=1,
            happened_at=AS_OF,
        )
        words = wording.text("evidence.j2", crash, item=item)
        assert not words.startswith(measure.replace("_", " ")) or measure in ("campaign", "country"), words


def test_the_terms_of_each_candidate_sum_to_its_log_odds(decided: Home) -> None:
    explained = explain(decided, by_type(decided)["app_crash"]["issue_id"])
    for candidate in explained.candidates:
        assert sum(term["contribution"] for term in candidate["terms"]) == pytest.approx(
            candidate["log_odds"], abs=1e-5
        )
    (guilty,) = (row for row in explained.candidates if row["change_id"] == "app@2.0")
    assert {"intercept", "timing", "version_named"} <= {term["term"] for term in guilty["terms"]}
    assert "app@2.0 (intercept 1.00 x -5.2, " in explained.as_text()


def test_a_version_named_in_the_text_counts_where_the_source_names_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lake = LakeBuilder(home)
    background(lake)
    release(lake)
    named = ('{"app_version": ["2.0"]}', '{"app_version": ["1.9", "2.0"]}')
    for number, at in enumerate(hours(RELEASED + timedelta(hours=2), AS_OF, 1.5)):
        lake.complain("app_crash", at, platform="android", channel="support_ticket")
        lake.rows["labels"][-1]["entities"] = named[number % 2]
    lake.write()
    decide(home, as_of=AS_OF)
    (crash,) = queue(home)
    (blamed,) = (row for row in explain(home, crash["issue_id"]).candidates if row["change_id"] == "app@2.0")
    told = read_mart(home, "fct_feedback", ["app_version"], where={"app_version_source": "text"})["app_version"]
    # Every other text names one version. Two of the ordinary crashes are in the issue's time, and have theirs (1.9).
    assert told.to_list() == ["2.0"] * 16
    assert (blamed["issue_feedback_naming_version"], blamed["issue_feedback_with_version"]) == (16, 18)
    assert crash["feedback_count"] == 33


def test_an_unknown_issue_says_which_ones_there_are(decided: Home) -> None:
    with pytest.raises(ConfigurationError, match=by_type(decided)["app_crash"]["issue_id"]):
        explain(decided, "ISS-NOPE")


def test_deciding_twice_gives_byte_equal_outbound_rows_and_readers_survive_the_swap(copy: Home) -> None:
    exported = copy.outbound / "out_tickets.jsonl"
    first = exported.read_bytes()
    forget_build(copy)  # else the decision stands
    with duckdb.connect(str(copy.published), read_only=True) as reader:
        before = reader.execute("select count(*) from fct_issues").fetchone()
        said: list[str] = []
        decide(copy, as_of=AS_OF, progress=said.append)
        assert said[0] == "deciding: dbt builds the models"
        assert reader.execute("select count(*) from fct_issues").fetchone() == before
    assert exported.read_bytes() == first
    assert all(json.loads(line)["as_of"] == "2026-04-12T00:00:00Z" for line in first.decode().splitlines())


@pytest.fixture(scope="module")
def seen_earlier(decided: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same world, decided as of an earlier instant."""
    home = Home(tmp_path_factory.mktemp("earlier") / "home")
    shutil.copytree(decided.root, home.root)
    decide(home, as_of=EARLIER)
    return home


def test_nothing_known_after_the_as_of_instant_is_used(seen_earlier: Home, tmp_path: Path) -> None:
    # The same world with the future cut off must give the same decisions as the whole world seen from then.
    known = Home(tmp_path)
    lake = world(known)
    for table in lake.rows:
        lake.rows[table] = [row for row in lake.rows[table] if as_instant(row["known_at"]) <= EARLIER]
    lake.write()
    decide(known, as_of=EARLIER)
    whole = (seen_earlier.outbound / "out_tickets.jsonl").read_bytes()
    assert (known.outbound / "out_tickets.jsonl").read_bytes() == whole


def as_instant(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def test_issue_ids_stay_the_same_as_time_goes_on(decided: Home, seen_earlier: Home) -> None:
    then = {row["issue_id"] for row in queue(seen_earlier)}
    assert then
    assert then <= {row["issue_id"] for row in queue(decided, include_resolved=True)}


def test_an_issue_is_over_after_its_quiet_hours(copy: Home) -> None:
    decide(copy, as_of=AS_OF + timedelta(days=5))
    statuses = {row["issue_type"]: row["status"] for row in queue(copy, include_resolved=True)}
    assert statuses == {"app_crash": "resolved", "shipping_delivery": "resolved"}


def test_a_history_loaded_at_once_is_not_a_storm(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lake = LakeBuilder(home)
    for at in hours(START, AS_OF, 6.0):
        lake.complain("app_crash", at, known_at=AS_OF - timedelta(hours=1))
    lake.write()
    decide(home, as_of=AS_OF)
    assert queue(home, include_resolved=True) == []


def test_an_empty_lake_decides_nothing_and_does_not_fail(tmp_path: Path) -> None:
    home = Home(tmp_path)
    LakeBuilder(home).write()
    report = decide(home, as_of=AS_OF)
    assert (report.issues_open, report.outbound) == (0, {"out_tickets": 0, "out_mitigations": 0})


def test_a_failing_build_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    LakeBuilder(home).write()
    run_dbt = dbt_build.run_dbt

    def break_before(home: Home, arguments: Sequence[str], **more: Any) -> None:
        """A column that is gone after the check of the lake: what is broken before it is set aside, and heals."""
        for path in (home.lake / "orders").rglob("*.parquet"):
            pl.read_parquet(path).drop("ordered_at").write_parquet(path)
        run_dbt(home, arguments, **more)

    with monkeypatch.context() as patch, pytest.raises(DecisionError, match="dbt did not finish: stg_orders: "):
        patch.setattr(dbt_build, "run_dbt", break_before)
        decide(home, as_of=AS_OF)
    assert not home.published.exists()
    assert decide(home, as_of=AS_OF).issues_open == 0


def test_an_interrupt_in_the_middle_of_dbt_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    ensure_tables(home)
    monkeypatch.setattr(dbt_build, "_PARSED", {})
    # Raised as Python's handler of SIGINT does, whatever handler the process that runs the tests has.
    monkeypatch.setattr(
        "dbt.parser.manifest.ManifestLoader.load", lambda *_: signal.default_int_handler(signal.SIGINT, None)
    )
    with pytest.raises(KeyboardInterrupt):
        dbt_build.run_dbt(home, ["build"])
    assert not (home.root / "broken").exists()
