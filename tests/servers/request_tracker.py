"""A Request Tracker 5 of its own: database, queue, user, token and the custom field for the marker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers.processes import free_port, running

SETUP, SERVER = Path("/usr/sbin/rt-setup-database-5"), Path("/usr/share/request-tracker5/libexec/rt-server")
RIGHTS = (
    "SeeQueue ShowTicket ShowTicketComments CreateTicket CommentOnTicket ReplyToTicket ModifyTicket OwnTicket "
    "SeeCustomField ModifyCustomField"
)
_CONFIG = """
Set($rtname, 'example.test'); Set($Organization, 'example.test'); Set($WebDomain, '127.0.0.1');
Set($WebPort, {port}); Set($WebPath, ''); Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{folder}/rt.sqlite'); Set($MailCommand, 'testfile');
Set($LogToSyslog, undef); Set($LogToSTDERR, 'error'); 1;
"""
_PREPARE = """
use lib '/usr/share/request-tracker5/lib';
use RT; RT::LoadConfig(); RT::Init();
my ($system, $queue) = (RT->SystemUser, RT::Queue->new(RT->SystemUser));
$queue->Load('General');
RT::CustomField->new($system)->Create(Name => 'feedback-control', Type => 'FreeformSingle', Queue => $queue->Id);
for my $name (qw(feedback jo)) {{
    my $user = RT::User->new($system);
    $user->Create(Name => $name, EmailAddress => $name . '@example.test', Privileged => 1);
    $user->PrincipalObj->GrantRight(Right => $_, Object => $queue) for qw({rights});
    my ($ok, $said, $token) = RT::AuthToken->new($system)->Create(Owner => $user->Id, Description => 'test');
    print "$token\n";
}}
"""


@dataclass(frozen=True)
class RequestTracker:
    """A running one; ``token`` is ours, ``jos`` that of a person."""

    url: str
    token: str
    jos: str

    def get(self, path: str, **params: str | int) -> Any:
        """An answer of RT itself, without anything in between."""
        headers = {"Authorization": f"token {self.token}"}
        return (
            httpx.get(f"{self.url}/REST/2.0{path}", params=params, headers=headers, timeout=30)
            .raise_for_status()
            .json()
        )

    def jo_does(self, method: str, path: str, body: dict[str, str]) -> None:
        """An action of a person in RT."""
        headers = {"Authorization": f"token {self.jos}"}
        httpx.request(method, f"{self.url}/REST/2.0{path}", json=body, headers=headers, timeout=30).raise_for_status()

    def tickets(self) -> list[dict[str, Any]]:
        """Every ticket of the queue."""
        found: list[dict[str, Any]] = []
        for page in range(1, 1000):
            asked = {"query": "Queue = 'General'", "fields": "Subject,Status,CustomFields", "orderby": "id"}
            part = self.get("/tickets", **asked, per_page=100, page=page)["items"]
            found += part
            if len(part) < 100:
                return found
        raise AssertionError("no end of tickets")

    def comments(self, number: str) -> list[str]:
        """The comments of a ticket, as their attachments say them."""
        history = self.get(f"/ticket/{number}/history", fields="Type", per_page=100)["items"]
        return [one["id"] for one in history if one["Type"] == "Comment"]


@contextmanager
def request_tracker(folder: Path) -> Iterator[RequestTracker]:
    """Make one and run it; takes about five seconds."""
    port = free_port()
    (folder / "site.d").mkdir(parents=True)
    (folder / "site.pm").write_text(_CONFIG.format(port=port, folder=folder))
    (folder / "prepare.pl").write_text(_PREPARE.format(rights=RIGHTS))
    own = {"RT_SITE_CONFIG": str(folder / "site.pm"), "RT_SITE_CONFIG_DIR": str(folder / "site.d")}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=folder, env={**os.environ, **own}
        )
        return done.stdout

    run(str(SETUP), "--action", "init", "--dba", "", "--dba-password", "")
    token, jos = run("perl", str(folder / "prepare.pl")).split()
    serve: list[str | Path] = [SERVER, "--port", str(port), "--host", "127.0.0.1"]
    with running(serve, port, folder / "server.log", own):
        yield RequestTracker(f"http://127.0.0.1:{port}", token, jos)
