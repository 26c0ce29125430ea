"""The ticket reads like an incident brief, says the same for the same row, and carries its marker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from dagster_project.automation.ticket import carries, marker_line
from dagster_project.automation.tickets.brief import BODY_LIMIT, marker_of, note_between, render
from dagster_project.automation.tickets.issues import Evidence, Issue, Quote
from tests.automation.support import CHECKOUT, DELIVERY, resolved
from tests.automation.text.test_sanitize import HOSTILE, shown, tokens


def section(body: str, heading: str) -> str:
    return body.split(f"### {heading}", 1)[1].split("\n### ", 1)[0]


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "[P1] Checkout failing on Android 5.2.0 — shop-app"),
        ({"scope_platform": None}, "[P1] Checkout failing in version 5.2.0 — shop-app"),
        ({"scope_version": None, "suspect_version": None}, "[P1] Checkout failing on Android — shop-app"),
        (
            {"scope_country": "DE", "scope_feature": "promo"},
            "[P1] Checkout failing on Android 5.2.0 in DE around promo — shop-app",
        ),
        ({"product": "shop\n@everyone #1"}, "[P1] Checkout failing on Android 5.2.0 — shop @\u200beveryone #\u200b1"),
    ],
)
def test_the_title_says_what_where_and_how_urgent(changes: dict[str, str | None], title: str) -> None:
    assert render(replace(CHECKOUT, **changes), "github").title == title  # type: ignore[arg-type]


def test_the_brief_as_a_whole() -> None:
    expected = Path(__file__).with_name("brief_expected.md").read_text(encoding="utf-8")
    assert render(CHECKOUT, "github").body + "\n" == expected


def test_the_same_row_gives_the_same_bytes_and_the_destination_only_changes_the_marker() -> None:
    first, again, elsewhere = render(CHECKOUT, "github"), render(CHECKOUT, "github"), render(CHECKOUT, "local")
    assert first == again and first.content_hash == again.content_hash
    assert first.body.replace(first.marker, elsewhere.marker) == elsewhere.body
    assert first.marker != elsewhere.marker


def test_the_marker_is_stable_for_ever() -> None:
    # Changing how it is made would open every ticket anew.
    assert marker_of("ISS-4F0C11AA92", "github") == "aa539c0114eb1bfdd6786c3f"


def test_the_suspect_has_evidence_for_and_against() -> None:
    against = (
        "shop-app@5.2.0 went out 2026-05-31 08:10; 139 of 184 complaints name it; against it: it is not sold there"
    )
    evidence = (
        Evidence(kind="technical", statement="Error rate 0.8 % since the onset, 0.8 % before: nothing unusual."),
        Evidence(kind="change", statement=f"{against}. Confidence 62 %: regression."),
    )
    suspect = section(render(replace(CHECKOUT, evidence=evidence), "local").body, "Suspect")
    for_it, against_it = suspect.split("**Against it**")
    assert "- It went out 2026-05-31 08:10." in for_it
    assert "- 139 of 184 complaints name it." in for_it
    assert "- It is not sold there." in against_it
    assert "nothing unusual" in against_it


@pytest.mark.parametrize(
    ("verdict", "heading", "says"),
    [
        ("no_regression", "none", "look outside them"),
        ("inconclusive", "not settled", "does not settle it"),
        ("insufficient_data", "none", "too little data"),
    ],
)
def test_without_a_suspect_the_brief_says_so(verdict: str, heading: str, says: str) -> None:
    suspect = section(render(replace(DELIVERY, verdict=verdict), "local").body, "Suspect")  # type: ignore[arg-type]
    assert suspect.startswith(f": {heading}\n")
    assert says in suspect
    assert "**For it**" not in suspect
    assert "Confidence 4 %: no regression." in suspect


def test_severity_shows_its_terms_and_names_the_silent_ones() -> None:
    severity = section(render(CHECKOUT, "local").body, "How severe")
    assert "| 17.2 | 20 | volume | complaints above what was expected" in severity
    assert "| **79.2** | 100 | **severity** | |" in severity
    assert "No points for customer value, support." in severity


def test_money_of_unknown_currency_is_a_plain_number() -> None:
    assert "about 12,430, in the currency of the orders" in render(CHECKOUT, "local").body
    assert "**Revenue at risk:** none that was measured" in render(DELIVERY, "local").body


def test_words_of_customers_alone_are_called_that() -> None:
    assert "nothing measured confirms them yet" in render(DELIVERY, "local").body
    assert "4 independent kinds of signal agree." in render(CHECKOUT, "local").body


def test_a_resolved_issue_asks_for_nothing() -> None:
    ticket = render(resolved(CHECKOUT), "local")
    assert ticket.status == "resolved"
    assert ticket.body.startswith("**Resolved 2026-06-03 12:00 UTC.** While it lasted,")


def test_no_quotes_no_section() -> None:
    assert "In customers' words" not in render(replace(CHECKOUT, quotes=()), "local").body


def hostile_everywhere(text: str) -> Issue:
    about_the_change = Evidence(kind="change", statement=f"{text} {text}. Confidence 1 %: regression.")
    return replace(
        CHECKOUT,
        issue_id=text,
        product=text,
        issue_title=text,
        scope_platform=text,
        scope_version=text,
        scope_country=text,
        scope_feature=text,
        suspect_release_id=text,
        owner=text,
        recommended_action=text,
        summary=text,
        evidence=(Evidence(kind=text, statement=text), about_the_change),
        quotes=(Quote(text=text, channel=text, occurred_at=text, country=text, app_version=text),),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_reach_nobody_from_anywhere_in_the_ticket(text: str) -> None:
    ticket = render(hostile_everywhere(text), "github")
    parsed = tokens(ticket.body)
    assert not [token for token in parsed if token.type in ("image", "link_open", "html_inline")]
    html = [token.content.strip() for token in parsed if token.type == "html_block"]
    assert html == [marker_line(ticket.marker)]  # the only HTML is our own, and nobody can forge it
    for word in ("@octocat", "@acme", "@everyone", "#12", "GH-99", "://"):
        assert word not in shown(ticket.body)
    assert not [label for label in ticket.labels if "," in label or len(label) > 60]


def test_hostile_values_do_not_change_the_structure() -> None:
    def headings(issue: Issue) -> int:
        parsed = MarkdownIt("commonmark").enable("table").parse(render(issue, "x").body)
        return sum(token.type == "heading_open" for token in parsed)

    assert {headings(hostile_everywhere(text)) for text in HOSTILE} == {headings(CHECKOUT)}


def test_an_endless_brief_is_cut_and_keeps_its_marker() -> None:
    evidence = tuple(Evidence(kind="feedback", statement=f"{i} " + "word " * 500) for i in range(200))
    ticket = render(replace(CHECKOUT, evidence=evidence), "github")
    assert len(ticket.body) < BODY_LIMIT + 500
    assert "Cut here" in ticket.body
    assert carries(ticket.body, ticket.marker)


def test_no_instant_of_the_run_is_in_the_ticket() -> None:
    assert f"{datetime.now(UTC):%Y-%m-%d}" not in render(CHECKOUT, "local").as_json()


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        (CHECKOUT, CHECKOUT, ""),
        (CHECKOUT, replace(CHECKOUT, feedback_count=200), ""),
        (CHECKOUT, replace(CHECKOUT, priority="P2"), "Priority lowered from P1 to P2."),
        (replace(CHECKOUT, priority="P4"), CHECKOUT, "Priority raised from P4 to P1."),
        (CHECKOUT, resolved(CHECKOUT), "Resolved:"),
        (resolved(CHECKOUT), CHECKOUT, "Reopened as P1:"),
    ],
)
def test_people_are_told_of_what_matters_to_them(before: Issue, after: Issue, note: str) -> None:
    said = note_between(render(before, "local"), render(after, "local"))
    assert said.startswith(note) and bool(said) == bool(note)


def test_what_else_could_explain_an_issue_is_listed_apart_from_the_signals() -> None:
    crowd = Evidence(kind="alternative", statement="Everything else was said 2.1 times as often as usual (24 %).")
    body = render(replace(CHECKOUT, evidence=(*CHECKOUT.evidence, crowd)), "local").body
    listed = body.partition("**What else could explain it**")[2].partition("### Evidence by signal")[0]
    assert "Everything else was said" in listed
    assert body.count("times as often as usual") == 1
    assert "What else" not in render(CHECKOUT, "local").body


def test_who_is_accountable_consulted_and_informed_stands_in_the_ticket() -> None:
    named = replace(CHECKOUT, accountable="head-of-commerce", consulted="qa;payments <b>", informed=None)
    assert "Accountable: head-of-commerce; consulted: qa, payments &lt;b&gt;." in render(named, "any").body
    assert "ccountable" not in render(CHECKOUT, "any").body
