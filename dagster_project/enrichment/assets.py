"""The classifier, and the labels it gives to what is new."""

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from dagster_project import display, lake
from dagster_project.enrichment.labeling import label_new
from dagster_project.resources import HomeResource
from models_ml.train import load_or_train


@asset(group_name="enrichment", kinds={"huggingface", "python"})
def classifier(context: AssetExecutionContext, home: HomeResource) -> MaterializeResult[None]:
    """The SetFit classifier, trained from the golden set; nothing is trained while the content hash is unchanged."""
    folder = home.home().models
    model = load_or_train(folder, progress=context.log.info)
    card = folder / model.version / "model_card.md"
    return MaterializeResult(
        metadata={
            "model version": model.version,
            "model card": MetadataValue.md(card.read_text(encoding="utf-8")),
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
    """Issue type, calibrated confidence and masked text of each piece of feedback; only what is new is labelled."""
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
            "labels by issue type": MetadataValue.md(display.bar_chart(by_type)),
            "preview": MetadataValue.md(display.preview(rows.drop("explanation"))),
        }
    )
