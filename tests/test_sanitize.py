"""Sanitized text shows as written and has no effect."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dagster_project import sanitize

HOSTILE = [
    "@octocat please fix",
    "cc @acme/oncall and (@everyone)",
    "fixes #12, closes acme/shop#7, GH-99",
    "![pixel](https://evil.example/x.png)",
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "[refund here](https://evil.example)",
    "see https://evil.example/a?b=c or www.evil.example",
    "&#64;octocat &lt;b&gt; &amp;",
    "`code` **bold** _it_ ~~gone~~ | cell | $x$",
    "<!-- feedback-control:0123456789abcdef01234567 -->",
    "--> # heading",
    "# heading",
    "1. list",
    "- item",
    "/close",
    "===",
    "> quote",
    "\\@octocat \\[x](y)",
    "a\nb\r\n\r\n# heading\u2028@octocat\x00\x1b[31m\u202egnp.exe",
]

plain_types = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "text_special"}


def tokens(markdown: str) -> list[Token]:
    parsed = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)
    return [token for block in parsed for token in [block, *(block.children or [])]]


def shown(markdown: str) -> str:
    return "".join(token.content for token in tokens(markdown) if token.type in ("text", "text_special"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_renders_as_nothing_but_text(text: str) -> None:
    made = sanitize.markdown(text)
    assert {token.type for token in tokens(made)} <= plain_types
    assert "\n" not in made


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_rendered_pings_and_links_nothing(text: str) -> None:
    rendered = html.unescape(shown(sanitize.markdown(text)))
    assert not re.search(r"(?<![A-Za-z0-9])@\w", rendered)
    assert not re.search(r"#\d|GH-\d|://|www\.", rendered, re.IGNORECASE)


@given(st.text(alphabet=st.one_of(st.sampled_from("@#`*_[]()<>!&|~$\\-+=/.:1aw \n"), st.characters()), max_size=60))
def test_any_text_renders_as_itself(text: str) -> None:
    made = sanitize.markdown(text)
    assert {token.type for token in tokens(made)} <= plain_types
    made.encode()  # can be written anywhere
    assert shown(made).replace("\u200b", "") == sanitize.one_line(text).replace("\u200b", "")


def test_what_is_not_a_mention_can_be_copied_as_it_is() -> None:
    assert sanitize.markdown("shop-app@5.2.0, order 12, 2026-06-01 09:00 UTC, 25.0 %") == (
        "shop-app@5.2.0, order 12, 2026-06-01 09:00 UTC, 25.0 %"
    )


def test_an_id_can_be_copied_and_reaches_nobody() -> None:
    assert sanitize.code("gh-90100260") == "`gh-90100260`"
    assert sanitize.identifier("gh-90100260") == "gh-90100260"
    assert sanitize.identifier("@here #12 http://x.example") == "@\u200bhere #\u200b12 http:\u200b//x.example"
    assert sanitize.plain("see gh-12") == "see gh\u200b-12"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://",
        "https://e.example/a b",
        "https://e.example/<b>",
        "https://e.example/\n",
        "//e.example",
    ],
)
def test_what_is_no_web_page_becomes_no_link(url: str) -> None:
    assert sanitize.link("page", url) is None


def test_a_link_shows_its_name_and_opens_its_page() -> None:
    url = "https://github.example.com/shop/app/releases/tag/v5.2.0?a=(1)&b=[2]#x"
    link = [token for token in tokens(sanitize.link("*release* [1]", url) or "") if token.type == "link_open"]
    assert [token.attrs["href"] for token in link] == [url.replace("[", "%5B").replace("]", "%5D")]
    assert shown(sanitize.link("*release* [1]", url) or "") == "*release* [1]"


def test_long_text_is_cut_and_shows_it() -> None:
    assert sanitize.one_line("x" * 50, limit=10) == "x" * 9 + "…"


def test_code_cannot_be_left() -> None:
    made = sanitize.code("a`b` @octocat | <b>")
    assert [token.type for token in tokens(made) if token.type not in plain_types] == ["code_inline"]
