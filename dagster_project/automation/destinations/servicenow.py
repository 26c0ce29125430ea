"""ServiceNow incidents, by the Table API.

One ticket is one record. The marker is its ``correlation_id``, and ``correlation_display`` keeps the content hash. The
note goes into the work notes with the same request that sets the rest, so that neither is there without the other.
Assignment and other columns are left alone after the record is opened; impact and urgency follow the priority only when
that changes. People's changes are read from ``sys_audit`` and ``sys_journal_field``, for those of our records that were
updated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, TypeVar

import httpx
from pydantic import BaseModel, Field, field_validator

from dagster_project.automation.destinations.http import HttpDestination, missing
from dagster_project.automation.destinations.resolutions import may_be_ours, resolution_of
from dagster_project.automation.destinations.settings import NAME, VARIABLE, HttpSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Failure, NotSent, Rejected
from dagster_project.automation.text import markup
from dagster_project.automation.ticket import ChangeKind, ExternalTicket, Resolution, Ticket, TicketChange
from dagster_project.home import Home

TITLE_LIMIT = 160
DESCRIPTION_LIMIT = 4_000
# ServiceNow works the priority out of impact and urgency, 1 (high) to 3 (low), by this matrix by default.
_IMPACT_AND_URGENCY = {"P1": ("1", "1"), "P2": ("1", "2"), "P3": ("2", "2"), "P4": ("2", "3")}
_OWN = {
    "correlation_id",
    "correlation_display",
    "short_description",
    "description",
    "impact",
    "urgency",
    "state",
    "work_notes",
}
_SHOWN = "sys_id,number,state,short_description,correlation_id,correlation_display"
_KINDS: dict[str, ChangeKind] = {"assigned_to": "assignee", "priority": "priority"}
_PAGE, _MOST_PAGES, _ASKED_AT_ONCE = 1000, 100, 50
_ZONES = timedelta(hours=12)
"""Margin of a query by date: the tool reads dates in the account's time zone, which is not known here."""
_SYSTEM = "system"
_ONE_RECORD = re.compile(r"/[0-9a-f]{32}$")
_Row = TypeVar("_Row", bound=BaseModel)


class ServiceNowSettings(HttpSettings):
    """A ``kind: servicenow`` entry of destinations.yml; ``base_url`` is the instance.

    ``fields`` fills further columns (``assignment_group``, ``caller_id``) when a record is opened. The states are the
    incident table's own values.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "table")

    kind: Literal["servicenow"]
    name: str = Field("servicenow", pattern=NAME)
    user: str = Field(min_length=1)
    password_env: str = Field("SERVICENOW_PASSWORD", pattern=VARIABLE)
    table: str = Field("incident", pattern=r"^\w+$")
    resolved_state: str = "6"
    reopened_state: str = "2"
    closed_states: tuple[str, ...] = ("6", "7", "8")
    rejected_states: tuple[str, ...] = ("8",)
    close_code: str = "Solution provided"

    @field_validator("fields")
    @classmethod
    def _leaves_ours_alone(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := sorted(_OWN & set(value)):
            raise ValueError(f"'{taken[0]}' is filled by feedback-control itself; remove it here")
        return value

    def build(self, home: Home) -> ServiceNow:
        """The destination."""
        return ServiceNow(self)


class _Record(BaseModel):
    sys_id: str
    number: str
    state: str
    short_description: str = ""
    correlation_id: str = ""
    correlation_display: str = ""


class _Changed(BaseModel):
    sys_id: str
    correlation_id: str
    created_by: str = Field("", alias="sys_created_by")
    state: str = ""
    close_code: str = ""
    assignee: str = Field("", alias="assigned_to.user_name")


class _Act(BaseModel):  # a row of sys_audit
    sys_id: str
    record: str = Field(alias="documentkey")
    column: str = Field(alias="fieldname")
    before: str = Field("", alias="oldvalue")
    after: str = Field("", alias="newvalue")
    by: str = Field("", alias="user")
    at: datetime = Field(alias="sys_created_on")


class _Remark(BaseModel):  # a row of sys_journal_field
    sys_id: str
    record: str = Field(alias="element_id")
    text: str = Field("", alias="value")
    by: str = Field("", alias="sys_created_by")
    at: datetime = Field(alias="sys_created_on")


class _One(BaseModel):
    result: _Record


class _Several(BaseModel, Generic[_Row]):
    result: list[_Row]


class ServiceNow(HttpDestination):
    """The records of one table as a ticket destination."""

    def __init__(self, settings: ServiceNowSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.password_env, f"the password of {settings.user}", user=settings.user)
        super().__init__(settings, secret, transport=transport)
        self._settings = settings
        self._table = f"/api/now/table/{settings.table}"

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open the record, marker and all, in one request."""
        marked = {"correlation_id": ticket.marker, **_content(ticket), **_weight(ticket)}
        opened = self._http.write("POST", self._table, {**dict(ticket.fields), **marked}, _One).result
        if opened.correlation_id != ticket.marker:
            reason = (
                f"{opened.number} was opened without its marker: table {self._settings.table} has no correlation_id"
            )
            reason += f", or {self._settings.user} may not write it; check table and its access rules"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        return self._seen(opened)

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set text and state, with a work note if the ticket has a note."""
        present = self._read(external_id)
        body: dict[str, Any] = _content(ticket)
        if ticket.note and present.correlation_display != body["correlation_display"]:
            body |= {"work_notes": ticket.note, **_weight(ticket)}
        closed = present.state in self._settings.closed_states
        if ticket.closes and not closed:
            body |= {"state": self._settings.resolved_state, "close_code": self._settings.close_code}
            body |= {"close_notes": ticket.note or "Resolved by feedback-control."}
        elif ticket.reopens and closed:
            body |= {"state": self._settings.reopened_state}
        return self._seen(self._http.write("PATCH", f"{self._table}/{external_id}", body, _One).result)

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The record by its sys_id; None if it was deleted."""
        try:
            return self._seen(self._read(external_id))
        except DeliveryError as error:
            if missing(error):
                return None
            raise

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """Every record with the marker, oldest first."""
        asked = {"sysparm_query": f"correlation_id={marker}^ORDERBYsys_created_on", "sysparm_fields": _SHOWN}
        found = self._http.read(self._table, _Several[_Record], **asked, sysparm_limit=100)[0].result
        # A condition on a column that the table lacks is ignored, and then every record is the answer.
        return [self._seen(record) for record in found if record.correlation_id == marker]

    def changes_since(self, since: datetime) -> Iterable[TicketChange]:
        """People's changes to our records that were updated since then; needs the right to read both histories."""
        begin = f"{since - _ZONES:%Y-%m-%d %H:%M:%S}"
        ours = f"correlation_displaySTARTSWITHfeedback-control^sys_updated_on>={begin}^ORDERBYsys_updated_on"
        records = {one.sys_id: one for one in self._rows(self._table, _Changed, ours)}
        ids = sorted(records)
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            chosen = ",".join(ids[start : start + _ASKED_AT_ONCE])
            yield from self._acts(records, chosen, begin)
            yield from self._remarks(records, chosen, begin)

    def _acts(self, records: Mapping[str, _Changed], chosen: str, begin: str) -> Iterator[TicketChange]:
        columns = ",".join(["state", "close_code", *_KINDS])
        query = f"tablename={self._settings.table}^documentkeyIN{chosen}^fieldnameIN{columns}^sys_created_on>={begin}"
        acts = list(self._rows("/api/now/table/sys_audit", _Act, f"{query}^ORDERBYsys_created_on"))
        last = {act.record: act.sys_id for act in acts if act.column == "assigned_to"}
        for act in acts:
            record = records[act.record]
            kind, resolution = self._meaning(act, acts, record)
            ours = act.by in (self._settings.user, record.created_by)
            if kind and not (ours and may_be_ours(kind, resolution)):
                by_program = act.by == _SYSTEM
                value, before = act.after, act.before
                if kind == "assignee":  # the history has the sys_id; only the present name is known
                    value, before = record.assignee if last[act.record] == act.sys_id else f"user {value}", ""
                who = (act.at.replace(tzinfo=UTC), act.by, before or None, resolution, act.sys_id, by_program)
                yield TicketChange(record.correlation_id, act.record, kind, value, *who)

    def _remarks(self, records: Mapping[str, _Changed], chosen: str, begin: str) -> Iterator[TicketChange]:
        query = f"element_idIN{chosen}^elementINcomments,work_notes^sys_created_on>={begin}^ORDERBYsys_created_on"
        for remark in self._rows("/api/now/table/sys_journal_field", _Remark, query):
            record = records[remark.record]
            if remark.by not in (self._settings.user, record.created_by, _SYSTEM):
                who = (remark.at.replace(tzinfo=UTC), remark.by)
                yield TicketChange(
                    record.correlation_id, remark.record, "comment", remark.text, *who, change_id=remark.sys_id
                )

    def _meaning(
        self, act: _Act, acts: Iterable[_Act], record: _Changed
    ) -> tuple[ChangeKind | None, Resolution | None]:
        if act.column == "state":
            return "status", self._resolution(act.after, _code_at(act, acts, record))
        if act.column != "close_code":
            return _KINDS[act.column], None
        # Set together with the state, it is a part of that; set alone, it tells what closing has come to instead.
        with_state = any(one.column == "state" and (one.record, one.at) == (act.record, act.at) for one in acts)
        closed = record.state in self._settings.closed_states
        return ("status", resolution_of(act.after)) if closed and not with_state else (None, None)

    def _resolution(self, state: str, code: str) -> Resolution:
        if state in self._settings.rejected_states:
            return "rejected"
        return resolution_of(code) if state in self._settings.closed_states else "open"

    def _rows(self, path: str, kind: type[_Row], query: str) -> Iterator[_Row]:
        columns = ",".join(field.alias or name for name, field in kind.model_fields.items())
        asked: dict[str, str | int] = {"sysparm_query": query, "sysparm_limit": _PAGE, "sysparm_fields": columns}
        asked |= {"sysparm_exclude_reference_link": "true"}
        for page in range(_MOST_PAGES):
            answer, _ = self._http.read(path, _Several[kind], **asked, sysparm_offset=page * _PAGE)  # type: ignore[valid-type]
            rows: list[_Row] = answer.result
            yield from rows
            if len(rows) < _PAGE:
                return
        raise DeliveryError(NotSent(f"the rows of {path} have no end; check base_url"))

    def _read(self, sys_id: str) -> _Record:
        return self._http.read(f"{self._table}/{sys_id}", _One, sysparm_fields=_SHOWN)[0].result

    def _seen(self, record: _Record) -> ExternalTicket:
        instance = self._settings.base_url.rstrip("/")
        return ExternalTicket(
            record.sys_id,
            f"{instance}/nav_to.do?uri={self._settings.table}.do?sys_id={record.sys_id}",
            record.short_description,
            "",
            closed=record.state in self._settings.closed_states,
            content_hash=record.correlation_display.removeprefix("feedback-control "),
        )

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": self._secret.basic(), "Accept": "application/json"}

    def _refusal(self, response: httpx.Response) -> Failure | None:
        said, settings = self._said(response), self._settings
        one_record = bool(_ONE_RECORD.search(response.request.url.path))
        match response.status_code:
            case 403 if (history := response.request.url.path.rpartition("/")[2]) in ("sys_audit", "sys_journal_field"):
                reason = f"{said}; let {settings.user} read the table {history}: it has the changes that people make"
                return Rejected(reason, whole_destination=True)
            case 403:
                reason = f"{said}; give {settings.user} the roles to write {settings.table}"
                return Rejected(reason, whole_destination=not one_record)
            case 404 if one_record:
                return Rejected(f"{said}; the record was deleted, or {settings.user} may no longer see it")
            case 400 | 404:
                reason = f"{said}; there is no table {settings.table} at {settings.base_url}: check table and base_url"
                return Rejected(reason, whole_destination="table" in response.text or response.status_code == 404)
        return super()._refusal(response)


def _code_at(act: _Act, acts: Iterable[_Act], record: _Changed) -> str:
    """The close code of a record at the time of a change; its history has a code only where it was changed."""
    code = None
    for change in (one for one in acts if one.record == act.record and one.column == "close_code"):
        if change.at <= act.at:
            code = change.after
        elif code is None:
            return change.before
    return record.close_code if code is None else code


def _content(ticket: Ticket) -> dict[str, str]:
    return {
        "short_description": ticket.title[:TITLE_LIMIT],
        "description": markup.plain(ticket.body, DESCRIPTION_LIMIT),
        "correlation_display": f"feedback-control {ticket.content_hash}",
    }


def _weight(ticket: Ticket) -> dict[str, str]:
    impact, urgency = _IMPACT_AND_URGENCY[ticket.priority]
    return {"impact": impact, "urgency": urgency}
