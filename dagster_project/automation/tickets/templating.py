"""Jinja sandbox for the templates and fields of destinations.yml, with limits: steps, sizes, numbers.

A template is written by the people who run this system, yet a mistake in one must neither hang a push nor fill the
memory. Compiled templates are Python code, so a trace function counts their lines; whatever makes long texts, long
lists or large numbers is checked before it does. Every failure is one ``ConfigurationError`` that names the template.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import FrameType
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from dagster_project.errors import ConfigurationError

MOST_STEPS = 200_000
"""Lines of the compiled template that one rendering may run."""

LONGEST = 200_000
"""Characters of any text on the way, and of the result."""

LARGEST = 10_000
"""The largest number that a filter or a method takes, and the most items of a range."""

_FILE = "<a template of destinations.yml>"
_WIDTH = re.compile(r"\d{5,}")


_PRINTED: ContextVar[list[int]] = ContextVar("printed")


class TooMuchError(TemplateError):
    """A template goes on for too long, or makes too much."""


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox, in which nothing grows beyond the limits."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self, *, finalize: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, finalize=lambda one: _printed(finalize(_weighed(one))), **options)
        del self.globals["lipsum"]
        self.globals["range"] = _range
        self.filters = {name: _limited(name, filter_) for name, filter_ in self.filters.items()}
        self.filters["_concatenated"] = _concatenated

    def add_filters(self, filters: Mapping[str, Callable[..., Any]]) -> None:
        """Add filters of our own, which need no limit."""
        self.filters |= filters

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Concatenation().visit(super()._parse(source, name, filename))
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute what an operator asks for, unless it is too much."""
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * (right if operator == "**" else 1) + right.bit_length()
            _at_most(bits, LARGEST)
        elif operator == "*":
            sizes = [one if isinstance(one, int) else _size(one) for one in (left, right)]
            _at_most(sizes[0] * sizes[1] if _size(left) or _size(right) else 0, LONGEST)
        elif operator == "+":
            _at_most(_size(left) + _size(right), LONGEST)
        elif operator == "%" and isinstance(left, str):
            _check_format(left, right if isinstance(right, tuple) else (right,))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a method or macro, unless an argument is too large."""
        method = getattr(__obj, "__wrapped__", __obj)  # the sandbox wraps ``str.format``
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        _check_arguments([*args, *kwargs.values()])
        if isinstance(owner, str):
            _check_growth(name, owner, args)
            if name in ("format", "format_map"):
                _check_format(owner, args)
        return super().call(__context, __obj, *args, **kwargs)


def render_limited(
    environment: LimitedEnvironment, text: str, context: Mapping[str, Any], said: str, longest: int = LONGEST
) -> str:
    """Render a template within the limits.

    Raises:
        ConfigurationError: it cannot be rendered; the message begins with ``said``, the name of the template.
    """
    try:
        with _counted():
            code = environment.compile(text, filename=_FILE)
            template = environment.template_class.from_code(environment, code, environment.make_globals(None))
            parts, length = [], 0
            for part in template.generate(context):
                length += len(part)
                _at_most(length, longest)
                parts.append(part)
            return "".join(parts)
    except Exception as error:  # whatever a template does, it concerns the issue that it was rendered for
        line = f", line {error.lineno}" if isinstance(error, TemplateError) and hasattr(error, "lineno") else ""
        what = str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{said}{line}: {what}; an issue's columns are in out_tickets") from None


@contextmanager
def _counted() -> Iterator[None]:
    """A block in which the lines of templates are counted, in this thread."""
    left, before = [MOST_STEPS], sys.gettrace()
    _PRINTED.set([0])

    def line(_frame: FrameType, _event: str, _argument: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise TooMuchError(f"it does not come to an end within {MOST_STEPS:,} steps; see its loops")
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return line if frame.f_code.co_filename == _FILE else None

    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


class _Concatenation(NodeTransformer):
    """Lets ``~`` go through a filter that knows the limit."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        pair = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(pair, "_concatenated", [], [], None, None, lineno=node.lineno)


def _printed(value: Any) -> Any:
    """The value; all that one rendering prints counts, also where a block or a macro only keeps it."""
    total = _PRINTED.get([0])
    total[0] += _size(value)
    _at_most(total[0], 5 * LONGEST)
    return value


def _concatenated(parts: list[Any]) -> str:
    texts = [str(_weighed(part)) for part in parts]
    _at_most(sum(map(len, texts)), LONGEST)
    return "".join(texts)


def _range(*bounds: int) -> range:
    items = range(*bounds)
    _at_most(len(items), LARGEST)
    return items


def _limited(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with checked arguments."""

    @wraps(filter_)
    def checked(*args: Any, **kwargs: Any) -> Any:
        value, *rest = [one for one in args if not hasattr(one, "eval_ctx") and not hasattr(one, "autoescape")] or [
            None
        ]
        _check_arguments([*rest, *kwargs.values()])
        _check_growth(name, value, [*rest, *kwargs.values()])
        if name == "format" and isinstance(value, str):
            _check_format(value, rest)
        found = filter_(*args, **kwargs)
        _at_most(_size(found), LONGEST)
        return found

    return checked


def _check_arguments(values: Any) -> None:
    for value in values:
        if isinstance(value, int | float) and abs(value) > LARGEST:
            raise TooMuchError(f"the number {value} is too large here; at most {LARGEST:,}")


def _check_growth(name: str, value: Any, arguments: Any) -> None:
    """Refuse the two calls that multiply the lengths of texts."""
    longest = max((len(one) for one in arguments if isinstance(one, str)), default=0)
    if name in ("replace", "join"):
        items = max(_size(value), *(_size(one) for one in arguments), 0) if arguments else _size(value)
        _at_most(items * longest, 10 * LONGEST)


def _check_format(text: str, values: Any) -> None:
    if _WIDTH.search(text) or any(isinstance(value, int) and abs(value) > 10**9 for value in values):
        raise TooMuchError("a width in a format is too large")
    if "*" in text:
        _check_arguments(values)


def _weighed(value: Any) -> Any:
    """The value, unless its text would be too long: lists in lists count each time."""
    left = LONGEST

    def weigh(one: Any) -> None:
        nonlocal left
        left -= 1 + (len(one) if isinstance(one, str) else 0)
        if left < 0:
            raise TooMuchError(f"it makes more than {LONGEST:,} characters or items; see its loops and repetitions")
        for item in one if isinstance(one, list | tuple) else one.values() if isinstance(one, dict) else ():
            weigh(item)

    weigh(value)
    return value


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | range | dict) else 0


def _at_most(size: int, most: int) -> None:
    if size > most:
        raise TooMuchError(f"it makes more than {most:,} characters or items; see its loops and repetitions")
