"""A ticket's body as plain text, for tools whose fields know no markup: Markdown is written once, and translated.

CommonMark is parsed by markdown-it-py, with raw HTML as text and images left out, so what was inert in Markdown is
inert here. The marker's line is left out: where a tool has a field for it, it goes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_CUT = "… (cut here: too long for this tool)"
_MARKER = re.compile(r"<!-- feedback-control:\w+ -->")


def plain(markdown: str, limit: int = 60_000) -> str:
    """Text without any markup, at most ``limit`` characters; a table row is one line."""
    text = "\n\n".join(_blocks(_parsed(markdown).children))
    return text if len(text) <= limit else text[: limit - len(_CUT) - 2].rstrip() + "\n\n" + _CUT


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "paragraph" | "heading":
                yield _inline(node)
            case "bullet_list" | "ordered_list":
                yield "\n".join(_items(node))
            case "blockquote":
                quoted = "\n".join(_blocks(node.children))
                yield "\n".join(f"> {line}" for line in quoted.splitlines())
            case "table":
                yield "\n".join(_rows(node))
            case "fence" | "code_block":
                yield node.content.rstrip()
            case "hr":
                yield "---"
            case _:
                yield from _blocks(node.children)


def _items(node: SyntaxTreeNode) -> Iterator[str]:
    for number, item in enumerate(node.children, 1):
        mark = "- " if node.type == "bullet_list" else f"{number}. "
        lines = "\n".join(_blocks(item.children)).splitlines() or [""]
        yield "\n".join([mark + lines[0], *("  " + line for line in lines[1:])])


def _rows(node: SyntaxTreeNode) -> Iterator[str]:
    header, *body = [[_inline(cell) for cell in row.children] for part in node.children for row in part.children]
    if len(body) == 1:  # one row of named values reads best as a list
        yield from (f"{name}: {value}" for name, value in zip(header, body[0], strict=True))
    else:
        yield from (" | ".join(row) for row in [header, *body])


def _inline(node: SyntaxTreeNode) -> str:
    return "".join(_spans(node.children))


def _spans(nodes: Iterable[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "text" | "code_inline":
                yield node.content
            case "softbreak" | "hardbreak":
                yield "\n"
            case "link":
                words, target = _inline(node), str(node.attrs.get("href", ""))
                yield words if words == target else f"{words} ({target})"
            case "image":
                continue
            case _:
                yield _inline(node)


def _parsed(markdown: str) -> SyntaxTreeNode:
    shown = "\n".join(line for line in markdown.splitlines() if not _MARKER.fullmatch(line.strip()))
    return SyntaxTreeNode(_parser().parse(shown))


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")  # raw HTML is text like any other
