"""An Unleash of its own, on a PostgreSQL of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.automation.postgres import postgresql
from tests.servers.processes import TOOLS, eventually, free_port, running

UNLEASH = TOOLS / "node_modules" / "unleash-server" / "dist" / "server.js"
ADMIN, CLIENT = "*:*.admins-token", "default:production.clients-token"


@dataclass(frozen=True)
class FlagServer:
    """A running Unleash with a flag that is on for half of the customers in Germany, by a segment."""

    url: str

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """An act of a person there."""
        answer = httpx.request(
            method, f"{self.url}/api/admin{path}", json=body, headers={"Authorization": ADMIN}, timeout=30
        ).raise_for_status()
        return answer.json() if answer.content else None

    def clients_see(self, flag: str) -> bool:
        """Whether the flag is on, as applications are told."""
        headers = {"Authorization": CLIENT}
        found = httpx.get(f"{self.url}/api/client/features", headers=headers).raise_for_status().json()["features"]
        return next(bool(one["enabled"]) for one in found if one["name"] == flag)

    def switches(self, flag: str) -> list[str]:
        """Events of switching in its log, oldest first."""
        events = self.admin("GET", f"/events/{flag}")["events"]
        return [one["type"].rpartition("-")[2] for one in reversed(events) if "feature-environment-" in one["type"]]

    def make_flag(self, name: str) -> None:
        """A flag with a strategy that has constraint, segment and variants, switched on."""
        flags = "/projects/default/features"
        self.admin("POST", flags, {"name": name, "type": "release"})
        segments = self.admin("GET", "/segments")["segments"]
        constraint = {"contextName": "country", "operator": "IN", "values": ["DE"]}
        if not segments:
            segments = [self.admin("POST", "/segments", {"name": "Germany", "constraints": [constraint]})]
        variants = [
            {"name": letter, "weight": 500, "weightType": "variable", "stickiness": "default"} for letter in "ab"
        ]
        strategy = {
            "name": "flexibleRollout",
            "parameters": {"rollout": "50", "stickiness": "default", "groupId": name},
            "constraints": [constraint],
            "segments": [segments[0]["id"]],
            "variants": variants,
        }
        self.admin("POST", f"{flags}/{name}/environments/production/strategies", strategy)
        self.admin("POST", f"{flags}/{name}/environments/production/on")


@contextmanager
def unleash(folder: Path) -> Iterator[FlagServer]:
    """Unleash on a PostgreSQL of its own; takes about ten seconds."""
    port = free_port()
    with postgresql() as database:
        own = {
            "DATABASE_URL": database.replace("+psycopg", ""),
            "DATABASE_SSL": "false",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "INIT_ADMIN_API_TOKENS": ADMIN,
            "INIT_CLIENT_API_TOKENS": CLIENT,
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "LOG_LEVEL": "warn",
        }
        with running(["node", UNLEASH], port, folder / "unleash.log", own):
            began = FlagServer(f"http://127.0.0.1:{port}")
            assert eventually(lambda: httpx.get(f"{began.url}/health").is_success, 30)
            time.sleep(0.5)
            yield began
