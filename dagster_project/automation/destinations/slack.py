"""Slack: a ticket is a message in one channel, rewritten as the issue goes on; notes are replies in its thread.

Marker, status and content hash are in the id of the message's first block, which people do not see and Slack returns.
Look-ups read the channel's own history, not the search, as the strongest read. People cannot close a message, so its
status is ours alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field, field_validator

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, NotSent, Rejected, Unknown
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.home import Home

TITLE_LIMIT = 150
SECTION_LIMIT = 3_000
BODY_LIMIT = 12_000  # characters; longer messages are not read in a channel
_PAGE = 200
_MOST_PAGES = 1000
_NO_TOKEN = {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
_NO_RIGHT = {"access_denied", "missing_scope", "no_permission", "not_allowed_token_type", "team_access_not_granted"}
_NO_CHANNEL = {"channel_not_found", "is_archived", "not_in_channel", "restricted_action"}
_NO_ANSWER = {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}


class SlackSettings(HttpSettings):
    """A ``kind: slack`` entry of destinations.yml.

    The app needs the scopes chat:write and channels:history (groups:history in a private channel), and has to be in
    the channel.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "channel")

    kind: Literal["slack"]
    name: str = Field("slack", pattern=NAME)
    channel: str = Field(pattern=r"^[CG][A-Z0-9]+$")
    token_env: str = Field("SLACK_BOT_TOKEN", pattern=VARIABLE)
    base_url: str = "https://slack.com/api"
    workspace_url: str = "https://slack.com"

    @field_validator("fields")
    @classmethod
    def _has_none(cls, value: dict[str, str]) -> dict[str, str]:
        if value:
            raise ValueError("Slack messages have no further fields; remove fields, or say it in a template")
        return value

    def build(self, home: Home) -> Slack:
        """The destination."""
        return Slack(self)


class _Block(BaseModel):
    block_id: str = ""


class _Message(BaseModel):
    ts: str
    text: str = ""
    blocks: list[_Block] = []

    @property
    def mark(self) -> str:
        return self.blocks[0].block_id if self.blocks else ""


class _Cursor(BaseModel):
    next_cursor: str = ""


class _Answer(BaseModel):
    ok: bool
    error: str = ""
    ts: str = ""
    messages: list[_Message] = []
    response_metadata: _Cursor = _Cursor()


class Slack(HttpDestination):
    """The messages of one channel as a ticket destination."""

    def __init__(self, settings: SlackSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, Secret(settings.token_env, "the bot token of the Slack app"), transport=transport)
        self._settings = settings

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Post the message, marker and all, in one request."""
        answer = self._post("/chat.postMessage", self._message(ticket, closed=False))
        return self._external(answer.ts, ticket.title, closed=False, content_hash=ticket.content_hash)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Rewrite the message, after a reply in its thread if the ticket has a note."""
        present = self._read(external_id)
        if ticket.note:
            self._reply_once(external_id, ticket)
        closed = ticket.closes or (self._seen(present).closed and not ticket.reopens)
        self._post("/chat.update", {"ts": external_id, **self._message(ticket, closed=closed)})
        return self._external(external_id, ticket.title, closed=closed, content_hash=ticket.content_hash)

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The message by its time stamp; None if it was deleted."""
        try:
            return self._seen(self._read(external_id))
        except DeliveryError as error:
            if missing(error):
                return None
            raise

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every message with the marker, oldest first."""
        params = {"oldest": f"{since.astimezone(UTC).timestamp():.6f}"} if since else {}
        messages = self._messages("/conversations.history", params)
        return [self._seen(one) for one in sorted(messages, key=lambda one: one.ts) if _is_of(marker, one.mark)]

    def _message(self, ticket: Ticket, *, closed: bool) -> dict[str, Any]:
        mark = f"fc:{ticket.marker}:{'closed' if closed else 'open'}:{ticket.content_hash}"
        head = {"type": "plain_text", "text": ticket.title[:TITLE_LIMIT], "emoji": False}
        sections = [
            {"type": "section", "text": {"type": "mrkdwn", "text": part, "verbatim": True}}
            for part in markup.parts(markup.mrkdwn(ticket.body, BODY_LIMIT), SECTION_LIMIT)
        ]
        return {
            "channel": self._settings.channel,
            "text": markup.slack_text(ticket.title),  # what a notification shows
            "blocks": [{"type": "header", "block_id": mark, "text": head}, *sections],
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def _reply_once(self, ts: str, ticket: Ticket) -> None:
        mark = f"fc-note:{ticket.note_key}"
        if any(one.mark == mark for one in self._messages("/conversations.replies", {"ts": ts})):
            return
        text = markup.slack_text(ticket.note)
        section = {"type": "section", "block_id": mark, "text": {"type": "mrkdwn", "text": text}}
        reply = {"channel": self._settings.channel, "thread_ts": ts, "text": text, "blocks": [section]}
        self._post("/chat.postMessage", reply)

    def _read(self, ts: str) -> _Message:
        found = self._get("/conversations.replies", {"ts": ts, "limit": 1}).messages  # a thread begins with its message
        if not found or found[0].ts != ts:
            raise DeliveryError(Rejected(f"the message {ts} was deleted from channel {self._settings.channel}"))
        return found[0]

    def _messages(self, path: str, params: dict[str, Any]) -> Iterator[_Message]:
        cursor = ""
        for _ in range(_MOST_PAGES):
            page = self._get(path, {**params, "limit": _PAGE, **({"cursor": cursor} if cursor else {})})
            yield from page.messages
            cursor = page.response_metadata.next_cursor
            if not cursor:
                return
        raise DeliveryError(NotSent(f"the history of channel {self._settings.channel} has no end; check base_url"))

    def _get(self, path: str, params: dict[str, Any]) -> _Answer:
        answer, _ = self._http.read(path, _Answer, channel=self._settings.channel, **params)
        return self._checked(answer, lost=NotSent)

    def _post(self, path: str, body: dict[str, Any]) -> _Answer:
        return self._checked(self._http.write("POST", path, body, _Answer), lost=Unknown)

    def _checked(self, answer: _Answer, *, lost: type[NotSent] | type[Unknown]) -> _Answer:
        """Slack refuses with 200: what was refused, and for whom, stands in the answer."""
        if answer.ok:
            return answer
        said, settings = f"Slack answered {answer.error}", self._settings
        if answer.error in _NO_ANSWER:
            raise DeliveryError(lost(said))
        if answer.error in ("ratelimited", "rate_limited"):
            raise DeliveryError(Deferred(said, timedelta(minutes=1)))
        raise DeliveryError(_refused(answer.error, said, settings))

    def _seen(self, message: _Message) -> ExternalTicket:
        *_, status, content_hash = ("", "", *message.mark.split(":"))
        return self._external(message.ts, message.text, closed=status == "closed", content_hash=content_hash)

    def _external(self, ts: str, title: str, *, closed: bool, content_hash: str) -> ExternalTicket:
        place = f"{self._settings.workspace_url.rstrip('/')}/archives/{self._settings.channel}"
        return ExternalTicket(ts, f"{place}/p{ts.replace('.', '')}", title, "", closed, content_hash)


def _refused(error: str, said: str, settings: SlackSettings) -> Failure:
    if error in _NO_TOKEN:
        return Rejected(f"{said}; the secret in {settings.token_env} is wrong or has expired", whole_destination=True)
    if error in _NO_RIGHT:
        reason = f"{said}; the app of {settings.token_env} has no right to chat:write or channels:history"
        return Rejected(reason, whole_destination=True)
    if error in _NO_CHANNEL:
        reason = f"{said}; invite the app to channel {settings.channel}, or check channel"
        return Rejected(reason, whole_destination=True)
    return Rejected(said)


def _is_of(marker: str, mark: str) -> bool:
    return mark.startswith(f"fc:{marker}:")
