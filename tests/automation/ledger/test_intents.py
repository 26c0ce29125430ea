"""``next_step``, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dagster_project.automation.ledger.intents import Intent, State, Step, next_step
from dagster_project.automation.ticket import Ticket
from dagster_project.automation.tickets.actions import Action, action_for
from dagster_project.automation.tickets.brief import render
from tests.automation.support import CHECKOUT, NOW, resolved

OPEN = render(CHECKOUT, "sim")
CHANGED = render(replace(CHECKOUT, priority="P2"), "sim")
OVER = render(resolved(CHECKOUT), "sim")
OVER_LATER = render(replace(resolved(CHECKOUT), feedback_count=200), "sim")
LATER, EARLIER = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)

CREATE = Intent(
    intent_id="a",
    kind=OPEN.kind,
    subject_id=CHECKOUT.issue_id,
    destination="sim",
    sequence=0,
    action=Action.CREATE,
    is_final=False,
    state=State.CONFIRMED,
    title=OPEN.title,
    payload_hash=OPEN.content_hash,
    external_id="1",
    url="https://tracker.example/1",
    reason="",
    attempts=1,
    not_before=EARLIER,
    lease_until=None,
    confirmed_at=EARLIER,
    owner=CHECKOUT.owner,
    created_at=EARLIER,
)
UPDATE = replace(CREATE, intent_id="b", sequence=1, action=Action.UPDATE, payload_hash=CHANGED.content_hash)
RESOLVE = replace(UPDATE, intent_id="c", action=Action.RESOLVE, is_final=True, payload_hash=OVER.content_hash)


create, update, resolve = Action.CREATE, Action.UPDATE, Action.RESOLVE

SENDING = replace(CREATE, state=State.SENDING, lease_until=LATER)
DEAD = replace(SENDING, lease_until=EARLIER)
UNKNOWN = replace(CREATE, state=State.UNKNOWN)
SETTLING = replace(UNKNOWN, not_before=LATER)
PENDING = replace(CREATE, state=State.PENDING)
HELD_BACK = replace(PENDING, not_before=LATER)
PENDING_UPDATE = replace(UPDATE, state=State.PENDING)
WITHDRAWN = replace(CREATE, state=State.WITHDRAWN)
REJECTED = replace(CREATE, state=State.REJECTED, not_before=LATER)
REJECTED_LONG_AGO = replace(REJECTED, not_before=EARLIER)
OTHER_WORDS = replace(CREATE, payload_hash="")


@pytest.mark.parametrize(
    ("sentence", "newest", "delivered", "wanted", "step"),
    [
        ("a new issue gets a ticket", None, None, OPEN, (Step.SEND, create)),
        ("a resolved issue that never had a ticket gets none", None, None, OVER, (Step.NOTHING, create)),
        ("a ticket that says it all is left alone", CREATE, CREATE, OPEN, (Step.NOTHING, update)),
        ("a changed payload is an update", CREATE, CREATE, CHANGED, (Step.SEND, update)),
        ("a resolved issue resolves its ticket", CREATE, CREATE, OVER, (Step.SEND, resolve)),
        ("a resolved ticket is history", RESOLVE, RESOLVE, OVER, (Step.NOTHING, resolve)),
        ("late numbers do not disturb it", RESOLVE, RESOLVE, OVER_LATER, (Step.NOTHING, resolve)),
        ("an issue that goes on takes the resolution back", RESOLVE, RESOLVE, OPEN, (Step.SEND, update)),
        ("what another run is sending is left to it", SENDING, None, OPEN, (Step.WAIT, create)),
        ("... until its lease is over", DEAD, None, OPEN, (Step.EXPIRE, create)),
        ("an unknown outcome settles first", SETTLING, None, OPEN, (Step.WAIT, create)),
        ("... and is then looked up, never just resent", UNKNOWN, None, OPEN, (Step.LOOK_UP, create)),
        ("... even if it is no longer wanted", UNKNOWN, None, OVER, (Step.LOOK_UP, create)),
        ("what was recorded and not sent is sent", PENDING, None, OPEN, (Step.SEND, create)),
        ("... not before its time", HELD_BACK, None, OPEN, (Step.WAIT, create)),
        ("... and not when it is over meanwhile", PENDING, None, OVER, (Step.WITHDRAW, create)),
        ("what was withdrawn stays so", WITHDRAWN, None, OVER, (Step.NOTHING, create)),
        ("... unless it is wanted again", WITHDRAWN, None, OPEN, (Step.SEND, create)),
        ("a pending update that became a resolution resolves", PENDING_UPDATE, CREATE, OVER, (Step.SEND, resolve)),
        ("a pending update that changed back is withdrawn", PENDING_UPDATE, CREATE, OPEN, (Step.WITHDRAW, update)),
        ("what was refused is not sent again as it is", REJECTED, None, OPEN, (Step.BLOCKED, create)),
        ("... but when it changed", REJECTED, None, CHANGED, (Step.SEND, create)),
        ("... or when its time has come", REJECTED_LONG_AGO, None, OPEN, (Step.SEND, create)),
        ("a ticket found with other words is updated", OTHER_WORDS, OTHER_WORDS, OPEN, (Step.SEND, update)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_next_step(
    sentence: str, newest: Intent | None, delivered: Intent | None, wanted: Ticket, step: tuple[Step, Action]
) -> None:
    assert (next_step(newest, delivered, wanted, NOW), action_for(delivered, wanted)) == step, sentence
