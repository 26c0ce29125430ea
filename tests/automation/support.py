"""Shared parts of the automation tests: a queue published by hand, a clock, and a tracker with planned faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from dagster_project import lake
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation.plans import Wanted
from dagster_project.automation.outcomes import Deferred, DeliveryError, Failure, NotSent, Rejected, Unknown
from dagster_project.automation.ticket import ExternalTicket, Ticket, carries
from dagster_project.automation.tickets.brief import render
from dagster_project.automation.tickets.issues import JSON_COLUMNS, Issue, Quote, SeverityTerm
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.decisioning.facts import Evidence, Symptom
from dagster_project.files import write_atomically
from dagster_project.home import Home

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
BORN = datetime(2026, 5, 1, tzinfo=UTC)
"""First instant of the tests' ledgers: before every issue, so that no earlier ledger can have ticketed one."""

TERMS = [
    ("velocity", 15, 15.0, "how many times the expected rate, in doublings; full at eightfold"),
    ("volume", 20, 17.2, "complaints above what was expected since the start, on a logarithmic scale"),
    ("release", 15, 13.6, "confidence that one release or flag change is the cause"),
    (
        "technical",
        15,
        12.4,
        "error rate of the product's services against their baseline, in doublings; full at eightfold",
    ),
    ("revenue", 15, 11.0, "revenue at risk, on a logarithmic scale"),
    ("journey", 10, 10.0, "how close to the purchase the issue type sits (taxonomy)"),
    ("customer_value", 5, 0.0, "share of affected customers in the segments that matter most (segment_weights)"),
    ("support", 5, 0.0, "support tickets and chats about it against their baseline, in doublings; full at eightfold"),
]


def about(subject: str, title: str, *evidence: Evidence) -> tuple[Evidence, ...]:
    """The evidence, about one change."""
    return tuple(item.model_copy(update={"subject": subject, "subject_title": title}) for item in evidence)


CHECKOUT = Issue(
    issue_id="ISS-4F0C11AA92",
    product="shop-app",
    issue_type="checkout_failure",
    issue_title="Checkout failing",
    scope_platform="android",
    scope_version="5.2.0",
    scope_country=None,
    scope_feature=None,
    status="open",
    priority="P1",
    severity_score=79.2,
    verdict="regression",
    suspect_release_id="shop-app@5.2.0",
    suspect_version="5.2.0",
    release_confidence=0.91,
    started_at=datetime(2026, 5, 31, 9, 0, tzinfo=UTC),
    detected_at=datetime(2026, 5, 31, 12, 0, tzinfo=UTC),
    resolved_at=None,
    feedback_count=184,
    customers_affected=171,
    revenue_at_risk=12430.4,
    signals=4,
    owner="checkout-squad",
    recommended_action="Reproduce the checkout on the suspect release, and prepare the rollback for approval.",
    summary="Checkout failing on Android 5.2.0: 184 complaints since 2026-05-31 09:00 UTC, P1.",
    severity_terms=tuple(SeverityTerm(term=t, weight=w, points=p, why=why) for t, w, p, why in TERMS),
    suspect_kind="release",
    suspect_platform="Android",
    suspect_previous_version="5.1.4",
    suspect_url="https://github.example.com/shop/shop-app/releases/tag/v5.2.0",
    suspect_rollout_percent=100.0,
    suspect_changed_at=datetime(2026, 5, 31, 8, 10, tzinfo=UTC),
    rollback_supported=True,
    platform_title="Android",
    direction="rising",
    latest_day=datetime(2026, 6, 1, tzinfo=UTC),
    complaints_latest_day=104,
    complaints_day_before=71,
    complaints_since=9,
    usual_per_day=3.2,
    currency="EUR",
    currencies=1,
    orders_lost=131.4,
    lost_orders_value=10_220.4,
    conversion_during=0.612,
    conversion_before=0.840,
    churn_value=2_210.0,
    symptoms=(
        Symptom(symptom="coupons refused", complaints=61),
        Symptom(symptom="order button dead", complaints=44),
        Symptom(symptom="cart emptied", complaints=12),
    ),
    evidence=(
        Evidence(kind="feedback", measure="complaints", stance="for", value=11.3, counted=184),
        Evidence(kind="technical", measure="error_rate", stance="for", value=0.061, baseline=0.008),
        Evidence(kind="business", measure="conversion", stance="for", value=0.612, baseline=0.84),
        *about(
            "shop-app@5.2.0",
            "Android 5.2.0",
            Evidence(
                kind="change",
                measure="hours_to_onset",
                stance="for",
                value=0.83,
                share=0.91,
                happened_at=datetime(2026, 5, 31, 8, 10, tzinfo=UTC),
            ),
            Evidence(kind="change", measure="version_named", stance="for", counted=139, total=146),
            Evidence(kind="change", measure="other_version_named", stance="against", counted=7, total=146),
            Evidence(kind="change", measure="error_rate", stance="for", value=0.31, baseline=0.004),
        ),
        *about(
            "promo-banner@2026-05-30 16:00",
            "promo-banner@2026-05-30 16:00",
            Evidence(
                kind="change",
                measure="hours_to_onset",
                stance="for",
                value=17.0,
                share=0.04,
                happened_at=datetime(2026, 5, 30, 16, 0, tzinfo=UTC),
            ),
            Evidence(kind="change", measure="other_scope", stance="against"),
        ),
    ),
    quotes=(
        Quote(
            text="Cart just spins, then something went wrong. Third try today!",
            channel="app_review",
            occurred_at="2026-06-01 08:12",
            rating=1,
            country="DE",
            app_version="5.2.0",
            symptom="order button dead",
        ),
        Quote(
            text="Order page says failed but I got a mail, my address is [EMAIL]",
            channel="support_ticket",
            occurred_at="2026-06-01 09:40",
            symptom="cart emptied",
        ),
    ),
)
"""An open P1 with a suspect release."""

DELIVERY = replace(
    CHECKOUT,
    issue_id="ISS-77B0DE1002",
    issue_type="shipping_delivery",
    issue_title="Delivery failing",
    scope_platform=None,
    scope_version=None,
    scope_country="FR",
    priority="P3",
    severity_score=28.0,
    verdict="no_regression",
    suspect_release_id=None,
    suspect_version=None,
    release_confidence=None,
    platform_title=None,
    suspect_kind=None,
    suspect_platform=None,
    suspect_previous_version=None,
    suspect_url=None,
    suspect_rollout_percent=None,
    suspect_changed_at=None,
    rollback_supported=False,
    revenue_at_risk=0.0,
    orders_lost=None,
    lost_orders_value=None,
    conversion_during=None,
    conversion_before=None,
    churn_value=0.0,
    signals=1,
    owner="logistics-desk",
    recommended_action="Ask the carriers serving the affected country.",
    symptoms=(Symptom(symptom="parcel late", complaints=120),),
    evidence=CHECKOUT.evidence[:1] + CHECKOUT.evidence[7:],
)
"""An open P3 that no release explains."""


def resolved(issue: Issue) -> Issue:
    """The issue, over."""
    return replace(issue, status="resolved", resolved_at=issue.detected_at + timedelta(days=3))


def publish(home: Home, issues: Iterable[Issue]) -> None:
    """Make these issues the published queue, as the decisioning stage would: typed columns, lists as JSON text."""
    copy = _published(json.dumps([_row(issue) for issue in issues], default=str))
    write_atomically(home.published, lambda path: path.write_bytes(copy))


@cache
def _published(rows: str) -> bytes:
    """A published copy with these rows; many tests publish the same ones."""
    columns = ", ".join(f"{field.name} {_type(str(field.type))}" for field in fields(Issue))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"create table out_tickets ({columns}, as_of timestamptz)")
            create_mitigation_marts(connection)
            for row in json.loads(rows):
                marks = ", ".join("?" for _ in row)
                connection.execute(f"insert into out_tickets values ({marks}, now())", list(row.values()))
        return path.read_bytes()


def create_mitigation_marts(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty marts that a mitigation turn reads."""
    columns = ", ".join(f"{field.name} {_type(str(field.type))}" for field in fields(Wanted))
    connection.execute(f"create table out_mitigations ({columns}, as_of timestamptz)")
    connection.execute("create table fct_issues (issue_id varchar, status varchar)")
    connection.execute("create table fct_mitigations (plan_id varchar, effect varchar)")


def _row(issue: Issue) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(issue, name) for name in Issue.__dataclass_fields__}
    for name in JSON_COLUMNS:
        row[name] = json.dumps([item.model_dump(mode="json") for item in row[name]])
    return {name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()}


def _type(annotation: str) -> str:
    """The warehouse's type of a field."""
    types = {"datetime": "timestamp", "float": "double", "int": "bigint", "bool": "boolean"}
    return types.get(annotation.removesuffix(" | None"), "varchar")


@dataclass
class Clock:
    """The one clock of a simulation."""

    now: datetime = NOW

    def pass_(self, **duration: float) -> datetime:
        """Let time go by."""
        self.now += timedelta(**duration)
        return self.now


class KilledError(BaseException):
    """The process died here. Not an Exception: nothing in the program may catch it and go on."""


@dataclass
class Fate:
    """Counts the steps of a run, and kills it at one of them: from then on the dead process does nothing more."""

    dies_at: int | None = None
    steps: int = 0
    dead: bool = False

    def step(self) -> None:
        """One more step."""
        self.steps += 1
        if self.dead or self.steps == self.dies_at:
            self.dead = True
            raise KilledError


class MortalLedger(Ledger):
    """A ledger whose process may die before or after any of its transactions."""

    def __init__(self, url: str, *, now: datetime, fate: Fate, head: Path | None = None) -> None:
        super().__init__(url, now=now, head=head)
        self._fate = fate
        for name in "record claim claim_again finish expire found absent hold not_looked_up withdraw rebind".split():
            setattr(self, name, self._mortal(getattr(self, name)))
        for name in ("claim_event", "delivered"):
            setattr(self.event_outbox, name, self._mortal(getattr(self.event_outbox, name)))

    def _mortal(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._fate.step()
            outcome = method(*args, **kwargs)
            self._fate.step()
            return outcome

        return wrapped

    @contextmanager
    def exporting(self, *arguments: Any) -> Iterator[list[Any]]:
        """The export may die before, within and after."""
        self._fate.step()
        with super().exporting(*arguments) as confirmed:
            yield confirmed
            self._fate.step()
        self._fate.step()


@dataclass
class Record:
    """One ticket in the simulated tracker, invisible to look-ups until its time."""

    number: int
    ticket: Ticket
    closed: bool
    visible_at: datetime
    notes: list[str] = field(default_factory=list)

    def seen(self) -> ExternalTicket:
        """The ticket as the tracker shows it."""
        url = f"https://tracker.example/{self.number}"
        return ExternalTicket(str(self.number), url, self.ticket.title, self.ticket.body, self.closed)


class SimulatedTracker:
    """A tracker whose writes go wrong as told, and whose look-ups lag behind its writes.

    Each write takes the next fault, if one was asked for: ok, refused, limited, rejected, unauthorized, lost before
    (the request never arrived), lost after (its answer never arrived), broken after (its answer made no sense), twice
    (something on the way delivered it twice).
    """

    name = "sim"
    settle_seconds = 60.0

    def __init__(self, clock: Clock) -> None:
        self.records: list[Record] = []
        self.writes = 0
        self.fate = Fate()
        self.meanwhile: Callable[[], None] = lambda: None  # called before and after each commit
        self.lag: Callable[[], float] = lambda: 0.0  # seconds until a write shows in look-ups
        self._clock = clock
        self._faults: Iterator[str] = iter(())

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Open a ticket, or fail as planned."""
        visible_at = self._clock.now + timedelta(seconds=self.lag())
        return self._write(lambda: self._open(ticket, visible_at))

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Set the ticket's content, or fail as planned."""
        return self._write(lambda: self._set(external_id, ticket))

    resolve = update

    def read(self, external_id: str) -> ExternalTicket | None:
        """The ticket by its id."""
        self.fate.step()
        return next((record.seen() for record in self.records if str(record.number) == external_id), None)

    def find_by_marker(self, marker: str, since: datetime | None = None) -> list[ExternalTicket]:
        """The tickets with the marker that the index has caught up with."""
        self.fate.step()
        visible = [record for record in self.records if record.visible_at <= self._clock.now]
        return [record.seen() for record in visible if carries(record.ticket.body, marker)]

    def fail_next(self, fault: str) -> None:
        """The next write goes like this."""
        self._faults = iter([fault])

    def fail_with(self, faults: Iterable[str]) -> None:
        """The writes from now on go like this, one after another."""
        self._faults = iter(faults)

    def behave(self) -> None:
        """From now on every write goes well."""
        self._faults, self.meanwhile = iter(()), lambda: None

    def of(self, issue: Issue) -> list[Record]:
        """The tickets of an issue."""
        return [record for record in self.records if record.ticket.issue_id == issue.issue_id]

    def _write(self, commit: Callable[[], ExternalTicket]) -> ExternalTicket:
        self.fate.step()
        self.meanwhile()
        self.writes += 1
        fault = next(self._faults, "ok")
        before: dict[str, Failure] = {
            "refused": NotSent("connection refused"),
            "limited": Deferred("slow down", timedelta(seconds=90)),
            "rejected": Rejected("this one is malformed"),
            "unauthorized": Rejected("the token is wrong; set SIM_TOKEN", whole_destination=True),
            "lost before": Unknown("timed out"),
        }
        if fault in before:
            raise DeliveryError(before[fault])
        written = commit()
        if fault == "twice":
            commit()
        self.fate.step()
        self.meanwhile()
        if fault == "lost after":
            raise DeliveryError(Unknown("timed out"))
        if fault == "broken after":
            raise KeyError("number")
        return written

    def _open(self, ticket: Ticket, visible_at: datetime) -> ExternalTicket:
        self.records.append(Record(len(self.records) + 1, ticket, False, visible_at))
        return self.records[-1].seen()

    def _set(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        record = self.records[int(external_id) - 1]
        record.ticket = ticket
        record.closed = ticket.closes or (record.closed and not ticket.reopens)
        if ticket.note and ticket.note_key not in record.notes:
            record.notes.append(ticket.note_key)
        return record.seen()


class World:
    """A home, a clock, a tracker and a queue, and runs that may die."""

    def __init__(self, root: Path, tracker: SimulatedTracker, clock: Clock) -> None:
        self.home = Home.locate(root)
        self.clock, self.tracker = clock, tracker
        self.issues: list[Issue] = []
        Ledger(self.home.ledger_url, now=BORN)

    def run(self, *, dies_at: int | None = None) -> PushReport | None:
        """One push; None if it was killed."""
        before, self.tracker.fate = self.tracker.fate, Fate(dies_at)
        ledger = MortalLedger(self.home.ledger_url, now=self.clock.now, fate=self.tracker.fate)
        try:
            return push(
                self.home, now=self.clock.now, destinations=[ConfiguredDestination(self.tracker)], ledger=ledger
            )
        except KilledError:
            return None
        finally:
            self.tracker.fate = before

    def heal(self) -> PushReport:
        """No more faults, and time enough for every lease, settle time and retry to pass."""
        self.tracker.behave()
        for _ in range(3):
            self.clock.pass_(minutes=6)
            report = self.run()
        assert report is not None
        return report

    def events(self) -> list[dict[str, Any]]:
        """The ticket events in the lake."""
        return lake.scan(self.home, "ticket_events").sort("known_at", "event_id").collect().to_dicts()

    def assert_exactly_once(self) -> None:
        """Every open issue has one ticket that says what it should, none has two, and the lake knows each once."""
        for issue in self.issues:
            records = self.tracker.of(issue)
            assert len(records) <= 1, f"{issue.issue_id} has {len(records)} tickets"
            assert records or issue.status == "resolved", f"{issue.issue_id} has no ticket"
            for record in records:
                wanted = render(issue, self.tracker.name)
                assert record.closed == (issue.status == "resolved")
                # A resolved ticket is history: it keeps the numbers it was resolved with.
                assert issue.status == "resolved" or record.ticket.content_hash == wanted.content_hash
        events = self.events()
        assert len({event["event_id"] for event in events}) == len(events)
        created = sorted(event["issue_id"] for event in events if event["event"] == "created")
        assert created == sorted(record.ticket.issue_id for record in self.tracker.records)
