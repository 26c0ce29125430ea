"""E-mail by SMTP: a ticket is a thread of messages to the owner of the issue.

Mail can be neither looked up nor retried without a second message, so a message whose answer was lost becomes a dead
letter (`feedback-control dead-letters`). Every message of an issue answers the first one, whose Message-ID is made from
the marker, so that mail programs show one thread.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from dagster_project.automation.destinations.settings import NAME, VARIABLE, DestinationSettings
from dagster_project.automation.http import DEFAULT_WAIT, Secret
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, NotSent, Rejected, Unknown
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.home import Home

_ADDRESS = r"^[^@\s<>,\"]+@[^@\s<>,\"]+$"
_IMPORTANCE = {"P1": "high", "P2": "high", "P3": "normal", "P4": "low"}


class MailSettings(DestinationSettings):
    """A ``kind: mail`` entry of destinations.yml.

    ``recipients`` says by owner who is written to; for any other owner it is ``to``. ``tls`` is ``starttls`` (port
    587), ``implicit`` (port 465) or, for a relay on this machine, ``none``.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("host", "port", "sender")

    kind: Literal["mail"]
    name: str = Field("mail", pattern=NAME)
    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    sender: str = Field(pattern=_ADDRESS)
    to: tuple[str, ...] = Field(min_length=1)
    recipients: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    user: str | None = None
    password_env: str = Field("SMTP_PASSWORD", pattern=VARIABLE)
    timeout_seconds: float = Field(20, gt=0, le=60)

    @field_validator("fields")
    @classmethod
    def _has_none(cls, value: dict[str, str]) -> dict[str, str]:
        if value:
            raise ValueError("messages have no further fields; remove fields, or say it in a template")
        return value

    def build(self, home: Home) -> Mail:
        """The destination."""
        return Mail(self)


class Mail:
    """Messages through one SMTP server as a ticket destination."""

    settle_seconds = 0.0

    def __init__(self, settings: MailSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._secret = Secret(settings.password_env, f"the password of {settings.user}", user=settings.user or "")

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Send the message that begins the thread."""
        return self._sent(ticket, self._message_id(ticket.marker), answers="")

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Answer the first message if the ticket has a note; changed numbers alone send no mail."""
        if not ticket.note:
            return self._external(ticket, external_id)
        message_id = self._message_id(f"{ticket.marker}.{ticket.note_key}")
        self._sent(ticket, message_id, answers=external_id)
        return self._external(ticket, external_id)

    resolve = update

    def _sent(self, ticket: Ticket, message_id: str, *, answers: str) -> ExternalTicket:
        settings = self._settings
        message = EmailMessage()
        message["Subject"] = ("Re: " if answers else "") + ticket.title
        message["From"], message["Message-ID"] = settings.sender, message_id
        message["To"] = ", ".join(settings.recipients.get(ticket.owner, settings.to))
        message["Date"], message["Importance"] = formatdate(usegmt=True), _IMPORTANCE[ticket.priority]
        message["Auto-Submitted"] = "auto-generated"  # so that no absence note answers
        if answers:
            message["In-Reply-To"] = message["References"] = answers
        note = f"**{ticket.note}**\n\n" if ticket.note else ""
        message.set_content(markup.plain(note + ticket.body))
        message.add_alternative(markup.html(note + ticket.body), subtype="html")
        self._deliver(message)
        return self._external(ticket, message_id)

    def _deliver(self, message: EmailMessage) -> None:
        password = self._secret.value() if self._settings.user else ""
        server = self._connected()
        try:
            if self._settings.user:
                self._or_fail(lambda: server.login(self._settings.user or "", password), self._refused)
            self._or_fail(lambda: server.send_message(message), self._not_taken)
        finally:
            server.close()  # without QUIT: what it answers to that could only blur what is known

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        secure = ssl.create_default_context()
        opened = contextlib.ExitStack()
        try:
            with opened:
                if settings.tls == "implicit":
                    return smtplib.SMTP_SSL(
                        settings.host, settings.port, timeout=settings.timeout_seconds, context=secure
                    )
                server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
                opened.callback(server.close)
                if settings.tls == "starttls":
                    server.starttls(context=secure)
                opened.pop_all()
                return server
        except smtplib.SMTPNotSupportedError:
            reason = f"{settings.host} offers no STARTTLS: check port and tls"
            raise DeliveryError(Rejected(reason, whole_destination=True)) from None
        except (OSError, smtplib.SMTPException) as error:
            reason = f"no connection to {settings.host}:{settings.port} ({error}); check host, port and tls"
            raise DeliveryError(NotSent(reason)) from None

    def _refused(self, error: Exception) -> Failure:
        if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError):
            variable, user = self._secret.variable, self._settings.user
            reason = f"{_said(error)}; the secret in {variable} is wrong or has expired, or is not {user}'s"
            return Rejected(reason, whole_destination=True)
        return NotSent(_said(error))

    def _not_taken(self, error: Exception) -> Failure:
        """The outcome of a failed message: certain up to its last line; silence after that means unknown."""
        said = _said(error)
        match error:
            case smtplib.SMTPSenderRefused() if error.smtp_code >= 500:
                return Rejected(
                    f"{said}; may not send as {self._settings.sender}: check sender", whole_destination=True
                )
            case smtplib.SMTPRecipientsRefused():
                codes = [code for code, _ in error.recipients.values()]
                if all(code >= 500 for code in codes):
                    return Rejected(f"{said}; check to and recipients")
                return Deferred(said, DEFAULT_WAIT)
            case smtplib.SMTPResponseException() if error.smtp_code >= 500:
                return Rejected(said)
            case smtplib.SMTPResponseException() if error.smtp_code >= 400:
                return Deferred(said, DEFAULT_WAIT)
        return Unknown(f"no answer to the message ({said})")

    def _or_fail(self, act: Callable[[], object], failure: Callable[[Exception], Failure]) -> None:
        try:
            act()
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(failure(error)) from None

    def _message_id(self, key: str) -> str:
        return f"<feedback-control.{key}@{self._settings.sender.partition('@')[2]}>"

    def _external(self, ticket: Ticket, message_id: str) -> ExternalTicket:
        url = f"mid:{message_id.strip('<>')}"  # RFC 2392
        return ExternalTicket(message_id, url, ticket.title, ticket.body, ticket.closes, ticket.content_hash)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
        return f"the mail server answered {error.smtp_code} {text}"
    return f"the mail server: {str(error) or type(error).__name__}"
