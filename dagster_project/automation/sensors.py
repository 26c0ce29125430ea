"""Sensor of the push: the queue has changed, something waits to be sent again, or a day has passed."""

import hashlib
import json
from datetime import datetime, timedelta

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SkipReason, sensor

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.ledger.intents import State
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.dagster_metadata import guarded
from dagster_project.home import Home
from dagster_project.resources import HomeResource, now

AGAIN, AT_LEAST = timedelta(minutes=15), timedelta(days=1)


@sensor(
    job_name="push",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.STOPPED,
    description="Push when the published queue has changed; again after a quarter of an hour while something waits in"
    " the ledger; and once a day, so that an outage shows. Until this is on, nothing leaves.",
)
@guarded
def queue_changed(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Compare the published outbound rows with those last sent."""
    here = home.home()
    rows = here.outbound / "out_tickets.jsonl"
    if not rows.exists():
        return SkipReason("nothing has been decided yet")
    seen = hashlib.sha256(rows.read_bytes()).hexdigest()
    last = json.loads(context.cursor) if context.cursor and context.cursor.startswith("{") else {}
    reason = _reason(here, seen, last)
    if not reason:
        return SkipReason("the queue is as it was last sent, and nothing waits")
    context.update_cursor(json.dumps({"queue": seen, "at": now().isoformat()}))
    return RunRequest(tags={"started_by": reason})


def _reason(home: Home, seen: str, last: dict[str, str]) -> str:
    if last.get("queue") != seen:
        return "queue changed"
    since = now() - datetime.fromisoformat(last["at"])
    if since >= AT_LEAST:
        return "a day has passed"
    return "something waits in the ledger" if since >= AGAIN and _something_waits(home) else ""


def _something_waits(home: Home) -> bool:
    """True if a write is under way, or an event is due at a sink."""
    ledger = Ledger(home.ledger_url)
    if {State.PENDING, State.SENDING, State.UNKNOWN} & set(ledger.count_by_state()):
        return True
    return any(ledger.event_outbox.due_events(one.name, now()) for one in load_destinations(home))
