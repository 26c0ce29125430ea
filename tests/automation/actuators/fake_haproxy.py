"""HAProxy's runtime socket in this process, which answers as HAProxy 2.8 was seen to answer; and unreliable."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_COLUMNS = "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight"
_BITS = {"ready": 0, "drain": 8, "maint": 1}
_STATES = "'set server <srv> state' expects 'ready', 'drain' and 'maint'."


@dataclass
class Server:
    """A server of the backend."""

    weight: int
    initial: int
    state: str = "ready"
    up: bool = True
    requests: int = 0


@dataclass
class FakeHAProxy:
    """One backend, `shop`; ``fault`` strikes the next write: before or after it was made, or by silence afterwards."""

    fault: str = ""
    operator: bool = True
    servers: dict[str, Server] = field(default_factory=lambda: {"stable": Server(90, 90), "canary": Server(10, 10)})
    hangs_up: threading.Event = field(default_factory=threading.Event)
    lines: list[str] = field(default_factory=list)
    traffic: dict[str, int] = field(default_factory=dict)
    """Requests that each server gets between two looks at the counters."""

    def reload(self) -> None:
        """The configuration's weights come back."""
        for server in self.servers.values():
            server.weight, server.state = server.initial, "ready"

    def answer(self, line: str) -> str:
        """The answers to the commands of a line; empty if the connection is cut."""
        self.lines.append(line)
        writes = line.startswith("set ")
        fault, self.fault = (self.fault, "") if writes else ("", self.fault)
        if fault == "before":
            return ""
        said = "".join(f"{self._run(command.split())}\n" for command in line.split("; "))
        if fault == "silence":
            self.hangs_up.wait(10)
        return "" if fault in ("after", "silence") else said

    def _run(self, words: list[str]) -> str:
        match words:
            case ["show", "servers", "state", "shop"]:
                return f"1\n# {_COLUMNS}\n" + "".join(self._row(*one) for one in enumerate(self.servers, 1))
            case ["show", "servers", "state", _]:
                return "Can't find backend.\n"
            case ["show", "stat", "shop", "4", "-1"]:
                for name, requests in self.traffic.items():
                    self.servers[name].requests += requests
                rows = "".join(f"shop,{name},{one.requests},\n" for name, one in self.servers.items())
                return f"# pxname,svname,stot,\n{rows}"
            case ["set", *_] if not self.operator:
                return "Permission denied\n"
            case ["set", "weight", name, weight] if name.removeprefix("shop/") in self.servers:
                if not 0 <= int(weight) <= 256:
                    return "Absolute weight can only be between 0 and 256 inclusive.\n"
                self.servers[name.removeprefix("shop/")].weight = int(weight)
                return ""
            case ["set", "server", name, "state", state] if name.removeprefix("shop/") in self.servers:
                if state not in _BITS:
                    return f"{_STATES}\n"
                self.servers[name.removeprefix("shop/")].state = state
                return ""
            case ["set", "weight" | "server", *_]:
                return "No such server.\n"
        return f"Unknown command: '{' '.join(words)}'\n"

    def _row(self, number: int, name: str) -> str:
        one = self.servers[name]
        op = 2 if one.up else 0
        return f"3 shop {number} {name} 127.0.0.1 {op} {_BITS[one.state]} {one.weight} {one.initial}\n"


@contextmanager
def listening(fake: FakeHAProxy, path: Path) -> Iterator[None]:
    """The fake behind a real socket."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(fake.answer(self.rfile.readline().decode().strip()).encode())

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
