"""Enrichment assets: the classifier, and the labels that it gives to new feedback."""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    MaterializeResult,
    MetadataValue,
    asset,
)

from dagster_project import display, lake
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.enrichment.labeling import label_new
from dagster_project.enrichment.takeover import take_over_model
from dagster_project.files import telling_repairs
from dagster_project.lake_tables import LAKE_TABLES
from dagster_project.resources import EACH_TURN, OWNERS, HomeResource
from models_ml.training.registry import promote


@asset(
    group_name="enrichment",
    kinds={"huggingface", "python"},
    owners=OWNERS["enrichment"],
    check_specs=[
        AssetCheckSpec(
            "promotion",
            asset="classifier",
            description="The model for the present golden set may serve: no worse than the champion by more than the"
            " margin, recall of every urgent type above its floor, calibration error below its bound. Else the champion"
            " stays.",
        )
    ],
)
@guarded
def classifier(context: AssetExecutionContext, home: HomeResource) -> Iterator[MaterializeResult[None]]:
    """SetFit classifier for the present golden set; it labels once the golden evaluation split has promoted it.

    Nothing is trained while the content hash is unchanged. A model that is refused leaves the champion in place; the
    check ``promotion`` shows the decision.
    """
    here = home.home()
    take_over_model(here, context.log.info)
    with telling_repairs(context.log.warning):
        model, decision = promote(here.models, golden=here.golden, progress=context.log.info)
    card = here.models / decision.candidate / "model_card.md"
    yield MaterializeResult(
        metadata={
            "candidate": decision.candidate,
            "champion": model.version,
            "promoted": decision.promoted,
            "reasons against": "; ".join(decision.reasons) or "none",
            "runtime": model.encoder.runtime.name,
            "model card of the candidate": markdown(card.read_text(encoding="utf-8")),
            "folder": MetadataValue.path(str(card.parent)),
        },
        check_results=[
            AssetCheckResult(
                check_name="promotion",
                passed=decision.promoted,
                description="; ".join(decision.reasons) or "fit to serve",
                metadata={
                    "candidate": decision.candidate,
                    "judged against": decision.champion or "the bounds alone",
                    "serving": model.version,
                    **decision.figures,
                },
            )
        ],
    )


@asset(
    key=["lake", "labels"],
    description=LAKE_TABLES["labels"].description,
    deps=[AssetKey(["lake", "feedback"]), classifier],
    group_name="enrichment",
    kinds={"huggingface", "parquet"},
    owners=OWNERS["enrichment"],
    freshness_policy=EACH_TURN,
)
@guarded
def labels(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """Label the feedback that has no label yet; equal texts are read once."""
    here = home.home()
    with telling_repairs(context.log.warning):
        report = label_new(here, progress=context.log.info)
    rows = lake.scan(here, "labels")
    by_type = rows.group_by("issue_type").len().sort("len", descending=True).collect()
    return MaterializeResult(
        metadata={
            "newly labelled": report.labeled,
            "abstained": report.abstained,
            "failed": report.failed,
            "seconds": round(report.seconds, 1),
            "model version": report.model_version,
            "label version": report.label_version,
            "runtime": report.runtime,
            "labels by issue type": markdown(display.bar_chart(by_type)),
            "preview": markdown(display.preview(rows.drop("explanation", "signature"))),
        }
    )
