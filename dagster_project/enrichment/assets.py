"""The classifier, and the labels it gives to what is new."""

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from dagster_project import display, lake
from dagster_project.enrichment.labeling import label_new
from dagster_project.resources import HomeResource
from models_ml.training.registry import promote


@asset(group_name="enrichment", kinds={"huggingface", "python"})
def classifier(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """The SetFit classifier for the golden set as it is; it labels once the golden set finds it fit to.

    Nothing is trained while the content hash is unchanged. A model that is refused leaves the champion in place.
    """
    here = home.home()
    model, decision = promote(here.models, golden=here.golden, progress=context.log.info)
    card = here.models / decision.candidate / "model_card.md"
    return MaterializeResult(
        metadata={
            "candidate": decision.candidate,
            "champion": model.version,
            "promoted": decision.promoted,
            "reasons against": "; ".join(decision.reasons) or "none",
            "runtime": model.encoder.runtime.name,
            "model card of the candidate": MetadataValue.md(card.read_text(encoding="utf-8")),
            "folder": MetadataValue.path(str(card.parent)),
        }
    )


@asset(
    key=["lake", "labels"],
    deps=[AssetKey(["lake", "feedback"]), classifier],
    group_name="enrichment",
    kinds={"huggingface", "parquet"},
)
def labels(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """Issue type, sentiment, language, entities and masked text of each piece of feedback; only what is new is read."""
    here = home.home()
    report = label_new(here, progress=context.log.info)
    rows = lake.scan(here, "labels")
    by_type = rows.group_by("issue_type").len().sort("len", descending=True).collect()
    return MaterializeResult(
        metadata={
            "newly labelled": report.labeled,
            "abstained": report.abstained,
            "seconds": round(report.seconds, 1),
            "model version": report.model_version,
            "label version": report.label_version,
            "runtime": report.runtime,
            "labels by issue type": MetadataValue.md(display.bar_chart(by_type)),
            "preview": MetadataValue.md(display.preview(rows.drop("explanation", "signature"))),
        }
    )
