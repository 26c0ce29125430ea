"""The ledger carries a payload that is no ticket, under actions of its own, by the same rules."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from dagster_project import lake
from dagster_project.automation.ledger.intents import Intent, Payload, State, Step, is_history, next_step
from dagster_project.automation.ledger.lake_export import export_sync
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.outcomes import Confirmed, Unknown
from dagster_project.automation.ticket import KIND
from dagster_project.automation.tickets.brief import render
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, NOW

SETTLE = timedelta(seconds=60)


@dataclass(frozen=True)
class Traffic:
    """A state of a load balancer."""

    weight: int
    subject_id: str = "PLAN-1"
    owner: str = "edge-squad"

    kind = "mitigation"
    marker = hashlib.sha256(b"PLAN-1").hexdigest()

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.weight} % of the traffic on the new release"

    @property
    def content_hash(self) -> str:
        """The same for the same weight."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()

    @property
    def is_final(self) -> bool:
        """All traffic is back: the mitigation is undone."""
        return self.weight == 100

    def as_json(self) -> str:
        """As the ledger stores it."""
        return f'{{"weight": {self.weight}}}'


@dataclass(frozen=True)
class Version:
    """The state as it was read back."""

    external_id: str
    url: str = "https://edge.example/pools/7"


SHIFTED, UNDONE = Traffic(0), Traffic(100)


def step_of(ledger: Ledger, wanted: Payload) -> Step:
    head = ledger.head(wanted.subject_id, "edge")
    delivered = head if head and head.state is State.CONFIRMED else None
    return next_step(head, delivered, wanted, NOW)


def claimed(ledger: Ledger, action: str, payload: Payload) -> Intent:
    head = ledger.head(payload.subject_id, "edge")
    ledger.record([(head, action, payload)], "edge", NOW)
    pending = ledger.head(payload.subject_id, "edge")
    assert pending is not None
    sending = ledger.claim(pending, action, payload, NOW)
    assert sending is not None
    return sending


def live(ledger: Ledger) -> None:
    """A mitigation is set, whose answer is lost and looked up, and is undone."""
    assert step_of(ledger, SHIFTED) is Step.SEND
    first = claimed(ledger, "shift_traffic_to_previous_release", SHIFTED)
    assert first.opens and not first.is_final
    assert ledger.finish(first, Unknown("timed out"), NOW, timedelta())
    assert step_of(ledger, SHIFTED) is Step.LOOK_UP  # never sent again blindly
    lost = ledger.head("PLAN-1", "edge")
    assert lost and ledger.found(lost, Version("v2"), as_sent=True, now=NOW)
    assert step_of(ledger, SHIFTED) is Step.NOTHING
    assert ledger.open_heads("edge").keys() == {"PLAN-1"}

    assert step_of(ledger, UNDONE) is Step.SEND
    last = claimed(ledger, "undo_shift_traffic", UNDONE)
    assert ledger.finish(last, Confirmed(Version("v3")), NOW, SETTLE)
    done = ledger.head("PLAN-1", "edge")
    assert done and (done.action, done.sequence, done.external_id) == ("undo_shift_traffic", 1, "v3")
    assert is_history(done, is_final=True) and ledger.open_heads("edge") == {}
    assert ledger.payload(done) == UNDONE.as_json()
    assert ledger.verify_audit().holds


def test_it_is_written_exactly_once_under_actions_of_its_own(ledger: Ledger) -> None:
    live(ledger)


def test_as_a_dead_letter_it_names_its_subject_and_owner(ledger: Ledger) -> None:
    ledger.finish(claimed(ledger, "shift_traffic", SHIFTED), Unknown("timed out"), NOW, SETTLE)
    lost = ledger.head("PLAN-1", "edge")
    assert lost and ledger.hold(lost, NOW)
    (letter,) = ledger.dead_letters.all()
    shown = letter.as_dict()
    assert (shown["kind"], shown["subject_id"], shown["owner"]) == ("mitigation", "PLAN-1", "edge-squad")
    assert shown["title"] == "0 % of the traffic on the new release"


def test_what_is_exported_of_tickets_does_not_hold_it(ledger: Ledger, home: Home) -> None:
    live(ledger)
    ledger.record([(None, "create", render(CHECKOUT, "sim"))], "sim", NOW)
    with ledger.exporting(KIND, NOW) as confirmed:
        assert confirmed == []
    export_sync(home, ledger, KIND, [])
    assert lake.scan(home, "sync_attempts").collect().is_empty()
    with ledger.exporting(SHIFTED.kind, NOW) as confirmed:
        assert {one.intent.action for one in confirmed} == {"shift_traffic_to_previous_release", "undo_shift_traffic"}
