"""Measurement assets: the closed-loop page, the pages for people, and the weekly drift report and label queue."""

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
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.decisioning.assets import published_warehouse
from dagster_project.home import parse_instant
from dagster_project.measurement import drift
from dagster_project.measurement.closed_loop import write_report
from dagster_project.measurement.pages import write_pages
from dagster_project.resources import EACH_DAY, EACH_WEEK, OWNERS, HomeResource, now


@asset(
    deps=[published_warehouse],
    group_name="measurement",
    kinds={"html"},
    owners=OWNERS["measurement"],
    freshness_policy=EACH_DAY,
)
@guarded
def closed_loop_report(home: HomeResource) -> MaterializeResult[None]:
    """Page for people: complaint to issue to ticket, with times, as of the published decisions."""
    page = write_report(home.home())
    return MaterializeResult(metadata={"page": MetadataValue.path(str(page)), "open": MetadataValue.url(page.as_uri())})


@asset(
    deps=[published_warehouse, closed_loop_report],
    group_name="measurement",
    kinds={"html"},
    owners=OWNERS["measurement"],
    freshness_policy=EACH_DAY,
)
@guarded
def pages(home: HomeResource) -> MaterializeResult[None]:
    """Pages for executives, product managers and ML owners, and for each issue; `feedback-control serve` shows them."""
    written = write_pages(home.home())
    return MaterializeResult(
        metadata={
            "start": MetadataValue.path(str(written[0])),
            "open": MetadataValue.url(written[0].as_uri()),
            "pages": len(written),
        }
    )


class Window(Config):
    """Time span of a drift report."""

    as_of: str = Field(default="", description="Its end: ISO 8601, UTC; empty means now. Nothing known later is read.")
    days: int = Field(default=7, gt=0, description="Its length; it is compared with the same span before it.")


@asset(
    deps=[AssetKey(["lake", "labels"])],
    group_name="measurement",
    kinds={"evidently"},
    owners=OWNERS["enrichment"],
    freshness_policy=EACH_WEEK,
)
@guarded
def drift_report(context: AssetExecutionContext, home: HomeResource, config: Window) -> MaterializeResult[None]:
    """Drift report: changes in the feedback, their effect on the labels, and the expected accuracy now."""
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
            "verdict": markdown(display.outline(report.lines())),
            "expected accuracy": "unknown: no answers" if accuracy is None else round(accuracy, 3),
            "feedback in the window": report.known["current"],
            "model version": report.model_version,
            **pages,
        }
    )


@asset(
    deps=[AssetKey(["lake", "labels"])],
    group_name="measurement",
    kinds={"csv"},
    owners=OWNERS["enrichment"],
    freshness_policy=EACH_WEEK,
)
@guarded
def label_queue(context: AssetExecutionContext, home: HomeResource, config: Window) -> MaterializeResult[None]:
    """Active learning: the feedback to label next; once filled in, load it by `feedback-control add-labelled`."""
    as_of = parse_instant(config.as_of) if config.as_of else now()
    path = drift.label_queue(home.home(), as_of=as_of, progress=context.log.info)
    return MaterializeResult(metadata={"file": MetadataValue.path(str(path))})
