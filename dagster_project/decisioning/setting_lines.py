"""Lines of a YAML file's settings, so that an error names the line that people have to mend."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

Place = Sequence[str | int]
"""Path of a setting: keys of mappings, and indices of lists."""


def line_of(text: str, place: Place) -> int:
    """Line of a setting; of one that is missing, that of the nearest setting around it."""
    node, line = yaml.compose(text, yaml.SafeLoader), 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            key, value = next(((key, value) for key, value in node.value if key.value == str(part)), (None, None))
            if key is None:
                break
            node, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def repeated_key(text: str) -> tuple[str, int] | None:
    """First key that a mapping has twice, with its line; YAML would silently keep the last."""
    waiting = [yaml.compose(text, yaml.SafeLoader)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    return str(key.value), key.start_mark.line + 1
                seen.add(key.value)
                waiting.append(value)
    return None
