"""A brief in every target's markup: the same words and structure, and no live mention, link or image."""

from __future__ import annotations

import html.parser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project import sanitize
from dagster_project.automation.text import markup
from dagster_project.automation.tickets.brief import render
from tests.automation.support import CHECKOUT

BRIEF = render(CHECKOUT, "any").body
WORDS = ["checkout-squad", "Cart just spins", "139 of 146 complaints with a version", "31 % of requests", "79.2"]


def texts(node: dict[str, Any]) -> str:
    return str(node.get("text", "")) + " ".join(texts(child) for child in node.get("content", ()))


@pytest.mark.parametrize("words", WORDS)
def test_every_markup_says_what_the_brief_says(words: str) -> None:
    said = [markup.plain(BRIEF), markup.html(BRIEF), markup.mrkdwn(BRIEF, 60_000), texts(markup.adf(BRIEF))]
    assert all(words in one for one in said)


def test_the_marker_stays_behind() -> None:
    assert "feedback-control:" in BRIEF
    said = [markup.plain(BRIEF), markup.html(BRIEF), markup.mrkdwn(BRIEF, 60_000), texts(markup.adf(BRIEF))]
    assert not any("<!--" in one or "&lt;!--" in one for one in said)


def test_markdown_becomes_text() -> None:
    markdown = "### Head\n\n**bold** and `code`\n\n- one\n- two\n\n> quoted\n\n| a | b |\n| - | - |\n| 1 | 2 |"
    assert markup.plain(markdown) == "Head\n\nbold and code\n\n- one\n- two\n\n> quoted\n\na: 1\nb: 2"
    assert markup.mrkdwn(markdown) == "*Head*\n\n*bold* and `code`\n\n• one\n• two\n\n> quoted\n\na: 1\nb: 2"


def test_a_fold_becomes_a_rule_and_a_heading() -> None:
    folded = "Before\n\n<details>\n<summary>How</summary>\n\nInside\n\n</details>\n\nAfter"
    assert markup.plain(folded) == "Before\n\n---\n\nHow\n\nInside\n\nAfter"
    assert markup.html(folded) == "<p>Before</p>\n<hr />\n<h3>How</h3>\n<p>Inside</p>\n<p>After</p>\n"
    said = sanitize.markdown("<details>")
    assert "details" in markup.plain(said) and "---" not in markup.plain(said)


def test_what_was_safe_as_code_is_safe_as_text() -> None:
    assert markup.plain("`@here http://x.example`") == "@\u200bhere http:\u200b//x.example"
    assert markup.mrkdwn("`<!here>`") == "`&lt;!here&gt;`"


def test_markdown_becomes_an_atlassian_document() -> None:
    document = markup.adf("### Head\n\n**bold** [there](https://example.com)\n\n1. one\n\n> # shouted")
    heading, paragraph, numbered, quote = document["content"]
    assert heading == {"type": "heading", "attrs": {"level": 3}, "content": [{"type": "text", "text": "Head"}]}
    assert paragraph["content"][0] == {"type": "text", "text": "bold", "marks": [{"type": "strong"}]}
    assert paragraph["content"][2]["marks"] == [{"type": "link", "attrs": {"href": "https://example.com"}}]
    assert numbered["type"] == "orderedList"
    assert quote["content"] == [{"type": "paragraph", "content": [{"type": "text", "text": "shouted"}]}]


def test_what_is_too_long_is_cut_and_says_so() -> None:
    long = "\n\n".join(["word " * 100] * 300)
    for said in (markup.plain(long, 5_000), markup.mrkdwn(long, 5_000), texts(markup.adf(long, 5_000))):
        assert len(said) < 5_400
        assert said.endswith("(cut here: too long for this tool)")


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


HOSTILE = st.text() | st.sampled_from(
    ["<script>x</script>", "<!channel>", "<@U1|x>", "[a](javascript:x)", "![p](http://t/x.png)", "<img src=x>", "*b*"]
).flatmap(lambda bait: st.text().map(lambda text: bait + text))


@given(HOSTILE)
def test_text_from_outside_is_inert_in_every_markup(text: str) -> None:
    markdown = "Said: " + sanitize.markdown(text)
    tags = _Tags()
    tags.feed(markup.html(markdown))
    assert tags.tags <= {"p"}
    slack = markup.mrkdwn(markdown, 60_000)
    assert "<" not in slack and ">" not in slack
    (paragraph,) = markup.adf(markdown)["content"]
    assert all(span["type"] == "text" and "marks" not in span for span in paragraph["content"])
    assert (
        texts(paragraph).replace("\u200b", "").strip()
        == f"Said: {sanitize.one_line(text)}".replace("\u200b", "").strip()
    )


@given(st.text(alphabet=st.sampled_from("ab |-#>*_`[]()<>&\n\\!1.:"), max_size=200))
def test_any_markdown_can_be_translated(markdown: str) -> None:
    markup.plain(markdown), markup.mrkdwn(markdown), markup.html(markdown)
    document = markup.adf(markdown)
    assert document["content"]
    assert not _empty_texts(document)


def _empty_texts(node: dict[str, Any]) -> bool:
    if node["type"] == "text":
        return not node["text"]
    return any(_empty_texts(child) for child in node.get("content", ()))
