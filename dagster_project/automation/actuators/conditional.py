"""Conditional write for systems that offer no condition of their own: read just before, write, read back."""

from __future__ import annotations

from collections.abc import Callable

from dagster_project.automation.actuators.base import Conflict, Reading, State, canonical, digest_of
from dagster_project.automation.outcomes import DeliveryError, Unknown


def set_state(
    read: Callable[[str], Reading], write: Callable[[Reading], None], expected: Reading, wanted: State
) -> Reading:
    """Write the wanted state, unless it is there already; returns what is read back.

    Args:
        read: reads an item.
        write: makes the change from the reading that it is given, at once or not at all.
        expected: the reading that the change was decided on.
        wanted: the whole state afterwards.

    Raises:
        Conflict: the state is neither the expected nor the wanted one; nothing was written.
        DeliveryError: unknown, if what was written cannot be read back, or reads otherwise.
    """
    now = read(expected.item)
    if now.digest == digest_of(wanted):
        return now
    if now.digest != expected.digest:
        raise Conflict(f"{expected.item} is {canonical(now.state)}, no longer {canonical(expected.state)}", now)
    write(now)
    try:
        after = read(expected.item)
    except DeliveryError as error:
        raise DeliveryError(Unknown(f"{expected.item} was written, and could not be read back: {error}")) from None
    if after.digest != digest_of(wanted):
        reason = f"{expected.item} was written as {canonical(wanted)}, and reads {canonical(after.state)}"
        raise DeliveryError(Unknown(reason))
    return after
