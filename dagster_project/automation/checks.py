"""Checks of each destination, evaluated by the step that pushes: dead letters, stale intents, rate of success."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from dagster import AssetCheckResult, AssetCheckSpec, AssetKey

from dagster_project import display
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.dagster_metadata import markdown
from dagster_project.resources import now

STALE = timedelta(hours=1)
LEAST_SHARE = 0.9
"""Of the writes of a period, how many have to arrive."""

FEWEST_WRITES = 10
"""Below this, a share proves nothing."""

PERIOD = timedelta(days=1)

DESCRIPTIONS = {
    "no_dead_letters": "No write to this destination was rejected, or is held until a person looks.",
    "nothing_stale": "What should have left for this destination has left, or was rejected, within the hour.",
    "pushes_succeed": "Of the last day's writes to this destination, at least nine in ten arrived at the first try.",
}


def ticket_key(destination: str) -> AssetKey:
    """Asset key of the tickets at a destination."""
    return AssetKey(["tickets", destination])


def check_specs(destination: str) -> Iterator[AssetCheckSpec]:
    """The checks of a destination's asset."""
    for name, description in DESCRIPTIONS.items():
        yield AssetCheckSpec(name, asset=ticket_key(destination), description=description)


def check_results(open_ledger: Callable[[], Ledger], destination: str) -> Iterator[AssetCheckResult]:
    """The results of all three; one that raises has failed, with its reason, and the others are evaluated."""
    checks = {"no_dead_letters": no_dead_letters, "nothing_stale": nothing_stale, "pushes_succeed": pushes_succeed}
    for name, check in checks.items():
        try:
            yield check(open_ledger(), destination)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            yield _result(name, destination, False, {"could not be evaluated": reason})


def no_dead_letters(ledger: Ledger, destination: str) -> AssetCheckResult:
    """A dead letter needs its owner: `feedback-control dead-letters list`."""
    letters = [one.as_dict() for one in ledger.dead_letters.all() if one.intent.destination == destination]
    shown = markdown(display.markdown_table(letters) or "none")
    return _result("no_dead_letters", destination, not letters, {"count": len(letters), "dead letters": shown})


def nothing_stale(ledger: Ledger, destination: str) -> AssetCheckResult:
    """A stale intent means that pushes are off, die, or cannot reach the destination."""
    overdue = ledger.overdue(now() - STALE)
    waiting = [intent.created_at for intent in overdue if intent.destination == destination]
    events = ledger.event_outbox.overdue_events(now() - STALE).get(destination, 0)
    shown: dict[str, object] = {"count": len(waiting), "events not delivered": events}
    shown["oldest"] = str(min(waiting, default="none"))
    return _result("nothing_stale", destination, not waiting and not events, shown)


def pushes_succeed(ledger: Ledger, destination: str) -> AssetCheckResult:
    """A low rate means a destination that is slow, refuses or loses answers; fewer than ten writes prove nothing."""
    tries = ledger.tries_since(now() - PERIOD).get(destination, {})
    shown: dict[str, object] = {"writes": sum(tries.values()), "arrived": tries.get("confirmed", 0)}
    return _result("pushes_succeed", destination, well_enough(tries), shown)


def well_enough(tries: Mapping[str, int]) -> bool:
    """True if a destination takes what it is sent, by the number of tries of each outcome."""
    writes = sum(tries.values())
    return writes < FEWEST_WRITES or tries.get("confirmed", 0) >= LEAST_SHARE * writes


def _result(name: str, destination: str, passed: bool, metadata: Mapping[str, Any]) -> AssetCheckResult:
    return AssetCheckResult(asset_key=ticket_key(destination), check_name=name, passed=passed, metadata=dict(metadata))
