"""Conditional write for systems that offer no condition of their own: read just before, write, read back.

What a write left is known only by reading, so a failed read after it leaves the outcome unknown, and a later read
settles it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from dagster_project.automation.actuators.base import Conflict, Reading, State, canonical, digest_of
from dagster_project.automation.outcomes import DeliveryError, Unknown
from dagster_project.outgoing import excerpt

_LONGEST = 300
"""Characters of a state in a reason."""

T = TypeVar("T")


def set_state(
    read: Callable[[str], Reading], write: Callable[[Reading], None], expected: Reading, wanted: State
) -> Reading:
    """Write a whole state, unless it is there already; ``set_until`` with that as the condition."""
    return set_until(read, write, expected, lambda reading: reading.digest == digest_of(wanted))


def set_until(
    read: Callable[[str], Reading],
    write: Callable[[Reading], None],
    expected: Reading,
    there: Callable[[Reading], bool],
    *,
    reads: int = 1,
    pause: float = 0.0,
) -> Reading:
    """Write what is wanted, unless it is there already; returns what is read back.

    Args:
        read: reads an item.
        write: makes the change from the reading that it is given, at once or not at all.
        expected: the reading that the change was decided on.
        there: whether a reading shows what is wanted.
        reads: how often it is looked for after the write, and
        pause: the seconds between; a system that takes longer is read again later, by whoever called.

    Raises:
        Conflict: the state is neither the expected nor the wanted one; nothing was written.
        DeliveryError: unknown, if what was written cannot be read back, or reads otherwise.
    """
    now = read(expected.item)
    if there(now):
        return now
    expect(now, expected)
    write(now)
    lost = f"{expected.item} was written, and could not be read back"
    after = after_writing(lambda: read(expected.item), lost)
    for _ in range(reads - 1):
        if there(after):
            break
        time.sleep(pause)
        after = after_writing(lambda: read(expected.item), lost)
    if there(after):
        return after
    reason = f"{expected.item} was written, and reads {excerpt(canonical(after.state), _LONGEST)}"
    raise DeliveryError(Unknown(reason))


def expect(now: Reading, expected: Reading) -> None:
    """Refuse to go on from another state than the expected one.

    Raises:
        Conflict: somebody changed it.
    """
    if now.digest != expected.digest:
        is_now, was = (excerpt(canonical(one.state), _LONGEST) for one in (now, expected))
        raise Conflict(f"{expected.item} is {is_now}, no longer {was}", now)


def after_writing(call: Callable[[], T], said: str = "written, and then") -> T:
    """The result of a call after something was written: whatever fails now, the outcome of the write is unknown."""
    try:
        return call()
    except DeliveryError as error:
        raise DeliveryError(Unknown(f"{said}: {error}")) from None
