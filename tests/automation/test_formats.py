"""A brief as plain text: the same words, the same structure, and nothing that reaches out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.automation import formats, inert
from dagster_project.automation.brief import render
from tests.automation.support import CHECKOUT

BRIEF = render(CHECKOUT, "any").body


@pytest.mark.parametrize(
    "words",
    [
        "Owner: checkout-squad",
        "> “Cart just spins",
        "- 139 of 184 complaints name it",
        "15.0 | 15 | velocity | how many",
    ],
)
def test_it_says_what_the_brief_says(words: str) -> None:
    assert words in formats.plain(BRIEF)


def test_the_marker_stays_behind() -> None:
    assert "feedback-control:" in BRIEF and "<!--" not in formats.plain(BRIEF)


def test_structure_becomes_text() -> None:
    markdown = (
        "### Head\n\n**bold** and `code`\n\n- one\n- two\n\n1. first\n\n> quoted\n\n| a | b |\n| - | - |\n| 1 | 2 |"
    )
    assert formats.plain(markdown) == "Head\n\nbold and code\n\n- one\n- two\n\n1. first\n\n> quoted\n\na: 1\nb: 2"
    assert formats.plain("[there](https://example.com) ![pixel](https://example.com/x.png)") == (
        "there (https://example.com) "
    )


def test_what_is_too_long_is_cut_and_says_so() -> None:
    said = formats.plain("\n\n".join(["word " * 100] * 300), 5_000)
    assert len(said) <= 5_000 and said.endswith("(cut here: too long for this tool)")


@given(st.text())
def test_text_from_outside_reads_as_it_was_written(text: str) -> None:
    shown = formats.plain("Said: " + inert.markdown(text)).replace("\u200b", "").strip()
    assert shown == f"Said: {inert.one_line(text)}".replace("\u200b", "").strip()


@given(st.text(alphabet=st.sampled_from("ab |-#>*_`[]()<>&\n\\!1.:"), max_size=200))
def test_any_markdown_can_be_translated(markdown: str) -> None:
    assert len(formats.plain(markdown, 100)) <= 100
