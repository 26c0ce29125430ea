"""The embedded control system: flags, traffic weights and releases in one JSON file, for demos and small teams.

    {"flags": {"new-checkout": {"enabled": true}},
     "traffic": {"checkout": {"weights": {"stable": 90, "canary": 10}}},
     "releases": {"android": {"version": "5.2.0", "halted": false}}}

An application reads the file, or asks whoever serves it, and obeys. An item is ``flags/KEY``, ``traffic/ROUTE`` or
``releases/NAME``. Files are replaced atomically, under a lock that spans processes, so that a change is conditional.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from dagster_project.automation.actuators.base import (
    Conflict,
    Desired,
    Preflight,
    Reading,
    State,
    canonical,
)
from dagster_project.automation.actuators.settings import TargetSettings
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.files import locked, write_json
from dagster_project.home import Home

GROUPS = ("flags", "traffic", "releases")


class LocalState(Desired):
    """Any state of the embedded control system; what is not named stays as it is."""

    enabled: bool | None = None
    variant: str | None = None
    weights: dict[str, int] | None = None
    version: str | None = None
    halted: bool | None = None


class LocalControlSettings(TargetSettings):
    """A ``kind: local`` target; ``file`` defaults to ``control.json`` of the home."""

    PLACE: ClassVar[tuple[str, ...]] = ("file",)
    DESIRED: ClassVar[type[Desired]] = LocalState

    kind: Literal["local"] = "local"
    file: Path | None = None

    def where(self, home: Home) -> Path:
        """The file."""
        return home.root / (self.file or home.control).expanduser()

    def build(self, home: Home) -> LocalControl:
        """The actuator."""
        return LocalControl(self.where(home), name=self.name)


class LocalControl:
    """A JSON file as a control system; what it writes can be read back at once."""

    settle_seconds = 0.0

    def __init__(self, file: Path, *, name: str = "local") -> None:
        self.name, self._file = name, file

    def read(self, item: str) -> Reading:
        """The state of an item; one that is not there is refused."""
        return self._reading(item, self._content())

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if all that is named has the wanted value."""
        return _with(reading.state, desired) == dict(reading.state)

    def after(self, before: State, desired: State) -> State:
        """What is named in the state before."""
        return _with(before, desired)

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set what is named."""
        return self._set(before, _with(before.state, desired))

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the whole state before."""
        return self._set(applied, dict(before.state))

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That some traffic is left to somebody."""
        weights = _with(reading.state, desired).get("weights")
        if not weights:
            return ()
        up = sum(weights.values()) > 0
        answer = "the weights add up to more than zero" if up else "no backend would get traffic"
        return (Preflight("receiver_healthy", up, answer),)

    def effect(self, item: str, desired: State) -> bool | None:
        """What an application would read now."""
        return self.shows(self.read(item), desired)

    def _set(self, expected: Reading, wanted: dict[str, Any]) -> Reading:
        with locked(self._file.with_suffix(".lock")):
            content = self._content()
            now = self._reading(expected.item, content)
            if now.state == wanted:
                return now
            if now.state != expected.state:
                raise Conflict(f"{expected.item} is {canonical(now.state)}, no longer {canonical(expected.state)}", now)
            group, name = expected.item.split("/", 1)
            content[group][name] = wanted
            write_json(self._file, content)
        return self.read(expected.item)

    def _content(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            # What else an application keeps there stays as it is.
            return {**content, **{group: dict(content[group]) for group in GROUPS if group in content}}
        except FileNotFoundError:
            reason = f"there is no {self._file}; write it, or set `file` of target {self.name}"
        except (OSError, ValueError, AttributeError, TypeError) as error:
            reason = f"{self._file} cannot be read ({error}); it holds JSON objects under {', '.join(GROUPS)}"
        raise DeliveryError(Rejected(reason, whole_destination=True)) from None

    def _reading(self, item: str, content: dict[str, dict[str, Any]]) -> Reading:
        group, _, name = item.partition("/")
        if group not in GROUPS or name not in content.get(group, {}):
            raise DeliveryError(
                Rejected(f"{self._file} has no {item}; items are flags/KEY, traffic/ROUTE, releases/NAME")
            )
        return Reading(item, content[group][name], url=str(self._file))


def _with(state: State, desired: State) -> dict[str, Any]:
    """The state with what is desired in it; weights of backends that are not named stay."""
    named = {name: value for name, value in desired.items() if value is not None}
    if "weights" in named:
        named["weights"] = {**state.get("weights", {}), **named["weights"]}
    return {**state, **named}
