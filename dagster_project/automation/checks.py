"""Whether everything that should have reached a tracker did."""

from collections.abc import Mapping
from datetime import timedelta

from dagster import AssetCheckResult, MetadataValue, asset_check

from dagster_project import display
from dagster_project.automation.assets import tickets
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.resources import HomeResource, now

STALE = timedelta(hours=1)
WELL, ENOUGH, RECENTLY = 0.9, 10, timedelta(days=1)


@asset_check(asset=tickets, description="Nothing was refused, or is held until a person looks.")
def no_dead_letters(home: HomeResource) -> AssetCheckResult:
    """A dead letter needs its owner: `feedback-control dead-letters list`."""
    letters = [letter.as_dict() for letter in Ledger(home.home().ledger_url).dead_letters.all()]
    shown = MetadataValue.md(display.markdown_table(letters) or "none")
    return AssetCheckResult(passed=not letters, metadata={"count": len(letters), "dead letters": shown})


@asset_check(asset=tickets, description="What should leave has left, or been refused, within the hour.")
def nothing_stale(home: HomeResource) -> AssetCheckResult:
    """A stale intent means that pushes are off, die, or cannot reach the destination."""
    ledger = Ledger(home.home().ledger_url)
    waiting, untold = ledger.overdue(now() - STALE), ledger.event_outbox.overdue_events(now() - STALE)
    oldest = min((intent.created_at for intent in waiting), default=None)
    shown: dict[str, int | str] = {"count": len(waiting), "oldest": str(oldest or "none")}
    shown["events untold"] = sum(untold.values())
    return AssetCheckResult(passed=not waiting and not untold, metadata={**shown, **ledger.count_by_state()})


@asset_check(asset=tickets, description="Of the last day's writes, at least nine in ten arrived at the first try.")
def pushes_succeed(home: HomeResource) -> AssetCheckResult:
    """Fewer mean a destination that is slow, refuses or loses answers; with fewer than ten writes nothing is said."""
    tries = Ledger(home.home().ledger_url).tries_since(now() - RECENTLY)
    rates: list[dict[str, object]] = []
    poor = []
    for name, own in sorted(tries.items()):
        rates.append({"destination": name, "writes": sum(own.values()), "arrived": own.get("confirmed", 0)})
        if not well_enough(own):
            poor.append(name)
    shown = MetadataValue.md(display.markdown_table(rates) or "none")
    return AssetCheckResult(passed=not poor, metadata={"degraded": ", ".join(poor) or "none", "writes": shown})


def well_enough(tries: Mapping[str, int]) -> bool:
    """Whether a destination takes what it is sent, by how many tries had each outcome."""
    writes = sum(tries.values())
    return writes < ENOUGH or tries.get("confirmed", 0) >= WELL * writes
