"""The one decision about each issue, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dagster_project.automation.brief import render
from dagster_project.automation.intents import Action, Intent, State, Step, next_step
from tests.automation.support import CHECKOUT, NOW, resolved

OPEN = render(CHECKOUT, "sim")
CHANGED = render(replace(CHECKOUT, priority="P2"), "sim")
OVER = render(resolved(CHECKOUT), "sim")
LATER, EARLIER = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)

CREATE = Intent(
    intent_id="a",
    issue_id=CHECKOUT.issue_id,
    destination="sim",
    sequence=0,
    action=Action.CREATE,
    state=State.CONFIRMED,
    payload_hash=OPEN.content_hash,
    external_id="1",
    url="https://tracker.example/1",
    reason="",
    attempts=1,
    not_before=EARLIER,
    lease_until=None,
    confirmed_at=EARLIER,
    created_at=EARLIER,
)
UPDATE = replace(CREATE, intent_id="b", sequence=1, action=Action.UPDATE, payload_hash=CHANGED.content_hash)
RESOLVE = replace(CREATE, intent_id="c", sequence=1, action=Action.RESOLVE, payload_hash=OVER.content_hash)


def head(intent: Intent, state: State, **changes: object) -> Intent:
    return replace(intent, state=state, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentence", "newest", "held", "wanted", "step"),
    [
        ("a new issue gets a ticket", None, None, OPEN, (Step.SEND, Action.CREATE)),
        ("a resolved issue that never had a ticket gets none", None, None, OVER, (Step.NOTHING, Action.CREATE)),
        ("a ticket that says it all is left alone", CREATE, CREATE, OPEN, (Step.NOTHING, Action.UPDATE)),
        ("a changed payload is an update", CREATE, CREATE, CHANGED, (Step.SEND, Action.UPDATE)),
        ("a resolved issue resolves its ticket", CREATE, CREATE, OVER, (Step.SEND, Action.RESOLVE)),
        ("a resolved ticket is history", RESOLVE, RESOLVE, OVER, (Step.NOTHING, Action.RESOLVE)),
        ("late numbers do not disturb it", head(RESOLVE, State.CONFIRMED, payload_hash="x"), RESOLVE, OVER, (Step.NOTHING, Action.RESOLVE)),
        ("an issue that goes on takes the resolution back", RESOLVE, RESOLVE, OPEN, (Step.SEND, Action.UPDATE)),
        ("what another run is sending is left to it", head(CREATE, State.SENDING, lease_until=LATER), None, OPEN, (Step.WAIT, Action.CREATE)),
        ("... until its lease is over", head(CREATE, State.SENDING, lease_until=EARLIER), None, OPEN, (Step.EXPIRE, Action.CREATE)),
        ("an unknown outcome settles first", head(CREATE, State.UNKNOWN, not_before=LATER), None, OPEN, (Step.WAIT, Action.CREATE)),
        ("... and is then looked up, never just resent", head(CREATE, State.UNKNOWN), None, OPEN, (Step.LOOK_UP, Action.CREATE)),
        ("... even if it is no longer wanted", head(CREATE, State.UNKNOWN), None, OVER, (Step.LOOK_UP, Action.CREATE)),
        ("what was recorded and not sent is sent", head(CREATE, State.PENDING), None, OPEN, (Step.SEND, Action.CREATE)),
        ("... not before its time", head(CREATE, State.PENDING, not_before=LATER), None, OPEN, (Step.WAIT, Action.CREATE)),
        ("... and not when it is over meanwhile", head(CREATE, State.PENDING), None, OVER, (Step.WITHDRAW, Action.CREATE)),
        ("what was withdrawn stays so", head(CREATE, State.WITHDRAWN), None, OVER, (Step.NOTHING, Action.CREATE)),
        ("... unless it is wanted again", head(CREATE, State.WITHDRAWN), None, OPEN, (Step.SEND, Action.CREATE)),
        ("a pending update that became a resolution resolves", head(UPDATE, State.PENDING), CREATE, OVER, (Step.SEND, Action.RESOLVE)),
        ("a pending update that changed back is withdrawn", head(UPDATE, State.PENDING), CREATE, OPEN, (Step.WITHDRAW, Action.UPDATE)),
        ("what was refused is not sent again as it is", head(CREATE, State.REJECTED, not_before=LATER), None, OPEN, (Step.STANDS, Action.CREATE)),
        ("... but when it changed", head(CREATE, State.REJECTED, not_before=LATER), None, CHANGED, (Step.SEND, Action.CREATE)),
        ("... or when its time has come", head(CREATE, State.REJECTED), None, OPEN, (Step.SEND, Action.CREATE)),
        ("a ticket found with other words is updated", head(CREATE, State.CONFIRMED, payload_hash=""), head(CREATE, State.CONFIRMED, payload_hash=""), OPEN, (Step.SEND, Action.UPDATE)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_next_step(sentence: str, newest: Intent | None, held: Intent | None, wanted: object, step: object) -> None:
    assert next_step(newest, held, wanted, NOW) == step  # type: ignore[arg-type]
