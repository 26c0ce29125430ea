"""The ticket reads like an incident brief, says the same for the same row, and carries its marker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.automation.tickets.brief import marker_of, note_between, render
from dagster_project.automation.tickets.issues import Issue, Quote
from dagster_project.decisioning.facts import Evidence, Symptom
from tests.automation.support import CHECKOUT, DELIVERY, resolved
from tests.automation.tickets.briefs import FLAG, section

THIN = replace(
    DELIVERY,
    verdict="insufficient_data",
    scope_country=None,
    direction="new",
    latest_day=None,
    complaints_latest_day=None,
    complaints_day_before=None,
    complaints_since=None,
    usual_per_day=None,
    feedback_count=6,
    customers_affected=1,
    symptoms=(),
    quotes=(),
    evidence=(Evidence(kind="feedback", measure="complaints", stance="for", counted=6),),
)
"""An issue of which next to nothing is known."""


@pytest.mark.parametrize(
    ("issue", "title"),
    [
        (
            CHECKOUT,
            "[P1] Checkout failing since Android 5.2.0 (31 May 08:10): coupons refused, order button dead — shop-app",
        ),
        (
            replace(CHECKOUT, suspect_platform=None, suspect_service="checkout-api", symptoms=()),
            "[P1] Checkout failing on Android since checkout-api 5.2.0 (31 May 08:10) — shop-app",
        ),
        (
            replace(CHECKOUT, symptoms=(), scope_country="DE", scope_feature="promo"),
            "[P1] Checkout failing in DE around promo since Android 5.2.0 (31 May 08:10) — shop-app",
        ),
        (
            replace(FLAG, symptoms=()),
            "[P1] Checkout failing on Android 5.2.0 since flag new_cart (31 May 08:10) — shop-app",
        ),
        (DELIVERY, "[P3] Delivery failing in FR since 31 May 09:00: parcel late — shop-app"),
        (replace(THIN, scope_version="4.1"), "[P3] Delivery failing in version 4.1 since 31 May 09:00 — shop-app"),
        (
            replace(THIN, product="shop\n@everyone #1"),
            "[P3] Delivery failing since 31 May 09:00 — shop @\u200beveryone #\u200b1",
        ),
    ],
)
def test_the_title_says_what_where_and_since_what(issue: Issue, title: str) -> None:
    assert render(issue, "github").title == title


def test_words_of_a_customer_are_no_symptom_for_a_title() -> None:
    said = replace(CHECKOUT, symptoms=(Symptom(symptom="cart since", complaints=9, is_phrase=True),))
    ticket = render(said, "github")
    assert "cart since" not in ticket.title
    assert "**Customers see:** “cart since” (9)." in ticket.body


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


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, "**Getting worse:** 104 complaints on 1 Jun, 71 the day before, 9 more since; usual: 3.2 a day."),
        ({"direction": "falling"}, "**Easing, not over:** 104"),
        ({"direction": "steady", "complaints_since": 0}, "**Still going on, neither rising nor falling:** 104"),
        ({"direction": "quiet", "complaints_latest_day": 0}, "**Quiet now:** no complaint on 1 Jun or since;"),
        ({"direction": "new", "latest_day": None}, "**Just begun:** 184 complaints; usual: 3.2 a day."),
    ],
)
def test_the_brief_begins_with_whether_it_goes_on(changes: dict[str, Any], begins: str) -> None:
    assert render(replace(CHECKOUT, **changes), "local").body.startswith(begins)


def test_money_has_two_figures_and_its_currency() -> None:
    body = render(CHECKOUT, "local").body
    assert "about 12,000 EUR so far: 10,000 EUR of orders lost (about 130; 61 % of those who reach" in body
    assert "2,200 EUR that customers who complained may take elsewhere." in body
    assert "no loss of money was measured. In all" in render(DELIVERY, "local").body
    several = render(replace(CHECKOUT, currency=None, currencies=2), "local").body
    assert "(a sum over 2 currencies, not converted)" in several and "EUR" not in several
    assert "(in the currency of the orders)" in render(replace(CHECKOUT, currency=None, currencies=0), "local").body


def test_an_estimate_that_moves_a_little_edits_no_ticket() -> None:
    moved = replace(CHECKOUT, revenue_at_risk=12_391.0, lost_orders_value=10_190.0, orders_lost=129.0)
    assert render(moved, "local").content_hash == render(CHECKOUT, "local").content_hash


def test_a_resolved_issue_asks_for_nothing() -> None:
    ticket = render(resolved(CHECKOUT), "local")
    assert ticket.status == "resolved"
    assert ticket.body.startswith("**Resolved 2026-06-03 12:00 UTC.** It began 2026-05-31 09:00 UTC.")
    assert "**Do now:** Nothing at once: complaints are back to their usual rate." in ticket.body
    assert "nothing is left to halt" not in ticket.body
    assert "**Customers saw:** coupons" in ticket.body and "**Was at stake:** about" in ticket.body


def test_of_an_issue_with_next_to_no_data_only_what_is_known_is_said() -> None:
    body = render(THIN, "local").body
    assert body.startswith("**Just begun:** 6 complaints. It began 2026-05-31 09:00 UTC.\n\n**At stake:**")
    assert "In all 6 complaints from 1 customer." in body
    assert "Customers see" not in body and "In customers' words" not in body
    assert "None" not in body


def test_one_quote_is_shown_for_each_symptom_and_from_the_affected_scope() -> None:
    said = [
        Quote(text="The cart is empty on my phone.", channel="chat", symptom="cart emptied"),
        Quote(text="The button spins on my phone.", channel="chat", symptom="order button dead"),
        Quote(text="Again an empty cart on my phone.", channel="chat", symptom="cart emptied"),
        Quote(text="Vouchers fail on my tablet.", channel="chat", symptom="coupons refused", is_in_scope=False),
        Quote(text="Something else on my phone.", channel="chat"),
    ]
    quoted = section(render(replace(CHECKOUT, quotes=tuple(said)), "local").body, "In customers' words")
    assert [quote.text in quoted for quote in said] == [True, True, False, False, False]
    unnamed = tuple(quote.model_copy(update={"symptom": None}) for quote in said)
    quoted = section(render(replace(CHECKOUT, quotes=unnamed), "local").body, "In customers' words")
    assert [quote.text in quoted for quote in said] == [True, True, True, False, False]


def test_no_quotes_no_section() -> None:
    assert "In customers' words" not in render(replace(CHECKOUT, quotes=()), "local").body


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


def test_who_is_accountable_consulted_and_informed_stands_in_the_ticket() -> None:
    named = replace(CHECKOUT, accountable="head-of-commerce", consulted="qa;payments <b>", informed=None)
    assert (
        "Owner: checkout-squad; approval: head-of-commerce; ask: qa, payments &lt;b&gt;." in render(named, "any").body
    )
    assert "Owner: checkout-squad.\n" in render(CHECKOUT, "any").body
