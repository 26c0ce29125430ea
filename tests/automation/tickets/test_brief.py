"""The ticket reads like an incident brief, says the same for the same row, and carries its marker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from dagster_project.automation.text import markup
from dagster_project.automation.ticket import carries, marker_line
from dagster_project.automation.tickets.brief import BODY_LIMIT, marker_of, note_between, render
from dagster_project.automation.tickets.issues import Issue, Link, Quote
from dagster_project.decisioning.facts import Evidence, Symptom
from tests.automation.support import CHECKOUT, DELIVERY, about, resolved
from tests.test_sanitize import HOSTILE, shown, tokens


def section(body: str, heading: str) -> str:
    return body.split(f"### {heading}", 1)[1].split("\n### ", 1)[0]


def against(body: str) -> str:
    return body.split("**Against it**", 1)[1].split("Seen in", 1)[0]


FLAG = replace(
    CHECKOUT,
    suspect_kind="flag",
    suspect_release_id="new_cart@2026-05-31 08:10",
    suspect_flag="new_cart",
    suspect_flag_enabled=True,
    suspect_version=None,
    suspect_platform=None,
    suspect_previous_version=None,
    suspect_url=None,
    suspect_rollout_percent=None,
    rollback_supported=False,
    evidence=CHECKOUT.evidence[:3]
    + about(
        "new_cart@2026-05-31 08:10",
        "new_cart@2026-05-31 08:10",
        Evidence(kind="change", measure="error_rate", stance="for", value=0.31, baseline=0.004),
    ),
)
"""An open P1 whose suspect is a flag."""

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


def test_links_open_and_are_left_out_where_a_value_is_missing() -> None:
    links = (
        Link(name="errors", url="https://grafana.example.com/d/e?p={product}&v={version}&from={since}"),
        Link(name="by country", url="https://grafana.example.com/d/c?country={country}"),
        Link(name="all complaints", url="https://bi.example.com/{issue_id}"),
    )
    body = render(replace(CHECKOUT, product="shop app/é", links=links), "github").body
    line = next(line for line in body.splitlines() if line.startswith("[release"))
    assert line == (
        "[release Android 5.2.0](<https://github.example.com/shop/shop-app/releases/tag/v5.2.0>)"
        " · [errors](<https://grafana.example.com/d/e?p=shop%20app%2F%C3%A9&v=5.2.0&from=2026-05-31T09%3A00%3A00Z>)"
        " · [all complaints](<https://bi.example.com/ISS-4F0C11AA92>)"
    )


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://e.example/a b", "https://e.example/>)<b", "file:///etc"]
)
def test_a_release_page_that_is_no_web_page_is_no_link(url: str) -> None:
    assert "[release" not in render(replace(CHECKOUT, suspect_url=url), "github").body


def test_ids_can_be_copied_wherever_the_ticket_goes() -> None:
    named = replace(CHECKOUT, suspect_release_id="gh-90100260")
    body = render(named, "github").body
    assert "Android 5.2.0 (`gh-90100260`) is the likeliest cause" in body
    assert body.count("gh-90100260") == 1
    for translated in (body, markup.plain(body), markup.mrkdwn(body, 60_000), markup.html(body)):
        assert "\u200b" not in translated
        assert "gh-90100260" in translated


def test_the_method_is_below_a_fold_that_others_show_as_a_heading() -> None:
    body = render(CHECKOUT, "local").body
    assert body.index("<details>") > body.index("In customers' words")
    assert body.index("| 17.2 | 20 | volume |") > body.index("<details>")
    assert "No points for customer value, support." in body
    for translated in (markup.plain(body), markup.mrkdwn(body, 60_000), str(markup.adf(body)), markup.html(body)):
        assert "details>" not in translated and "summary>" not in translated
        assert "How this was worked out" in translated


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


def hostile_everywhere(text: str) -> Issue:
    ours = Evidence(kind="change", measure=text, subject=text, subject_title=text, stance="for", sentence=text)
    other = Evidence(kind="change", measure=text, subject=f"{text}2", subject_title=text, stance="against")
    likelier = Evidence(
        kind="alternative", measure="campaign", subject=text, subject_title=text, stance="for", share=0.5
    )
    return replace(
        CHECKOUT,
        issue_id=text,
        product=text,
        issue_title=text,
        scope_platform=text,
        scope_version=text,
        scope_country=text,
        scope_feature=text,
        platform_title=text,
        suspect_release_id=text,
        suspect_version=text,
        suspect_platform=text,
        suspect_previous_version=text,
        suspect_url=text,
        currency=text,
        owner=text,
        accountable=text,
        recommended_action=text,
        summary=text,
        symptoms=(Symptom(symptom=text, complaints=2), Symptom(symptom=text, complaints=2, is_phrase=True)),
        links=(Link(name=text, url="https://bi.example.com/{product}"),),
        evidence=(Evidence(kind=text, measure=text, stance="for", sentence=text), ours, other, likelier),
        quotes=(Quote(text=text, channel=text, occurred_at=text, country=text, app_version=text, symptom=text),),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_reach_nobody_from_anywhere_in_the_ticket(text: str) -> None:
    ticket = render(hostile_everywhere(text), "github")
    parsed = tokens(ticket.body)
    assert not [token for token in parsed if token.type in ("image", "html_inline")]
    linked = [token.attrs["href"] for token in parsed if token.type == "link_open"]
    assert [str(target).startswith("https://bi.example.com/") for target in linked] == [True]
    html = [token.content.strip() for token in parsed if token.type == "html_block"]
    fold = ["<details>\n<summary>How this was worked out</summary>", "</details>"]
    assert html == [*fold, marker_line(ticket.marker)]  # the only HTML is our own, and nobody can forge it
    for word in ("@octocat", "@acme", "@everyone", "#12", "GH-99", "://"):
        assert word not in shown(ticket.body)
    assert not [label for label in ticket.labels if "," in label or len(label) > 60]


def test_hostile_values_do_not_change_the_structure() -> None:
    def headings(issue: Issue) -> int:
        parsed = MarkdownIt("commonmark").enable("table").parse(render(issue, "x").body)
        return sum(token.type == "heading_open" for token in parsed)

    assert {headings(hostile_everywhere(text)) for text in HOSTILE} == {headings(CHECKOUT)}


@pytest.mark.parametrize("stance", ["for", "against"])
def test_an_endless_brief_is_cut_and_keeps_its_marker(stance: str) -> None:
    many = tuple(
        Evidence(kind="change", measure="word " * 500, subject=f"x{i}", subject_title="x", stance="against", value=i)
        for i in range(200)
    )
    mine = tuple(item.model_copy(update={"subject": "shop-app@5.2.0", "stance": stance}) for item in many)
    for evidence in (many, mine):
        ticket = render(replace(CHECKOUT, evidence=evidence), "github")
        assert len(ticket.body) < BODY_LIMIT + 500
        assert "Cut here" in ticket.body
        assert ticket.body.count("<details>") == ticket.body.count("</details>")
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


def test_who_is_accountable_consulted_and_informed_stands_in_the_ticket() -> None:
    named = replace(CHECKOUT, accountable="head-of-commerce", consulted="qa;payments <b>", informed=None)
    assert (
        "Owner: checkout-squad; approval: head-of-commerce; ask: qa, payments &lt;b&gt;." in render(named, "any").body
    )
    assert "Owner: checkout-squad.\n" in render(CHECKOUT, "any").body
