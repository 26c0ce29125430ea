"""``apply`` and ``restore`` of actuators of APIs, by the conditional write: a base class beside ``HttpActuator``."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from dagster_project.automation.actuators.base import Reading, State
from dagster_project.automation.actuators.conditional import set_until


class ReadBack:
    """An actuator that can read an item and write its whole state.

    ``READS`` is how often a state is looked for after a write, ``PAUSE`` the seconds between.
    """

    READS = 1
    PAUSE = 2.0

    @abstractmethod
    def read(self, item: str) -> Reading:
        """The state of an item now."""

    @abstractmethod
    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the reading has the desired state; no I/O."""

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set what is named."""
        return set_until(
            self.read,
            lambda now: self._make(now, desired, note),
            before,
            lambda reading: self.shows(reading, desired) and self._is_left(reading, before, desired),
            reads=self.READS,
            pause=self.PAUSE,
        )

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the whole state before."""
        return set_until(
            self.read,
            lambda now: self._write(now, before.state, note),
            applied,
            lambda reading: reading.digest == before.digest,
            reads=self.READS,
            pause=self.PAUSE,
        )

    def _is_left(self, reading: Reading, before: Reading, desired: State) -> bool:
        """True unless the act would have left another state: somebody else made this one, beside what is desired."""
        return True

    @abstractmethod
    def _make(self, now: Reading, desired: State, note: str) -> None:
        """Set the desired state, if the state is still that of ``now``, as far as the system can tell."""

    @abstractmethod
    def _write(self, now: Reading, wanted: State, note: str) -> None:
        """Set the state, if it is still that of ``now``, as far as the system can tell."""


class WholeState(ReadBack):
    """An actuator that knows beforehand which state its act leaves."""

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the desired state changes nothing of the reading."""
        return self._with(reading.state, desired) == dict(reading.state)

    @abstractmethod
    def _with(self, state: State, desired: State) -> dict[str, Any]:
        """The state with what is desired in it; no I/O."""

    def _is_left(self, reading: Reading, before: Reading, desired: State) -> bool:
        return reading.state == self._with(before.state, desired)

    def _make(self, now: Reading, desired: State, note: str) -> None:
        self._write(now, self._with(now.state, desired), note)
