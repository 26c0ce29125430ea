"""Text grammar: ``{a|b}`` picks one alternative, ``[x]`` is optional; both nest."""

from __future__ import annotations

import re
from random import Random


def expand(grammar: str, rng: Random) -> str:
    """Expand a grammar to one random sentence."""
    text, end = _expand_sequence(grammar, 0, rng)
    if end != len(grammar):
        raise ValueError(f"unbalanced brackets at character {end} of grammar '{grammar}'")
    return text


def _expand_sequence(grammar: str, at: int, rng: Random) -> tuple[str, int]:
    """Expand up to the closing bracket or bar of the caller; returns the text and the position."""
    pieces = []
    while at < len(grammar) and grammar[at] not in "|}]":
        if grammar[at] == "{":
            options, at = _expand_options(grammar, at + 1, rng)
            pieces.append(rng.choice(options))
        elif grammar[at] == "[":
            text, at = _expand_sequence(grammar, at + 1, rng)
            if grammar[at : at + 1] != "]":
                raise ValueError(f"missing ']' in grammar '{grammar}'")
            at += 1
            pieces.append(text if rng.random() < 0.5 else "")
        else:
            plain = re.compile(r"[^{}\[\]|]+").match(grammar, at)
            assert plain
            pieces.append(plain[0])
            at = plain.end()
    return "".join(pieces), at


def _expand_options(grammar: str, at: int, rng: Random) -> tuple[list[str], int]:
    options = []
    while True:
        text, at = _expand_sequence(grammar, at, rng)
        options.append(text)
        if grammar[at : at + 1] == "}":
            return options, at + 1
        if grammar[at : at + 1] != "|":
            raise ValueError(f"missing '}}' in grammar '{grammar}'")
        at += 1
