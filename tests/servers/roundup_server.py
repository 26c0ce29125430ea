"""A Roundup of its own: the classic template, with the columns that a ticket of ours needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers.processes import TOOLS, free_port, running

BIN = TOOLS / "roundup" / "bin"
PASSWORD = "planted-roundup-0123456789"
_OURS = 'IssueClass(db, "issue", marker=String(), hash=String(), text=String(), notes=String(),'


@dataclass(frozen=True)
class RunningRoundup:
    """A running one; ``url`` is where its REST interface begins."""

    url: str

    def ask(self, path: str, **params: str) -> httpx.Response:
        """An answer of Roundup itself, without anything in between."""
        headers = {"X-Requested-With": "test", "Referer": f"{self.url.removesuffix('rest')}"}
        return httpx.get(f"{self.url}{path}", params=params, headers=headers, auth=("admin", PASSWORD), timeout=30)

    def issues(self) -> list[dict[str, Any]]:
        """Every issue of the tracker."""
        fields = {"@fields": "title,status,marker,hash,text,notes", "@sort": "id"}
        found: list[dict[str, Any]] = self.ask("/data/issue", **fields).raise_for_status().json()["data"]["collection"]
        return found


@contextmanager
def roundup(folder: Path, *, calls: int = 0, seconds: int = 3600) -> Iterator[RunningRoundup]:
    """Make one and run it; of ``calls`` each user may make so many in so many seconds (0: any number)."""
    port, home = free_port(), folder / "tracker"
    url = f"http://127.0.0.1:{port}/"

    def admin(*arguments: str) -> None:
        command = [str(BIN / "roundup-admin"), "-i", str(home), *arguments]
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)

    admin("install", "classic", "sqlite")
    config = (home / "config.ini").read_text()
    for name, value in {
        "web": url,
        "domain": "example.test",
        "host": "127.0.0.1",
        "allowed_api_origins": "*",  # proxies stand between us and it
        "api_calls_per_interval": str(calls),
        "api_interval_in_sec": str(seconds),
    }.items():
        config, times = re.subn(rf"(?m)^#?{name} = .*$", f"{name} = {value}", config)
        assert times, f"Roundup's configuration has no {name}"
    (home / "config.ini").write_text(config)
    schema = (home / "schema.py").read_text()
    assert schema.count('IssueClass(db, "issue",') == 1
    (home / "schema.py").write_text(schema.replace('IssueClass(db, "issue",', _OURS))
    admin("initialise", PASSWORD)
    serve: list[str | Path] = [BIN / "python", Path(__file__).with_name("roundup_wsgi.py"), home, str(port)]
    with running(serve, port, folder / "roundup.log"):
        yield RunningRoundup(f"{url}rest")
