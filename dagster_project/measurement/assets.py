"""The page that shows the loop closed, and the weekly look at whether the labels can still be trusted."""

from datetime import timedelta

from dagster import (
    AssetExecutionContext,
    AssetKey,
    Config,
    MaterializeResult,
    MetadataValue,
    asset,
)
from pydantic import Field

from dagster_project import display
from dagster_project.automation.assets import tickets
from dagster_project.home import parse_instant
from dagster_project.measurement import drift
from dagster_project.measurement.closed_loop import write_report
from dagster_project.resources import HomeResource, now


@asset(deps=[tickets], group_name="measurement")
def closed_loop_report(home: HomeResource) -> MaterializeResult[None]:
    """Complaint to issue to ticket, with times, on one page for people."""
    page = write_report(home.home())
    return MaterializeResult(metadata={"page": MetadataValue.path(str(page)), "open": MetadataValue.url(page.as_uri())})


class Window(Config):
    """The span that a drift report looks at."""

    as_of: str = Field(default="", description="Its end: ISO 8601, UTC; empty means now. Nothing known later is read.")
    days: int = Field(default=7, gt=0, description="Its length; it is compared with the same span before it.")


@asset(
    deps=[AssetKey(["lake", "labels"])],
    group_name="measurement",
    kinds={"evidently"},
)
def drift_report(context: AssetExecutionContext, home: HomeResource, config: Window) -> MaterializeResult[None]:
    """Whether what customers write has changed, what that does to the labels, and how accurate they are now."""
    report = drift.write_report(
        home.home(),
        as_of=parse_instant(config.as_of) if config.as_of else now(),
        window=timedelta(days=config.days),
        progress=context.log.info,
    )
    accuracy = report.accuracy["current"].accuracy
    pages = {path.stem: MetadataValue.url(path.as_uri()) for path in sorted(report.folder.glob("*.html"))}
    return MaterializeResult(
        metadata={
            "verdict": MetadataValue.md(display.outline(report.lines())),
            "expected accuracy": "unknown: no answers" if accuracy is None else round(accuracy, 3),
            "feedback in the window": report.known["current"],
            "model version": report.model_version,
            **pages,
        }
    )


@asset(deps=[AssetKey(["lake", "labels"])], group_name="measurement", kinds={"csv"})
def label_queue(context: AssetExecutionContext, home: HomeResource, config: Window) -> MaterializeResult[None]:
    """The feedback that people had best label next; filled in, it goes back by `feedback-control add-labelled`."""
    as_of = parse_instant(config.as_of) if config.as_of else now()
    path = drift.label_queue(home.home(), as_of=as_of, progress=context.log.info)
    return MaterializeResult(metadata={"file": MetadataValue.path(str(path))})
