"""Whether everything that should have reached a tracker did."""

from dagster import AssetCheckResult, asset_check

from dagster_project.automation.assets import tickets
from dagster_project.automation.ledger import Ledger
from dagster_project.resources import HomeResource


@asset_check(asset=tickets, description="No intent was rejected, and none is of unknown outcome.")
def nothing_stuck(home: HomeResource) -> AssetCheckResult:
    """A rejected or unknown write needs a person, or the next run's reconciliation."""
    counts = Ledger(home.home().ledger_url).count_by_state()
    stuck = {state: counts.get(state, 0) for state in ("rejected", "unknown")}
    return AssetCheckResult(passed=not any(stuck.values()), metadata={**stuck, "confirmed": counts.get("confirmed", 0)})
