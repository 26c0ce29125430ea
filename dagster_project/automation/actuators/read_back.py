"""The conditional write where a system offers none: read, compare, write, read again.

What a write left is known only by reading, so a failed read after it leaves the outcome unknown, and a later read
settles it.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from dagster_project.automation.actuators.base import Conflict, Reading, State, canonical
from dagster_project.automation.outcomes import DeliveryError, Unknown
from dagster_project.outgoing import excerpt

T = TypeVar("T")


class ReadBack:
    """``apply`` and ``restore`` of an actuator that can read an item and write its whole state.

    ``READS`` is how often a state is looked for after a write, ``PAUSE`` the seconds between; a system that takes
    minutes is read again later, by whoever called.
    """

    READS = 1
    PAUSE = 2.0

    @abstractmethod
    def read(self, item: str) -> Reading:
        """The state of an item now."""

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the desired state changes nothing of the reading."""
        return self._with(reading.state, desired) == dict(reading.state)

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set what is named."""
        now = self.read(item)
        if self.shows(now, desired):
            return now
        self._expect(now, before)
        self._make(now, desired, note)
        return self._seen(item, lambda after: self.shows(after, desired))

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the whole state before."""
        now = self.read(before.item)
        if now.state == before.state:
            return now
        self._expect(now, applied)
        self._write(now, before.state, note)
        return self._seen(before.item, lambda after: after.state == before.state)

    def _with(self, state: State, desired: State) -> dict[str, Any]:
        """The state with what is desired in it; no I/O."""
        raise NotImplementedError

    def _make(self, now: Reading, desired: State, note: str) -> None:
        self._write(now, self._with(now.state, desired), note)

    @abstractmethod
    def _write(self, now: Reading, wanted: State, note: str) -> None:
        """Set the state, if it is still that of ``now``, as far as the system can tell."""

    def _expect(self, now: Reading, expected: Reading) -> None:
        if now.state != expected.state:
            is_now, was = excerpt(canonical(now.state), 300), excerpt(canonical(expected.state), 300)
            raise Conflict(f"{now.item} is {is_now}, no longer {was}", now)

    def _seen(self, item: str, there: Callable[[Reading], bool]) -> Reading:
        """The reading after a write.

        Raises:
            DeliveryError: unknown, if the state is not there yet, or cannot be read.
        """
        after = after_writing(lambda: self.read(item))
        for _ in range(self.READS - 1):
            if there(after):
                break
            time.sleep(self.PAUSE)
            after = after_writing(lambda: self.read(item))
        if there(after):
            return after
        raise DeliveryError(Unknown(f"written, but {item} still is {excerpt(canonical(after.state), 300)}"))


def after_writing(call: Callable[[], T]) -> T:
    """The result of a call after something was written: whatever fails now, the outcome of the write is unknown."""
    try:
        return call()
    except DeliveryError as error:
        raise DeliveryError(Unknown(f"written, and then: {error}")) from None
