"""Sensors of mitigations and of the push: each starts a run for what is still to be done, by what the ledger says.

The sensors remember no promise. Each complete push records the queue that it sent (``ledger/pushes.py``), and each
complete mitigation turn its decision (``ledger/turns.py``); one that failed records nothing, so its work is still to be
done and a run starts again by itself. The cursor only paces: runs for the same work wait longer each time, and no run
is asked for while one is queued or running.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from dagster_project.automation.destinations import ConfiguredDestination, load_destinations
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation.due import decision_digest, turn_due
from dagster_project.automation.tickets.issues import work_digest
from dagster_project.dagster_metadata import guarded
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.resources import HomeResource, now, unfinished

AT_LEAST = timedelta(days=1)
"""Longest time between two pushes to a destination, so that an outage shows."""

AGAIN = timedelta(minutes=15)
"""Wait before issues that a push left waiting (quiet hours, a plan) are tried again."""

PACE = tuple(timedelta(minutes=minutes) for minutes in (0, 1, 2, 5, 15, 30, 60))
"""Waits before the runs for the same work, by how many there were; the last one goes on for ever."""

PACE_OF_TURNS = PACE[:4]
"""The same for mitigation turns: while one target cannot be read, what is held at the others is read all the same."""

STUCK = timedelta(hours=2)
"""Age at which a run no longer keeps another one from starting."""

MITIGATIONS_FIRST = timedelta(minutes=5)
"""Longest time that a push waits for a mitigation turn under way, whose plans the tickets show."""


@sensor(
    job_name="mitigate",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.STOPPED,
    description="Take plans of mitigations one step further when something is due: the decision asks for something"
    " else, a vote has arrived, a plan expires or people are to be reminded, an act is under way, what is held is to be"
    " read again, or the last turn failed. Until this is on, nothing is changed in a control system.",
)
@guarded
def plans_due(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Compare the published decision and the open plans with the last complete turn."""
    here = home.home()
    decision = decision_digest(here)
    if not decision:
        return SkipReason("nothing has been decided yet")
    reason = turn_due(here, Ledger.of(here), load_playbook(here.playbook), now())
    return _paced(context, "mitigate", decision, reason, PACE_OF_TURNS)


@sensor(
    job_name="push",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.STOPPED,
    description="Push while something is to be sent: a queue that was not sent yet, a push that failed, an unknown"
    " outcome past its settle time, a dead letter due for its daily retry, an event; and once a day, so that an outage"
    " shows. Until this is on, nothing leaves.",
)
@guarded
def queue_changed(context: SensorEvaluationContext, home: HomeResource) -> RunRequest | SkipReason:
    """Compare the published queue with what the ledger says was sent."""
    here = home.home()
    ledger = Ledger.of(here)
    queue = work_digest(here, ledger)
    if not queue:
        return SkipReason("nothing has been decided yet")
    reason = work_due(ledger, load_destinations(here), queue, now())
    if reason and (first := unfinished(context.instance, "mitigate", since=now() - MITIGATIONS_FIRST)):
        return SkipReason(f"{reason}; the tickets will show what run {first} does about mitigations")
    return _paced(context, "push", queue, reason, PACE)


def _paced(
    context: SensorEvaluationContext, job: str, work: str, reason: str, pace: Sequence[timedelta]
) -> RunRequest | SkipReason:
    """A run of the job for a reason, unless one is under way or was asked for too lately for the same work."""
    if not reason:
        context.update_cursor("")
        return SkipReason("all is as it was left, and nothing is due")
    if running := unfinished(context.instance, job, since=now() - STUCK):
        return SkipReason(f"{reason}; run {running} of this job is not finished")
    asked = _asked(context.cursor, work)
    if (due := asked["at"] + pace[min(asked["times"], len(pace) - 1)]) > now():
        return SkipReason(f"{reason}; tried {asked['times']} times, next at {due:%H:%M:%S} UTC")
    context.update_cursor(json.dumps({"work": work, "times": asked["times"] + 1, "at": now().isoformat()}))
    return RunRequest(tags={"started_by": reason})


def work_due(ledger: Ledger, destinations: Sequence[ConfiguredDestination], queue: str, at: datetime) -> str:
    """The reason for a push now; empty if every destination has the queue and nothing is due there."""
    for one in destinations:
        if one.broken:
            continue  # the daily push of the others, and the doctor, say so
        last = ledger.pushes.last(one.name)
        if last is None or last.queue != queue:
            return f"queue not sent to {one.name} yet"
        if at - last.at >= AT_LEAST:
            return f"a day has passed for {one.name}"
        if last.waiting and at - last.at >= AGAIN:
            return f"issues wait for {one.name}"
        if due := ledger.pushes.due(one.name, at):
            return f"{one.name}: {due}"
    return ""


def _asked(cursor: str | None, work: str) -> dict[str, Any]:
    """How often, and when last, a run was asked for this work; never, if the cursor cannot be read."""
    never = {"times": 0, "at": now()}
    try:
        content = json.loads(cursor or "{}")
        if content["work"] != work:
            return never
        return {"times": int(content["times"]), "at": datetime.fromisoformat(content["at"])}
    except (ValueError, KeyError, TypeError):
        return never
