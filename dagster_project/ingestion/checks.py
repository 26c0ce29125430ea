"""Whether what arrived can be used: how much of it went to quarantine."""

from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, asset_check

from dagster_project import lake
from dagster_project.ingestion.contracts import TABLES
from dagster_project.resources import HomeResource

CEILING = 0.01


@asset_check(
    asset=AssetKey(["lake", "quarantine"]),
    description=f"At most {CEILING:.0%} of all rows ever read are in quarantine.",
)
def quarantine_share(home: HomeResource) -> AssetCheckResult:
    """A growing quarantine is an export that changed its format."""
    here = home.home()
    quarantined = lake.scan(here, "quarantine")
    bad = quarantined.select("known_at").collect().height
    good = sum(lake.scan(here, table).select("known_at").collect().height for table in TABLES)
    reasons = quarantined.group_by("reason").len().sort("len", descending=True).head(5).collect()
    return AssetCheckResult(
        passed=bad <= CEILING * max(good + bad, 1),
        severity=AssetCheckSeverity.WARN,
        metadata={"in quarantine": bad, "in the lake": good, "commonest reasons": dict(reasons.iter_rows())},
    )
