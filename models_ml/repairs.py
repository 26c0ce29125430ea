"""State files that heal: read with a type, reported when broken, made anew by whoever reads them.

A cache or a mark that is empty, cut off, garbage, of another type or a folder is no reason to stop: the reader goes on
as if it were missing. Every such repair is one line, told to the innermost listener (``telling_repairs``) and kept for
the report of the turn. A file that may not be read is an error instead: what it says is not known to be wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from models_ml.errors import ModelError

T = TypeVar("T")


@dataclass(frozen=True)
class _Listener:
    lines: list[str]
    progress: Callable[[str], None]


_LISTENERS: ContextVar[tuple[_Listener, ...]] = ContextVar("repair_listeners", default=())


class UnreadableError(ModelError):
    """A state file may not be read by this user, or its disk fails."""


@contextmanager
def telling_repairs(progress: Callable[[str], None] = lambda _: None) -> Iterator[list[str]]:
    """Collect the repairs made in this block, one line each; ``progress`` is told of each at once.

    Of nested blocks, each collects the repair; only the innermost one's ``progress`` is told.
    """
    listener = _Listener([], progress)
    token = _LISTENERS.set((*_LISTENERS.get(), listener))
    try:
        yield listener.lines
    finally:
        _LISTENERS.reset(token)


def tell_repair(line: str) -> None:
    """Report one repair; without a listener it goes to the log."""
    listeners = _LISTENERS.get()
    if not listeners:
        logging.getLogger("feedback_control").warning("repaired: %s", line)
        return
    is_new = line not in listeners[-1].lines
    for listener in listeners:
        if line not in listener.lines:
            listener.lines.append(line)
    if is_new:
        listeners[-1].progress(f"repaired: {line}")


def read_state(path: Path, shape: type[T], consequence: str) -> T | None:
    """The content of a JSON state file, validated; None if it is missing, or broken and reported.

    Args:
        path: the file.
        shape: the type of its content, such as ``dict[str, datetime]`` or a dataclass. Unknown keys are ignored.
        consequence: completes the report "... is broken (it is empty): ".

    Raises:
        UnreadableError: it is there, but may not be read.
    """
    try:
        value: T | None = _adapter(cast(Hashable, shape)).validate_json(_content(path))
    except FileNotFoundError:
        return None
    except ValueError as error:
        tell_repair(f"{path} is broken ({_reason(error)}): {consequence}")
        return None
    return value


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except (IsADirectoryError, NotADirectoryError):
        raise ValueError("it is not a file") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    if not content.strip():
        raise ValueError("it is empty")
    return content


def unreadable(path: Path, error: OSError) -> UnreadableError:
    """The error about a file that is there but cannot be read, with its remedy."""
    return UnreadableError(f"{path} cannot be read ({error.strerror}); make it readable: chmod u+rw '{path}'")


@cache
def _adapter(shape: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)


def _reason(error: ValueError) -> str:
    """The first finding of pydantic in a few words, or the message of any other error."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
