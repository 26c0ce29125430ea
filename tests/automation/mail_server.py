"""A real mail server on loopback with planned faults."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from dagster_project.automation.destinations.mail import Mail, MailSettings

PASSWORD = "planted-mail-0123456789"


class MailServer:
    """Simulated mail server: its answers to senders, recipients and messages, and the messages it has got."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.connections: list[str] = []
        self.sender = self.recipient = self.message = "250 ok"
        self.lose = False

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: Any) -> str:
        envelope.rcpt_tos.append(to)
        self.recipients.append(to)
        return self.recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.message.startswith("250"):
            self.mails.append(BytesParser(policy=default).parsebytes(cast(bytes, envelope.content)))
        if self.lose:
            cast(asyncio.Transport, server.transport).abort()  # it has the message; the answer is lost
        return self.message

    @staticmethod
    def text_of(mail: EmailMessage) -> str:
        """A message's plain part."""
        return str(cast(Any, mail.get_body(("plain",))).get_content())

    @staticmethod
    def page_of(mail: EmailMessage) -> str:
        """A message's HTML part."""
        return str(cast(Any, mail.get_body(("html",))).get_content())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A running one."""
    handler = MailServer()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        handler.port = free.getsockname()[1]
    controller = Controller(
        handler, hostname="127.0.0.1", port=handler.port, authenticator=_authenticate, auth_require_tls=False
    )
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


def mail(port: int, **settings: Any) -> Mail:
    """The destination, set to that server."""
    entry = {"kind": "mail", "host": "127.0.0.1", "port": port, "tls": "none", "sender": "fc@acme.example"}
    return Mail(MailSettings.model_validate({**entry, "to": ["ops@acme.example"], **settings}))


def _authenticate(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    # Not handled here: the server itself answers 535 to a wrong password.
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)
