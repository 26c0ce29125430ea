"""Markup of the ticket: links, ids, the fold, and hostile values that reach nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from dagster_project.automation.text import markup
from dagster_project.automation.ticket import carries, marker_line
from dagster_project.automation.tickets.brief import BODY_LIMIT, render
from dagster_project.automation.tickets.issues import Issue, Link, Quote
from dagster_project.decisioning.facts import Evidence, Symptom
from tests.automation.support import CHECKOUT
from tests.test_sanitize import HOSTILE, shown, tokens


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
