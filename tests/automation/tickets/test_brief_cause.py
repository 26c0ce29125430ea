"""Cause in the ticket: what speaks for it and against it, what is likelier, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import Issue
from dagster_project.decisioning.facts import Evidence
from tests.automation.support import CHECKOUT, DELIVERY, about
from tests.automation.tickets.briefs import FLAG, section


def against(body: str) -> str:
    return body.split("**Against it**", 1)[1].split("Seen in", 1)[0]


def test_evidence_is_grouped_by_its_stance_and_not_by_its_words() -> None:
    onset = Evidence(kind="change", measure="hours_to_onset", stance="against", value=-10.4)
    older = Evidence(kind="change", measure="complaints_before_change", stance="against", counted=1, total=184)
    evidence = CHECKOUT.evidence + about("shop-app@5.2.0", "Android 5.2.0", onset, older)
    body = render(replace(CHECKOUT, evidence=evidence), "local").body
    for_it = body.split("**For it**")[1].split("**Against it**")[0]
    assert "- 139 of 146 complaints with a version name it." in for_it
    assert "- 31 % of requests fail on it, 0.4 % before." in for_it
    assert "- The first complaint came 10 hours before it went out." in against(body)
    assert "- 1 of 184 complaints is older than it." in against(body)
    assert "10 hours" not in for_it


@pytest.mark.parametrize(
    "sentence", ["speaking against it: it is not sold there", "web; 5.2 is fine. Confidence 91 %", ""]
)
@pytest.mark.parametrize("issue", [CHECKOUT, DELIVERY, FLAG], ids=["release", "none", "flag"])
def test_a_reworded_sentence_changes_nothing_that_a_ticket_claims(issue: Issue, sentence: str) -> None:
    evidence = tuple(item.model_copy(update={"sentence": sentence}) for item in issue.evidence)
    assert render(replace(issue, evidence=evidence, summary=sentence), "github") == render(issue, "github")


@pytest.mark.parametrize(
    "change_id", ["web; 5.2", "against it: 5.2", "5.2 nothing unusual. Confidence 3 %: no_regression."]
)
def test_an_id_with_anything_in_it_stays_one_id(change_id: str) -> None:
    ours = tuple(
        item.model_copy(update={"subject": change_id}) if item.subject == "shop-app@5.2.0" else item
        for item in CHECKOUT.evidence
    )
    before = render(CHECKOUT, "github").body
    after = render(replace(CHECKOUT, evidence=ours, suspect_release_id=change_id), "github").body
    assert after.replace(change_id, "shop-app@5.2.0") == before


def test_without_anything_against_it_the_ticket_says_so() -> None:
    evidence = tuple(item for item in CHECKOUT.evidence if item.stance != "against")
    assert against(render(replace(CHECKOUT, evidence=evidence), "local").body).strip() == (
        "- Nothing in what was measured."
    )


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        ("no_regression", "look outside them"),
        ("inconclusive", "does not settle it"),
        ("insufficient_data", "too little data"),
    ],
)
def test_without_a_suspect_the_brief_says_so(verdict: str, says: str) -> None:
    body = render(replace(DELIVERY, verdict=verdict), "local").body  # type: ignore[arg-type]
    assert says in section(body, "Cause")
    assert "**For it**" not in body
    assert "promo-banner@2026-05-30 16:00, out 2026-05-30 16:00 UTC, under 5 % sure." in body


def test_signals_are_listed_and_none_is_called_independent() -> None:
    body = render(CHECKOUT, "local").body
    assert "Seen in complaints, failing requests, fewer completed steps." in body
    assert "independent" not in body
    assert "Seen in complaints alone: nothing that was measured confirms them yet." in render(DELIVERY, "local").body
    calm = Evidence(kind="technical", measure="error_rate", stance="against", value=0.004, baseline=0.0041)
    assert "Nothing unusual in the error rate (0.4 %, 0.41 % before)." in (
        render(replace(DELIVERY, evidence=(*DELIVERY.evidence, calm)), "local").body
    )


def test_where_complaints_gather_is_a_reason_where_no_change_is() -> None:
    shares = Evidence(
        kind="feedback",
        measure="country_share",
        stance="for",
        subject_title="FR",
        value=0.84,
        baseline=0.35,
        counted=67,
    )
    body = render(replace(DELIVERY, evidence=(*DELIVERY.evidence, shares)), "local").body
    assert "- 84 % of the complaints that name a country name FR; of other feedback 35 %." in section(body, "Cause")


def test_a_likelier_cause_is_named_unless_it_only_repeats_the_place() -> None:
    sale, place = (
        Evidence(kind="alternative", measure=measure, subject=name, subject_title=name, stance="for", share=0.6)
        for measure, name in (("campaign", "campaign summer; sale"), ("country", "country FR"))
    )
    cause = section(render(replace(DELIVERY, evidence=(*DELIVERY.evidence, sale, place)), "local").body, "Cause")
    assert "- A likelier cause (about 60 % sure): `campaign summer; sale` coincides." in cause
    assert "country FR" not in cause


def test_a_measure_that_is_new_is_told_by_name_and_number() -> None:
    new = about("shop-app@5.2.0", "x", Evidence(kind="change", measure="battery_drain", stance="against", value=3.41))
    body = render(replace(CHECKOUT, evidence=CHECKOUT.evidence + new), "local").body
    assert "- battery drain: 3.4." in against(body)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Android 5.2.0 is at 100 %, nothing is left to halt: bring back 5.1.4 or ship a fix."),
        ({"suspect_rollout_percent": 25.0}, "Halt the rollout of Android 5.2.0, which is at 25 %."),
        (
            {"suspect_rollout_percent": None, "suspect_previous_version": None},
            "Halt the rollout of Android 5.2.0 if it is still under way; otherwise ship a fix.",
        ),
        ({"rollback_supported": False}, "What was measured does not yet support undoing it: reproduce it first."),
    ],
)
def test_what_to_do_follows_the_state_of_the_rollout(changes: dict[str, Any], says: str) -> None:
    first = render(replace(CHECKOUT, **changes), "local").body.split("**Do now:** ")[1].split("\n")[0]
    assert says in first
    assert first.endswith(CHECKOUT.recommended_action)


def test_a_flag_is_switched_back_to_what_it_was() -> None:
    assert "**Do now:** Switch `new_cart` off." in render(FLAG, "local").body
    assert "Switch `new_cart` back on." in render(replace(FLAG, suspect_flag_enabled=False), "local").body
    assert "nothing is left to halt" not in render(FLAG, "local").body


def test_without_a_suspect_the_playbook_says_what_to_do() -> None:
    assert "**Do now:** Ask the carriers serving the affected country.\n" in render(DELIVERY, "local").body
    unsettled = render(replace(DELIVERY, verdict="inconclusive"), "local").body
    assert "Look at promo-banner@2026-05-30 16:00 first: it may be the cause." in unsettled
