"""The page that shows the loop closed."""

from dagster import MaterializeResult, MetadataValue, asset

from dagster_project.automation.assets import tickets
from dagster_project.measurement.report import write_report
from dagster_project.resources import HomeResource


@asset(deps=[tickets], group_name="measurement")
def closed_loop_report(home: HomeResource) -> MaterializeResult[None]:
    """Complaint to issue to ticket, with times, on one page for people."""
    page = write_report(home.home())
    return MaterializeResult(metadata={"page": MetadataValue.path(str(page)), "open": MetadataValue.url(page.as_uri())})
