"""Traefik's file provider: weights of a weighted service in a file of dynamic configuration.

An item is the name of the service in the file. Only the numbers are replaced in the text, so comments and layout stay,
and an undo restores the file byte for byte; the new file is renamed over the old. Traefik's API, which never writes,
tells whether the weights are in force and which servers are up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

import httpx
import yaml
from pydantic import Field, field_validator

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State
from dagster_project.automation.actuators.conditional import set_state
from dagster_project.automation.actuators.http import HttpActuator
from dagster_project.automation.actuators.settings import HttpTargetSettings
from dagster_project.automation.actuators.traffic import insist, receiver_healthy, refuse_unknown
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.files import locked, write_text
from dagster_project.home import Home


class TraefikState(Desired):
    """Weights by the name of a service, in proportion to their sum; what is not named stays as it is."""

    weights: dict[str, Annotated[int, Field(ge=0)]]


class TraefikFileSettings(HttpTargetSettings):
    """A ``kind: traefik_file`` target; ``file`` is written, ``base_url`` (Traefik's API) is read."""

    PLACE: ClassVar[tuple[str, ...]] = ("file", "base_url")
    DESIRED: ClassVar[type[Desired]] = TraefikState

    kind: Literal["traefik_file"] = "traefik_file"
    file: Path

    @field_validator("file")
    @classmethod
    def _yaml(cls, value: Path) -> Path:
        if value.suffix not in (".yml", ".yaml"):
            raise ValueError("must end in .yml or .yaml")
        return value

    def where(self, home: Home) -> Path:
        """The file."""
        return home.root / self.file.expanduser()

    def build(self, home: Home) -> TraefikFile:
        """The actuator."""
        return TraefikFile(self, self.where(home))


class TraefikFile(HttpActuator):
    """One file of dynamic configuration, and the API of the Traefik that watches it."""

    def __init__(
        self, settings: TraefikFileSettings, file: Path, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        super().__init__(settings, None, transport=transport)
        self._file = file

    def read(self, item: str) -> Reading:
        """The service in the file, word for word."""
        service = _service_in(self._text(), item) or {}
        if not _parts(service):
            raise DeliveryError(Rejected(f"{self._file} has no weighted service {item}"))
        return Reading(item, service, url=str(self._file))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the file has the wanted weights."""
        weights = _weights(reading.state)
        return all(weights.get(name) == weight for name, weight in desired["weights"].items())

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Replace the weights; refused while a service that would receive traffic has no server that is up."""
        wanted = _with(before, desired)

        def write(now: Reading) -> None:
            insist(self._receivers(wanted))
            self._write(item, wanted)

        return self._set(write, before, wanted)

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Write the weights from before."""
        return self._set(lambda now: self._write(now.item, before.state), applied, before.state)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That each service that would receive traffic has a server that is up."""
        return (self._receivers(_with(reading, desired)),)

    def effect(self, item: str, desired: State) -> bool | None:
        """The weights that Traefik has in force."""
        try:
            in_force = Reading(item, self._service(item))
        except DeliveryError:
            return None
        return self.shows(in_force, desired)

    def _set(self, write: Callable[[Reading], None], expected: Reading, wanted: State) -> Reading:
        with locked(self._file.resolve().with_name(f".{self._file.name}.lock")):
            return set_state(self.read, write, expected, wanted)

    def _write(self, item: str, wanted: State) -> None:
        text, weights = self._text(), _weights(wanted)
        for name, number in reversed(_weight_nodes(text, item)):
            text = text[: number.start_mark.index] + str(weights[name]) + text[number.end_mark.index :]
        if _service_in(text, item) != wanted:
            raise DeliveryError(Rejected(f"the weights of {item} in {self._file} are not plain numbers: write them so"))
        write_text(self._file.resolve(), text)

    def _receivers(self, wanted: State) -> Preflight:
        receivers = {name for name, weight in _weights(wanted).items() if weight > 0}
        up = {name for name in receivers if _is_up(self._service(name))}
        return receiver_healthy(receivers, receivers - up, passed=receivers <= up)

    def _service(self, name: str) -> dict[str, Any]:
        full = name if "@" in name else f"{name}@file"
        return self._http.read(f"/api/http/services/{quote(full, safe='@')}", dict[str, Any])[0]

    def _text(self) -> str:
        """The file's text, once it is known to hold services."""
        try:
            text = self._file.read_bytes().decode()
            if isinstance(yaml.safe_load(text)["http"]["services"], dict):
                return text
            reason = f"{self._file} has no mapping `http.services`"
        except FileNotFoundError:
            reason = f"there is no {self._file}; set `file` of target {self.name}"
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            reason = f"{self._file} cannot be read as Traefik's dynamic configuration ({error})"
        raise DeliveryError(Rejected(reason, whole_destination=True))


def _service_in(text: str, item: str) -> Any:
    """A service in a text; None if the text is no configuration."""
    try:
        return yaml.safe_load(text)["http"]["services"].get(item)
    except (yaml.YAMLError, KeyError, TypeError):
        return None


def _parts(service: State) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (service.get("weighted") or {}).get("services") or []
    return found


def _weights(service: State) -> dict[str, int]:
    """Weights by service; Traefik counts a missing one as 1."""
    return {str(part["name"]): int(part.get("weight", 1)) for part in _parts(service)}


def _with(reading: Reading, desired: State) -> dict[str, Any]:
    """The service with what is desired in it."""
    parts, weights = _parts(reading.state), desired["weights"]
    refuse_unknown(reading.item, weights, [str(part["name"]) for part in parts])
    if silent := [part["name"] for part in parts if part["name"] in weights and "weight" not in part]:
        raise DeliveryError(Rejected(f"{reading.item} has no written weight for {', '.join(silent)}: write it first"))
    changed = [{**part, "weight": weights[part["name"]]} if part["name"] in weights else part for part in parts]
    return {**reading.state, "weighted": {**reading.state["weighted"], "services": changed}}


def _weight_nodes(text: str, item: str) -> list[tuple[str, yaml.Node]]:
    """The numbers in the text of a service's weights, in the order of the text, each with its service's name."""
    node = yaml.compose(text, yaml.SafeLoader)
    for key in ("http", "services", item, "weighted", "services"):
        node = _value(node, key)
    found = [(_value(part, "name"), _value(part, "weight")) for part in (node.value if node else ())]
    return [(str(name.value), weight) for name, weight in found if name is not None and weight is not None]


def _value(mapping: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = mapping.value if isinstance(mapping, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _is_up(service: State) -> bool:
    """True if a server of the service is up; one whose servers are not told counts as up if it is enabled."""
    statuses = service.get("serverStatus")
    return "UP" in statuses.values() if statuses else service.get("status") == "enabled"
