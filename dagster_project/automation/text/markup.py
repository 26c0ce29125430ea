"""Markup of a ticket's body for each target: Markdown is written once and converted for targets with another markup.

    plain     text for a field without markup (ServiceNow, PagerDuty, Opsgenie, the text part of an e-mail)
    html      for e-mail and Request Tracker
    adf       Atlassian Document Format, as the JSON document that Jira takes
    mrkdwn    Slack's own dialect

CommonMark is parsed by markdown-it-py, with raw HTML as text and images left out, so text that was sanitized in
Markdown is harmless in all four. The marker's line is left out: where a tool has a field for it, it goes there. The
lines of a fold (``<details>``) become a rule and a heading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from dagster_project import sanitize

_CUT = "… (cut here: too long for this tool)"
_SILENT = frozenset({"image"})
_MARKER = re.compile(r"<!-- feedback-control:\w+ -->")
FOLD_START, FOLD_END = "<details>", "</details>"
"""Lines round a fold, for targets that have folds. Text from outside cannot write them: its brackets are escaped."""
_SUMMARY = re.compile(r"<summary>(.*)</summary>")
_BREAK = "\N{ZERO WIDTH SPACE}"


def cut(text: str, limit: int) -> str:
    """The text within a target's limit in characters, the last line saying so when it had to be cut."""
    if len(text) <= limit:
        return text
    return text[: limit - len(_CUT) - 2].rstrip() + "\n\n" + _CUT


def plain(markdown: str, limit: int = 60_000) -> str:
    """Text without any markup; a table row is one line."""
    return cut("\n\n".join(_text_blocks(_parsed(markdown).children, _Plain())), limit)


def mrkdwn(markdown: str, limit: int = 3_000) -> str:
    """Slack's dialect; ``<``, ``>`` and ``&`` from the text cannot form a mention or a link."""
    return cut("\n\n".join(_text_blocks(_parsed(markdown).children, _Mrkdwn())), limit)


def slack_text(words: str) -> str:
    """Words for Slack that are not Markdown, shown as they are."""
    return _Mrkdwn().text(words)


def parts(text: str, limit: int) -> list[str]:
    """The text in parts of up to ``limit`` characters, split between lines where there are any."""
    found = [""]
    for line in text.splitlines(keepends=True):
        for piece in (line[start : start + limit] for start in range(0, len(line), limit)):
            if len(found[-1]) + len(piece) > limit:
                found.append("")
            found[-1] += piece
    return [part for part in found if part.strip()]


def html(markdown: str) -> str:
    """HTML in which only the Markdown's own structure is markup."""
    return str(_parser().render(_without_html(markdown)))


def adf(markdown: str, limit: int = 30_000) -> dict[str, Any]:
    """An Atlassian document of up to ``limit`` characters of JSON; its last block says if it was cut."""
    content: list[dict[str, Any]] = []
    left = limit - len(_json(_adf_paragraph(_CUT)))
    for block in _adf_blocks(_parsed(markdown).children):
        left -= len(_json(block))
        if left < 0:
            words = " ".join(_adf_texts(block))[: (left + len(_json(block))) // 4]  # room for what JSON escapes
            content += [_adf_paragraph(words)] if words.strip() else []
            content.append(_adf_paragraph(_CUT))
            break
        content.append(block)
    return {"type": "doc", "version": 1, "content": content or [_adf_paragraph("-")]}


# ---------- to text


class _Plain:
    """Renderer without markup."""

    bullet, heading = "- ", "{}"
    strong, emphasis = "{}", "{}"

    def inline_code(self, words: str) -> str:
        return sanitize.identifier(words)  # as code it was safe from mentions and links; without the markup it is not

    def text(self, words: str) -> str:
        return words

    def link(self, words: str, target: str) -> str:
        return words if words == target else f"{words} ({target})"


class _Mrkdwn(_Plain):
    """Renderer for Slack."""

    bullet, heading = "• ", "*{}*"
    strong, emphasis = "*{}*", "_{}_"

    def inline_code(self, words: str) -> str:
        return f"`{self.text(words)}`"

    def text(self, words: str) -> str:
        escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return re.sub(r"(?<!\w)([*_~])(?=\S)", _BREAK + r"\1", escaped)  # no bold, italic or strike from outside

    def link(self, words: str, target: str) -> str:
        return f"<{self.text(target).replace('|', '%7C')}|{words.replace('|', '/')}>"


def _text_blocks(nodes: Iterable[SyntaxTreeNode], style: _Plain) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "paragraph":
                yield _inline_text(node, style)
            case "heading":
                yield style.heading.format(_inline_text(node, style))
            case "bullet_list" | "ordered_list":
                yield "\n".join(_items(node, style))
            case "blockquote":
                quoted = "\n".join(_text_blocks(node.children, style))
                yield "\n".join(f"> {line}" for line in quoted.splitlines())
            case "table":
                yield "\n".join(_rows(node, style))
            case "fence" | "code_block":
                yield style.text(node.content.rstrip())
            case "hr":
                yield "---"
            case kind if kind not in _SILENT:
                yield from _text_blocks(node.children, style)


def _items(node: SyntaxTreeNode, style: _Plain) -> Iterator[str]:
    for number, item in enumerate(node.children, 1):
        mark = style.bullet if node.type == "bullet_list" else f"{number}. "
        lines = "\n".join(_text_blocks(item.children, style)).splitlines() or [""]
        yield "\n".join([mark + lines[0], *("  " + line for line in lines[1:])])


def _rows(node: SyntaxTreeNode, style: _Plain) -> Iterator[str]:
    rows = [[_inline_text(cell, style) for cell in row.children] for part in node.children for row in part.children]
    header, body = rows[0], rows[1:]
    if len(body) == 1:  # one row of named values reads best as a list
        yield from (f"{name}: {value}" for name, value in zip(header, body[0], strict=True))
    else:
        yield from (" | ".join(row) for row in rows)


def _inline_text(node: SyntaxTreeNode, style: _Plain) -> str:
    return "".join(_inline_parts(node.children, style))


def _inline_parts(nodes: Iterable[SyntaxTreeNode], style: _Plain) -> Iterator[str]:
    for node in nodes:
        match node.type:
            case "text":
                yield style.text(node.content)
            case "softbreak" | "hardbreak":
                yield "\n"
            case "code_inline":
                yield style.inline_code(node.content)
            case "strong":
                yield style.strong.format(_inline_text(node, style))
            case "em":
                yield style.emphasis.format(_inline_text(node, style))
            case "link":
                yield style.link(_inline_text(node, style), str(node.attrs.get("href", "")))
            case kind if kind not in _SILENT:
                yield _inline_text(node, style)


# ---------- to the Atlassian Document Format


def _adf_blocks(nodes: Iterable[SyntaxTreeNode]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        match node.type:
            case "paragraph":
                yield {"type": "paragraph", "content": _adf_inline(node)}
            case "heading":
                yield {"type": "heading", "attrs": {"level": int(node.tag[1:])}, "content": _adf_inline(node)}
            case "bullet_list" | "ordered_list":
                kind = "bulletList" if node.type == "bullet_list" else "orderedList"
                items = [{"type": "listItem", "content": _adf_nested(item)} for item in node.children]
                yield {"type": kind, "content": items}
            case "blockquote":
                yield {"type": "blockquote", "content": _adf_nested(node)}
            case "table":
                yield {"type": "table", "content": [_adf_row(row) for part in node.children for row in part.children]}
            case "fence" | "code_block":
                yield {"type": "codeBlock", "content": [{"type": "text", "text": node.content.rstrip() or " "}]}
            case "hr":
                yield {"type": "rule"}
            case kind if kind not in _SILENT:
                yield from _adf_blocks(node.children)


def _adf_nested(node: SyntaxTreeNode) -> list[dict[str, Any]]:
    # Jira takes no heading and no table within a list or a quotation: their words stay, as a paragraph.
    allowed = ("paragraph", "bulletList", "orderedList", "codeBlock")
    return [block if block["type"] in allowed else _adf_words(block) for block in _adf_blocks(node.children)] or [
        _adf_paragraph("-")
    ]


def _adf_words(block: dict[str, Any]) -> dict[str, Any]:
    return _adf_paragraph(" ".join(_adf_texts(block)) or "-")


def _adf_row(row: SyntaxTreeNode) -> dict[str, Any]:
    cells = [
        {
            "type": "tableHeader" if cell.type == "th" else "tableCell",
            "content": [{"type": "paragraph", "content": _adf_inline(cell)}],
        }
        for cell in row.children
    ]
    return {"type": "tableRow", "content": cells}


def _adf_inline(node: SyntaxTreeNode) -> list[dict[str, Any]]:
    return list(_adf_spans(node.children, ()))


def _adf_spans(nodes: Iterable[SyntaxTreeNode], marks: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        match node.type:
            case "text" | "code_inline" if node.content:
                # Code carries no other mark but a link in an Atlassian document.
                own = ({"type": "code"},) if node.type == "code_inline" else marks
                yield {"type": "text", "text": node.content, **({"marks": list(own)} if own else {})}
            case "softbreak":
                yield {"type": "text", "text": " "}
            case "hardbreak":
                yield {"type": "hardBreak"}
            case "strong":
                yield from _adf_spans(node.children, (*marks, {"type": "strong"}))
            case "em":
                yield from _adf_spans(node.children, (*marks, {"type": "em"}))
            case "link":
                link = {"type": "link", "attrs": {"href": str(node.attrs.get("href", ""))}}
                yield from _adf_spans(node.children, (*marks, link))
            case kind if kind not in _SILENT:
                yield from _adf_spans(node.children, marks)


def _adf_texts(block: dict[str, Any]) -> Iterator[str]:
    if block["type"] == "text":
        yield block["text"]
    for child in block.get("content", ()):
        yield from _adf_texts(child)


def _json(block: dict[str, Any]) -> str:
    return json.dumps(block, ensure_ascii=False)


def _adf_paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}]}


# ---------- parsing


def _parsed(markdown: str) -> SyntaxTreeNode:
    return SyntaxTreeNode(_parser().parse(_without_html(markdown)))


def _without_html(markdown: str) -> str:
    """The Markdown without the only HTML that tickets have: the marker and the fold."""
    lines = (line for line in markdown.splitlines() if not _MARKER.fullmatch(line.strip()) and line != FOLD_END)
    return "\n".join("---" if line == FOLD_START else _SUMMARY.sub(r"\n### \1", line) for line in lines)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")  # raw HTML is text like any other
