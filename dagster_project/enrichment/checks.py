"""Check of the labels: the share of abstentions. The promotion of a model is checked by the step that trains it."""

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from dagster_project import lake
from dagster_project.dagster_metadata import guarded
from dagster_project.enrichment.assets import labels
from dagster_project.resources import HomeResource

ABSTAIN_CEILING = 0.50


@asset_check(asset=labels, description=f"At most {ABSTAIN_CEILING:.0%} of the latest 1,000 labels are abstentions.")
@guarded
def abstentions(home: HomeResource) -> AssetCheckResult:
    """Many abstentions mean text that the classifier was not trained for."""
    latest = (
        lake.scan(home.home(), "labels")
        .select("abstained", "abstain_reason", "known_at")
        .sort("known_at")
        .tail(1000)
        .collect()
    )
    rate = float(latest["abstained"].sum()) / max(latest.height, 1)
    reasons = latest.filter("abstained")["abstain_reason"].value_counts()
    return AssetCheckResult(
        passed=rate <= ABSTAIN_CEILING,
        severity=AssetCheckSeverity.WARN,
        metadata={"abstained": rate, "of": latest.height, **{reason: count for reason, count in reasons.iter_rows()}},
    )
