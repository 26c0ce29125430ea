"""Whether the labels can be trusted: the golden set, and how often the classifier declines."""

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from dagster_project import lake
from dagster_project.enrichment.assets import classifier, labels
from dagster_project.resources import HomeResource
from models_ml.train import load_or_train

MACRO_F1_FLOOR = 0.50
ABSTAIN_CEILING = 0.50


@asset_check(asset=classifier, description=f"Macro-F1 on the golden evaluation split is at least {MACRO_F1_FLOOR}.")
def golden_set(home: HomeResource) -> AssetCheckResult:
    """The promoted model still reads what people wrote for it to be judged by."""
    metrics = load_or_train(home.home().models).metrics
    return AssetCheckResult(
        passed=bool(metrics.macro_f1 >= MACRO_F1_FLOOR),
        metadata={"macro F1": float(metrics.macro_f1), "calibration error": float(metrics.ece)},
    )


@asset_check(asset=labels, description=f"At most {ABSTAIN_CEILING:.0%} of the latest 1,000 labels are abstentions.")
def abstentions(home: HomeResource) -> AssetCheckResult:
    """A classifier that mostly declines has met text that it was not trained for."""
    latest = lake.scan(home.home(), "labels").select("abstained", "known_at").sort("known_at").tail(1000).collect()
    rate = float(latest["abstained"].sum()) / max(latest.height, 1)
    return AssetCheckResult(
        passed=rate <= ABSTAIN_CEILING,
        severity=AssetCheckSeverity.WARN,
        metadata={"abstained": rate, "of": latest.height},
    )
