"""Checks of the decisions' inputs: the playbook's review date, and the freshness that dbt declares for each source."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    asset_check,
    multi_asset_check,
)

from dagster_project.dagster_metadata import guarded
from dagster_project.decisioning.assets import published_warehouse
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.source_freshness import source_freshness
from dagster_project.resources import HomeResource, dbt_project


@asset_check(asset=AssetKey(["lake", "playbook_rules"]), description="The playbook's `review_by` date has not passed.")
@guarded
def playbook_reviewed(home: HomeResource) -> AssetCheckResult:
    """Thresholds and actions age; somebody has to look at them."""
    playbook = load_playbook(home.home().playbook)
    today = datetime.now(UTC).date()
    return AssetCheckResult(
        passed=not playbook.is_stale(today),
        severity=AssetCheckSeverity.WARN,
        metadata={"review by": str(playbook.review_by), "days left": (playbook.review_by - today).days},
    )


def _declared() -> list[str]:
    """The lake tables for which dbt declares a freshness."""
    manifest = json.loads(dbt_project().manifest_path.read_text(encoding="utf-8"))
    limits = {
        source["name"]: [(source.get("freshness") or {}).get(limit) for limit in ("warn_after", "error_after")]
        for source in manifest["sources"].values()
    }
    return sorted(table for table, own in limits.items() if any(limit and limit.get("count") for limit in own))


@multi_asset_check(
    specs=[
        AssetCheckSpec(
            "source_freshness",
            asset=AssetKey(["lake", table]),
            additional_deps=[published_warehouse],  # every lake table is there by then, and no decision waits for it
            description="The newest row is as fresh as _sources.yml asks (`dbt source freshness`).",
        )
        for table in _declared()
    ]
)
@guarded
def source_freshness_of_the_lake(context: AssetCheckExecutionContext, home: HomeResource) -> Iterator[AssetCheckResult]:
    """Warn where dbt warns, fail where dbt fails; a table without any row is no source that stopped."""
    for found in source_freshness(home.home()):
        yield AssetCheckResult(
            asset_key=AssetKey(["lake", found.table]),
            check_name="source_freshness",
            passed=found.status in ("pass", "no rows"),
            severity=AssetCheckSeverity.WARN if found.status == "warn" else AssetCheckSeverity.ERROR,
            metadata={
                "dbt says": found.status,
                "newest row": f"{found.newest:%Y-%m-%d %H:%M} UTC" if found.newest else "none",
                "age in hours": found.age_hours,
            },
        )
