"""Whether the labels can be trusted: what the golden set says of a new model, and how often the classifier declines."""

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from dagster_project import lake
from dagster_project.enrichment.assets import classifier, labels
from dagster_project.resources import HomeResource
from models_ml.training.registry import promote

ABSTAIN_CEILING = 0.50


@asset_check(
    asset=classifier,
    description="The model for the present golden set may serve: no worse than the champion by more than the margin,"
    " recall of every urgent type above its floor, calibration error below its bound. Else the champion stays.",
)
def promotion(home: HomeResource) -> AssetCheckResult:
    """The golden evaluation split judges every new model before it labels anything."""
    here = home.home()
    model, decision = promote(here.models, golden=here.golden)
    return AssetCheckResult(
        passed=decision.promoted,
        description="; ".join(decision.reasons) or "fit to serve",
        metadata={
            "candidate": decision.candidate,
            "judged against": decision.champion or "the bounds alone",
            "serving": model.version,
            **decision.figures,
        },
    )


@asset_check(asset=labels, description=f"At most {ABSTAIN_CEILING:.0%} of the latest 1,000 labels are abstentions.")
def abstentions(home: HomeResource) -> AssetCheckResult:
    """A classifier that mostly declines has met text that it was not trained for."""
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
