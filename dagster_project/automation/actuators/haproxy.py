"""HAProxy, by its runtime socket: weights and states of the servers of a backend.

An item is the name of a backend. What is set here lasts until a reload, which restores the configuration's weights:
a held mitigation is read again each tick, and shown as drifted. All commands of one change go in one line, so that
a process that is killed leaves all of them or none.
"""

from __future__ import annotations

import csv
import re
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State
from dagster_project.automation.actuators.conditional import set_state
from dagster_project.automation.actuators.settings import TargetSettings
from dagster_project.automation.actuators.traffic import insist, receiver_healthy, refuse_unknown, split_seen
from dagster_project.automation.outcomes import DeliveryError, NotSent, Rejected, Unknown
from dagster_project.home import Home

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_MAINT, _DRAIN = 0x01, 0x08
"""Bits of `srv_admin_state` that the runtime socket sets (`SRV_ADMF_FMAINT`, `SRV_ADMF_FDRAIN`)."""
_STOPPED = "0"
"""`srv_op_state` of a server that is down."""


class HAProxyState(Desired):
    """Weights (0 to 256) and states by the name of a server; what is not named stays as it is."""

    weights: dict[str, Annotated[int, Field(ge=0, le=256)]] = Field(default_factory=dict)
    states: dict[str, Literal["ready", "drain", "maint"]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> HAProxyState:
        if not (self.weights or self.states):
            raise ValueError("names neither weights nor states")
        return self


class HAProxySettings(TargetSettings):
    """A ``kind: haproxy`` target; ``socket`` is the path of a socket with `level admin`, or ``tcp://host:port``."""

    PLACE: ClassVar[tuple[str, ...]] = ("socket",)
    DESIRED: ClassVar[type[Desired]] = HAProxyState

    kind: Literal["haproxy"] = "haproxy"
    socket: str
    timeout_seconds: float = Field(5, gt=0, le=25)
    sample_seconds: float = Field(5, gt=0, le=60)

    @field_validator("socket")
    @classmethod
    def _path_or_address(cls, value: str) -> str:
        address = urlsplit(value)
        if not (value.startswith("/") or (address.scheme == "tcp" and address.hostname and address.port)):
            raise ValueError("must be the path of a socket, from /, or tcp://host:port")
        return value

    def where(self, home: Home) -> Path | str:
        """The socket, or the host."""
        return Path(self.socket) if self.socket.startswith("/") else str(urlsplit(self.socket).hostname)

    def build(self, home: Home) -> HAProxy:
        """The actuator."""
        return HAProxy(self)


class HAProxy:
    """The runtime socket of one HAProxy; what is written can be read back at once."""

    settle_seconds = 0.0

    def __init__(self, settings: HAProxySettings) -> None:
        self.name = settings.name
        self._socket = settings.socket
        self._timeout, self._sample = settings.timeout_seconds, settings.sample_seconds

    def read(self, item: str) -> Reading:
        """Weight and state of each server of a backend."""
        servers = {
            row["srv_name"]: {"weight": int(row["srv_uweight"]), "state": _state(int(row["srv_admin_state"]))}
            for row in self._rows(item)
        }
        return Reading(item, {"servers": servers}, url=self._socket)

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if all that is named has the wanted weight and state."""
        servers, weights, states = reading.state["servers"], desired.get("weights", {}), desired.get("states", {})
        return all(servers.get(name, {}).get("weight") == weight for name, weight in weights.items()) and all(
            servers.get(name, {}).get("state") == state for name, state in states.items()
        )

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Set what is named; refused while no server that would receive traffic is up."""
        wanted = _with(before, desired)

        def write(now: Reading) -> None:
            insist(self._receivers(item, wanted))
            self._send(_commands(now, wanted))

        return set_state(self.read, write, before, wanted)

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set weights and states as they were."""
        return set_state(self.read, lambda now: self._send(_commands(now, before.state)), applied, before.state)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That a server that would receive traffic is up."""
        return (self._receivers(item, _with(reading, desired)),)

    def effect(self, item: str, desired: State) -> bool | None:
        """Count what each server gets for ``sample_seconds``, by `show stat`, and compare it with the weights."""
        servers = self.read(item).state["servers"]
        weights = {name: one["weight"] if one["state"] == "ready" else 0 for name, one in servers.items()}
        for name, weight in desired.get("weights", {}).items():
            weights[name] = weight
        for name, state in desired.get("states", {}).items():
            weights[name] = weights.get(name, 0) if state == "ready" else 0
        first = self._counted(item)
        time.sleep(self._sample)
        return split_seen(weights, {name: count - first.get(name, 0) for name, count in self._counted(item).items()})

    def _receivers(self, item: str, wanted: State) -> Preflight:
        up = {row["srv_name"] for row in self._rows(item) if row["srv_op_state"] != _STOPPED}
        receivers = {name for name, one in wanted["servers"].items() if one["weight"] > 0 and one["state"] == "ready"}
        return receiver_healthy(receivers, receivers - up, passed=bool(receivers & up))

    def _counted(self, item: str) -> dict[str, int]:
        lines = self._ask(f"show stat {item} 4 -1").removeprefix("# ").strip().splitlines()
        return {row["svname"]: int(row["stot"]) for row in csv.DictReader(lines)}

    def _rows(self, item: str) -> list[dict[str, str]]:
        """The servers of a backend, by the column names of `show servers state`."""
        if not _NAME.fullmatch(item):
            raise DeliveryError(Rejected(f"{item!r} is no name of a backend"))
        answer = self._ask(f"show servers state {item}").strip()
        _version, _, table = answer.partition("\n")
        if not table.startswith("# "):
            raise DeliveryError(Rejected(f"HAProxy said of backend {item}: {answer}"))
        header, *rows = table.removeprefix("# ").splitlines()
        return [dict(zip(header.split(), row.split(), strict=False)) for row in rows]

    def _send(self, commands: list[str]) -> None:
        """Run commands, each of which answers nothing if it succeeded: an error is text, not a code."""
        if said := self._ask("; ".join(commands), writes=True).strip():
            raise DeliveryError(Rejected(f"HAProxy refused `{'; '.join(commands)}`: {said}", _forbidden(said)))

    def _ask(self, line: str, *, writes: bool = False) -> str:
        try:
            connection = self._connected()
        except OSError as error:
            reason = f"no connection to {self._socket} ({error}); check `socket` of target {self.name}"
            raise DeliveryError(NotSent(reason)) from None
        with closing(connection):
            try:
                connection.sendall(f"{line}\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            except OSError as error:
                lost = Unknown if writes else NotSent
                raise DeliveryError(lost(f"no answer from {self._socket} to `{line}` ({error})")) from None
        if not answer:  # even a command that succeeded is answered by an empty line
            lost = Unknown if writes else NotSent
            raise DeliveryError(lost(f"{self._socket} closed the connection after `{line}`"))
        return answer.decode(errors="replace")

    def _connected(self) -> socket.socket:
        if not self._socket.startswith("/"):
            address = urlsplit(self._socket)
            return socket.create_connection((str(address.hostname), int(address.port or 0)), self._timeout)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout)
        try:
            connection.connect(self._socket)
        except OSError:
            connection.close()
            raise
        return connection


def _with(reading: Reading, desired: State) -> dict[str, Any]:
    """The state with what is desired in it."""
    weights, states = desired.get("weights", {}), desired.get("states", {})
    servers = reading.state["servers"]
    refuse_unknown(reading.item, {*weights, *states}, servers)
    return {
        "servers": {
            name: {"weight": weights.get(name, one["weight"]), "state": states.get(name, one["state"])}
            for name, one in servers.items()
        }
    }


def _commands(now: Reading, wanted: State) -> list[str]:
    """The commands from one state to the other; who receives more comes first, so that nobody is left without."""
    commands: list[tuple[bool, str]] = []
    for name, one in now.state["servers"].items():
        there = wanted["servers"][name]
        if one["weight"] != there["weight"]:
            less = there["weight"] < one["weight"]
            commands.append((less, f"set weight {now.item}/{name} {there['weight']}"))
        if one["state"] != there["state"]:
            commands.append((there["state"] != "ready", f"set server {now.item}/{name} state {there['state']}"))
    return [command for _, command in sorted(commands)]


def _state(admin: int) -> str:
    return "maint" if admin & _MAINT else "drain" if admin & _DRAIN else "ready"


def _forbidden(said: str) -> bool:
    return said.startswith("Permission denied")
