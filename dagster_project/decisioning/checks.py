"""Whether the decisions rest on a playbook that people still stand behind."""

from datetime import UTC, datetime

from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, asset_check

from dagster_project.decisioning.playbook import load_playbook


@asset_check(asset=AssetKey(["lake", "playbook_rules"]), description="The playbook's `review_by` date has not passed.")
def playbook_reviewed() -> AssetCheckResult:
    """Thresholds and actions age; somebody has to look at them."""
    playbook = load_playbook()
    today = datetime.now(UTC).date()
    return AssetCheckResult(
        passed=not playbook.is_stale(today),
        severity=AssetCheckSeverity.WARN,
        metadata={"review by": str(playbook.review_by), "days left": (playbook.review_by - today).days},
    )
