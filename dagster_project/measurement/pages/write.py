"""Writing of all pages; pages and rows of what is gone are removed."""

from __future__ import annotations

from pathlib import Path

from dagster_project.home import Home
from dagster_project.measurement.pages import chain, executives, labels, product
from dagster_project.measurement.pages.facts import Marts, read_marts
from dagster_project.measurement.pages.site import Column, Site, Table

OWN = ("*.html", "issues/ISS-*.html", "rows/*.csv")
"""The files that are the pages' own, below ``reports``."""

KEPT = frozenset({"closed_loop.html"})


def are_current(home: Home) -> bool:
    """True if the pages were written after what they show: the published copy, the models and the drift reports."""
    shown = [home.reports / "index.html", *(home.reports / name for name in KEPT)]
    read = [home.published, *home.models.glob("*/metrics.json"), *(home.reports / "drift").glob("*/drift.json")]
    if not all(path.exists() for path in (*shown, home.published)):
        return False
    return min(path.stat().st_mtime_ns for path in shown) >= max(path.stat().st_mtime_ns for path in read)


def write_pages(home: Home) -> list[Path]:
    """Write every page from the published marts; returns their paths, ``index.html`` first."""
    marts = read_marts(home)
    site = Site(home, marts.as_of)
    before = {path for pattern in OWN for path in home.reports.glob(pattern)}
    newest = marts.quarters[0] if marts.quarters else None
    links = {"executives": "executives.html", "product": "product.html"}
    for quarter in marts.quarters:
        own = {"executives": quarter.executives, "product": quarter.product}
        executives.write(site, marts, quarter, quarter.executives, own)
        product.write(site, marts, quarter, quarter.product, own)
        if quarter == newest:
            executives.write(site, marts, quarter, "executives.html", links)
            product.write(site, marts, quarter, "product.html", links)
    for issue in marts.issues:
        chain.write(site, marts, issue, links)
    labels.write(site, links)
    # Last, as it says that all the others are there (``are_current``).
    index = site.page(
        "index.html",
        "index.html.j2",
        links=links,
        quarters=marts.quarters,
        issues=site.table(_issues(marts)),
        closed_loop=(home.reports / "closed_loop.html").exists(),
    )
    for path in before - set(site.written):
        if path.name not in KEPT:
            path.unlink(missing_ok=True)
    return [index, *(path for path in site.written if path.suffix == ".html" and path != index)]


def _issues(marts: Marts) -> Table:
    columns = [
        Column("issue_id", "issue", "issue"),
        Column("what", "what"),
        Column("priority", "priority"),
        Column("status", "status"),
        Column("detected_at", "noticed (UTC)", "instant"),
        Column("closed_at", "closed (UTC)", "instant"),
    ]
    rows = [{**issue, "what": marts.title(issue["issue_id"])} for issue in marts.issues]
    return Table("issues", columns, rows, empty="No issue has been found yet.")
