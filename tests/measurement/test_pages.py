"""The pages of a demo that ran on four days: every link leads somewhere, every total is the sum of what is below it."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.measurement.pages import are_current, executives
from dagster_project.measurement.pages.chain import _ticket, chain
from dagster_project.measurement.pages.executives import KINDS, PHASES
from dagster_project.measurement.pages.facts import Marts, Rows
from dagster_project.measurement.pages.quarters import Quarter, quarters
from dagster_project.measurement.pages.site import Column, Row, Site, Table, amount, duration, money, shown
from tests.demo import UNTIL
from tests.measurement.read_pages import Page, ShownTable, number

QUARTER = Quarter.of(UNTIL)


@pytest.fixture(scope="module")
def pages(demo: Home) -> dict[str, Page]:
    """Every page by its path below reports."""
    found = {*demo.reports.glob("*.html"), *demo.reports.glob("issues/*.html")} - {demo.reports / "closed_loop.html"}
    return {path.relative_to(demo.reports).as_posix(): Page(path) for path in found}


def issue_of(demo: Home, issue_type: str) -> str:
    (found,) = read_mart(demo, "fct_issues", ["issue_id"], where={"issue_type": issue_type})["issue_id"]
    return str(found)


def test_every_link_leads_to_a_file_of_the_home(demo: Home, pages: dict[str, Page]) -> None:
    links = [(page, link) for page in pages.values() for link in page.links]
    assert len(links) > 100
    for page, link in links:
        assert "://" not in link, f"{page.path.name}: {link} leads out of the home"
        name, _, anchor = unquote(link).partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.is_file() and target.is_relative_to(demo.root), f"{page.path.name}: {link}"
        assert not anchor or f'id="{anchor}"' in target.read_text(encoding="utf-8")


def test_links_keep_the_quarter(pages: dict[str, Page]) -> None:
    own = {QUARTER.executives, QUARTER.product}
    for name in own:
        assert own <= set(pages[name].links)
        assert not {"executives.html", "product.html"} & set(pages[name].links)
    for name in (one for one in pages if one.startswith("issues/")):
        assert f"../{QUARTER.executives}" in pages[name].links


def test_a_page_loads_nothing_and_needs_no_script(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object"}, name
        assert [found["href"] for tag, found in page.tags if tag == "link"] == ["data:,"]  # no icon is asked for
        assert not [found for _, found in page.tags if "src" in found or "onclick" in found], name
        assert "@import" not in page.text and "url(http" not in page.text


def test_every_chart_says_what_it_shows_and_has_its_rows(pages: dict[str, Page]) -> None:
    charts = 0
    for page in pages.values():
        drawn = [found for tag, found in page.tags if tag == "svg"]
        charts += len(drawn)
        assert [one["role"] for one in drawn] == ["img"] * len(drawn)
        assert all(len(str(one["aria-label"])) > 30 for one in drawn)
        assert page.text.count("<figcaption>") == page.text.count("<figure>") == len(drawn)
        captions = re.findall(r"<figcaption>.*?</figcaption>", page.text, re.DOTALL)
        assert all('.csv">' in caption for caption in captions)
    assert charts >= 7  # one of each issue, of money, times, complaints and labels


def test_sums_are_those_of_the_rows_that_are_shown_and_of_the_rows_beside_them(pages: dict[str, Page]) -> None:
    compared = 0
    for page in pages.values():
        for table, shown_table in page.tables.items():
            beside = page.rows_beside(table)
            assert len(beside) == len(shown_table.rows)
            columns = list(beside[0])
            for place, total in enumerate(shown_table.sums):
                if place and total:
                    rows = [number(row[place]) for row in shown_table.rows]
                    assert sum(rows) == pytest.approx(number(total), abs=0.001), f"{page.path.name} {table} {place}"
                    written = sum(float(row[columns[place]] or 0) for row in beside)
                    assert written == pytest.approx(number(total), abs=0.006)
                    compared += 1
    assert compared > 30


def test_the_headline_is_the_sum_of_the_issues_and_of_the_marts(demo: Home, pages: dict[str, Page]) -> None:
    page = pages[QUARTER.executives]
    by_issue = page.tables.get(f"t-{QUARTER.name}-money-by-issue", ShownTable(["issue", "value"]))
    months = read_mart(demo, "fct_roi", ["month", "benefit", "cost"]).to_dicts()
    benefit, cost = (
        sum(row[name] for row in months if Quarter.of(row["month"]) == QUARTER) for name in ("benefit", "cost")
    )
    assert sum(map(number, by_issue.column("value"))) == pytest.approx(benefit, abs=0.006)
    assert page.figures[0].startswith(f"{money(benefit)} EUR kept by acting")
    assert page.figures[1].startswith(f"{money(cost)} EUR cost; net {money(benefit - cost)} (")
    earned = read_mart(demo, "fct_issue_outcomes", where={"comparator": "untreated", "answer": "fewer"})
    assert benefit == pytest.approx(float(earned["value"].sum()), abs=0.006)  # the demo lies in one quarter
    others = set(page.tables[f"t-{QUARTER.name}-not-attributed"].column("issue"))
    assert set(by_issue.column("issue")) | others == set(read_mart(demo, "fct_issues", ["issue_id"])["issue_id"])
    assert not set(by_issue.column("issue")) & others


def test_money_adds_up_from_measures_to_issues_kinds_and_the_headline(tmp_path: Path) -> None:
    """ISS-1: 100.25 customers and 20.50 support; ISS-2: 50.25 customers, and refunds that chance explains: 171.00.

    Distances to the lower bounds: 30 + 10 of ISS-1 and 30 of ISS-2, in quadrature 50; to the upper ones 40 and 9: 41.
    ISS-4 belongs to the quarter before.
    """
    outcomes = [
        outcome("ISS-1", "complaints", "customers", "fewer", 100.25, 70.25, 130.25),
        outcome("ISS-1", "support_contacts", "support", "fewer", 20.5, 10.5, 30.5),
        outcome("ISS-2", "complaints", "customers", "fewer", 50.25, 20.25, 59.25),
        outcome("ISS-2", "refunds", "refunds", "not_distinguishable", 999.0, -5.0, 2000.0),
        outcome("ISS-3", "complaints", "customers", "no_intervention", None, None, None),
        outcome("ISS-4", "complaints", "customers", "fewer", 7.0, 6.0, 8.0),
    ]
    issues = [
        issue("ISS-1", 5.0, benefit=120.75, low=80.75, high=160.75, customers=100.25, support=20.5),
        issue("ISS-2", 6.0, benefit=50.25, low=20.25, high=59.25, customers=50.25),
        issue("ISS-3", 70.75),
        issue("ISS-4", 1.0, benefit=7.0, low=6.0, high=8.0, customers=7.0, month=date(2026, 3, 1)),
    ]
    page = executives_page(tmp_path, issues, outcomes, [month(171.0, 30.0), month(0.0, 12.5)])
    assert page.figures[:3] == [
        "171 EUR kept by acting (121 to 212)",
        "42 EUR cost; net 128 (78 to 170)",  # halves go to the even number
        "71 EUR at risk in 1 issues whose end is not attributed",
    ]
    kinds = page.tables["t-2026-Q2-money-by-kind"]
    assert [row[:3] for row in kinds.rows] == [
        ["customers kept", "2", "150.50"],
        ["support contacts avoided", "1", "20.50"],
    ]
    assert [number(one) for one in kinds.rows[0][3:]] == pytest.approx([150.5 - 42.43, 150.5 + 31.32], abs=0.01)
    assert kinds.sums[2] == "171.00"
    by_issue = page.tables["t-2026-Q2-money-by-issue"]
    assert [row[0] for row in by_issue.rows] == ["ISS-1", "ISS-2"]
    assert by_issue.column("customers kept") == ["100.25", "50.25"]
    assert by_issue.column("value") == ["120.75", "50.25"]
    assert by_issue.sums[3:8] == ["0.00", "0.00", "20.50", "150.50", "171.00"]
    assert page.tables["t-2026-Q2-not-attributed"].rows == [
        ["ISS-3", "Checkout failing", "open", "nothing was done", "0.00", "70.75"]
    ]
    roi = page.tables["t-2026-Q2-roi"]
    assert sum(map(number, roi.column("benefit"))) == 171.0
    assert "Seed case has 40% fewer negative reviews and 3.5 times the cost" in page.text
    assert "4.0 times the cost (2.8 to 5.0)" in page.text  # 171, 121 and 212 of 42.50


def executives_page(folder: Path, issues: Rows, outcomes: Rows, roi: Rows) -> Page:
    """The page of the second quarter of 2026."""
    claims: Rows = [{"name": "Seed case", "negative_review_reduction": 0.4, "roi_ratio": 3.5}]
    nothing: dict[str, Rows] = {name: [] for name in ("interventions", "delays", "plans", "dora", "adoption")}
    as_of = datetime(2026, 6, 30)
    marts = Marts(as_of, issues, outcomes=outcomes, roi=roi, claims=claims, facts={}, currency="EUR", **nothing)
    site, links = Site(Home(folder), as_of), {"executives": "executives.html", "product": "product.html"}
    return Page(executives.write(site, marts, Quarter(2026, 2), "executives.html", links))


def outcome(
    issue_id: str, measure: str, kind: str, answer: str, value: float | None, low: float | None, high: float | None
) -> dict[str, Any]:
    """A row of fct_issue_outcomes."""
    named = {"issue_id": issue_id, "measure": measure, "comparator": "untreated", "value_kind": kind, "answer": answer}
    return {**named, "value": value, "value_low": low, "value_high": high}


def issue(
    issue_id: str,
    revenue_at_risk: float,
    *,
    benefit: float = 0.0,
    low: float = 0.0,
    high: float = 0.0,
    month: date = date(2026, 6, 1),
    **kinds: float,
) -> dict[str, Any]:
    """A row of fct_issues with fct_issue_lifecycle and fct_issue_roi."""
    counts = {"feedback_count": 3, "customers_affected": 2, "revenue_at_risk": revenue_at_risk, "queue_position": 1}
    texts = {"issue_title": "Checkout failing", "status": "open", "priority": "P1"}
    earned = {f"benefit_{kind}": kinds.get(kind, 0.0) for kind in KINDS}
    money = {"benefit": benefit, "benefit_low": low, "benefit_high": high, "benefit_frozen": benefit, **earned}
    more = {"month": month, "not_attributed_value": 0.0, **dict.fromkeys(PHASES)}
    return {"issue_id": issue_id, **counts, **texts, **money, **more}


def month(benefit: float, cost: float) -> dict[str, Any]:
    """A row of fct_roi."""
    named = {"product": "shop", "month": date(2026, 5, 1), "release_cohort": "none", "season": "spring", "issues": 1}
    costs = {"cost_engineering": cost, "cost_running": 0.0, "cost_wrong_acts": 0.0, "cost": cost, "ratio": None}
    return {**named, "benefit": benefit, "benefit_low": 0.0, "benefit_high": 0.0, "net": benefit - cost, **costs}


def at(hour: int) -> datetime:
    """An hour of the first of June."""
    return datetime(2026, 6, 1, hour)


def test_steps_stand_in_the_order_of_time_and_what_has_not_happened_last(tmp_path: Path) -> None:
    home = Home(tmp_path)
    clocks = ("first_complaint_at", "could_have_known_at", "usual_again_at", "resolved_at", "closed_at", "resolved_as")
    times = {"started_at": at(8), "detected_at": at(9), "ticketed_at": at(10), "first_touched_at": at(12)}
    own = (home.tickets / "FC-7.md").absolute().as_uri()
    row: dict[str, Any] = {**dict.fromkeys(clocks), **times, "ticket_url": own, "ticket_assignee": "kim"}
    plan: dict[str, Any] = {
        "mitigation": "flag-off",
        "item": "flags/new",
        "target": "control",
        "plan_state": "in_force",
    }
    plan |= {"proposed_at": at(11), "approved_at": at(13)}
    act: dict[str, Any] = {
        "kind": "mitigation",
        "acted_at": at(14),
        "version": None,
        "flag": None,
        "mitigation": "flag-off",
    }
    act |= {"ticket_event": None, "actor": "dana", "is_credited": True}
    steps = chain(home, row, [act], [plan])
    assert [(step.title, step.since) for step in steps] == [
        *(("Onset", None), ("Issue opened", 60), ("Ticket opened", 120), ("Plan proposed", 180), ("First touch", 240)),
        *(("Plan approved", 300), ("Mitigation in force", 360), ("Complaints as usual again", None)),
        *(("Issue over", None), ("Ticket closed", None)),
    ]
    assert (steps[2].detail, steps[2].link) == ("FC-7", "../../tickets/FC-7.md")
    assert steps[6].detail == "flag-off by dana, credited with the end"
    assert [step.detail for step in steps[7:]] == ["not yet"] * 3


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://tracker.example.com/FC-7", "https://tracker.example.com/FC-7"),
        ("file:///elsewhere/FC-7.md", ""),
        ("javascript:alert(1)//FC-7", ""),
        (None, ""),
    ],
)
def test_a_ticket_is_linked_where_a_browser_can_open_it(tmp_path: Path, url: str | None, link: str) -> None:
    assert _ticket({"ticket_url": url, "ticketed_at": None}, Home(tmp_path)).link == link


def test_features_add_up_to_their_issue_types(pages: dict[str, Page]) -> None:
    page = pages[QUARTER.product]
    types, features = page.tables[f"t-{QUARTER.name}-evidence"], page.tables[f"t-{QUARTER.name}-evidence-by-feature"]
    assert len(types.rows) > 5
    for issue_type, complaints in zip(types.column("issue type"), types.column("complaints"), strict=True):
        rows = zip(features.column("issue type"), features.column("complaints"), strict=True)
        assert sum(number(one) for name, one in rows if name == issue_type) == number(complaints)


def test_the_roadmap_has_every_complaint_of_four_weeks_once_and_the_open_p1_first(
    demo: Home, pages: dict[str, Page]
) -> None:
    table = pages[QUARTER.product].tables["t-roadmap"]
    assert table.rows == pages["product.html"].tables["t-roadmap"].rows
    actionable = read_mart(demo, "taxonomy", ["issue_type"], where={"actionable": True})["issue_type"].to_list()
    counted = read_mart(demo, "fct_feedback", ["counted_at"], where={"is_counted": True, "issue_type": actionable})
    until = UNTIL.replace(tzinfo=None)
    window = pl.col("counted_at").is_between(until - timedelta(days=28), until, closed="right")
    assert sum(map(number, table.column("complaints"))) == counted.filter(window).height > 50
    first = dict(zip(table.headings, table.rows[0], strict=True))
    assert (first["when"], first["why"], first["issue type"]) == ("patch now", "urgent issue", "checkout failure")
    customers = pages[QUARTER.product].tables["t-roadmap-customers"]
    segments = customers.headings[customers.headings.index("customers") + 1 :]
    assert len(segments) > 2
    by_segment = zip(*(map(number, customers.column(heading)) for heading in segments), strict=True)
    assert [*map(sum, by_segment)] == [*map(number, table.column("customers"))]
    issues = read_mart(demo, "fct_issues", ["status", "revenue_at_risk", "detected_at"])
    lost = sum(map(number, table.column("cost in the window")))
    assert 0 < lost <= sum(issues["revenue_at_risk"].to_list()) + 0.005
    behind = pages[QUARTER.product].tables["t-roadmap-issues"]
    measures = pages[QUARTER.product].tables["t-roadmap-measures"]
    for above, heading in ((table, "cost in the window"), (measures, "of it lost conversion")):
        wanted, found = amounts(above, heading), amounts(behind, heading)
        assert set(found) <= set(wanted)
        assert {key: found.get(key, 0.0) for key in wanted} == pytest.approx(wanted, abs=0.001)


def amounts(table: ShownTable, heading: str) -> dict[tuple[str, str], float]:
    """The amounts of a column, added up by issue type and feature; the demo has one product."""
    sums: dict[tuple[str, str], float] = {}
    rows = zip(table.column("issue type"), table.column("feature"), table.column(heading), strict=True)
    for issue_type, feature, cell in rows:
        sums[issue_type, feature] = sums.get((issue_type, feature), 0.0) + number(cell)
    return sums


def test_segments_add_up_to_the_customers(pages: dict[str, Page]) -> None:
    table = pages[QUARTER.product].tables[f"t-{QUARTER.name}-customers-by-segment"]
    assert len(table.headings) > 4
    for row in table.rows:
        assert sum(map(number, row[3:])) == number(row[2]) > 0


def test_the_crash_is_a_closed_loop_on_its_page(demo: Home, pages: dict[str, Page]) -> None:
    """Complaint, issue, ticket, touch of a simulated person, fixing release, back to normal, closed: in this order."""
    steps = pages[f"issues/{issue_of(demo, 'app_crash')}.html"].steps
    wanted = (
        *("Onset", "Issue opened", "Ticket opened FC-1", "First touch", "Fixing release 4.8.1"),
        *("Complaints as usual again", "Issue over", "Ticket closed done"),
    )
    places = [next(place for place, step in enumerate(steps) if one in step) for one in wanted]
    assert places == sorted(places), steps
    assert any("theo (simulated)" in step for step in steps)
    assert not any("not yet" in step for step in steps)


def test_the_open_checkout_says_what_has_not_happened_yet(demo: Home, pages: dict[str, Page]) -> None:
    page = pages[f"issues/{issue_of(demo, 'checkout_failure')}.html"]
    assert any("Issue opened" in step for step in page.steps)
    assert any("Complaints as usual again not yet" in step for step in page.steps)
    assert page.steps[-1].startswith("–")


def test_labels_are_counted_once_each(demo: Home, pages: dict[str, Page]) -> None:
    page = pages["ml.html"]
    texts = read_mart(demo, "fct_feedback", ["feedback_id"], where={"is_spam": False}).height
    assert sum(map(number, page.tables["t-ml-label-quality"].column("texts"))) == texts
    assert page.tables["t-ml-verdicts"].rows


def test_pages_are_current_until_something_that_they_show_is_newer(tmp_path: Path) -> None:
    home = Home(tmp_path)
    shown = [home.reports / "closed_loop.html", home.reports / "index.html"]
    read = [home.published, home.models / "m1" / "metrics.json", home.reports / "drift" / "week" / "drift.json"]
    for second, path in enumerate((*read, *shown)):
        assert not are_current(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (second, second))
    assert are_current(home)
    for path in read:
        os.utime(path, (9, 9))
        assert not are_current(home), path
        os.utime(path, (0, 0))
    assert are_current(home)


def test_a_quarter_is_three_months_and_pages_are_there_for_the_present_one() -> None:
    assert [Quarter.of(date(2026, month, 1)).number for month in (1, 3, 4, 6, 7, 9, 10, 12)] == [1, 1, 2, 2, 3, 3, 4, 4]
    found = quarters([datetime(2026, 3, 31, 23, 59), None, date(2025, 12, 1)], datetime(2026, 7, 1))
    assert [one.name for one in found] == ["2026-Q3", "2026-Q1", "2025-Q4"]
    assert quarters([], None) == []


def test_numbers_are_shown_so_that_they_add_up_and_nothing_is_a_dash() -> None:
    assert [money(1234.5), money(-0.2), money(None)] == ["1,234", "0", "–"]
    assert [amount(1234.5), amount(-0.001), amount(None)] == ["1,234.50", "0.00", "–"]
    assert [duration(90), duration(150), duration(3000), duration(None)] == ["90 min", "2.5 h", "2.1 days", "–"]
    assert shown(None, "share") == "–"
    assert shown(0.125, "share") == "12.5%"


def test_customers_words_are_masked_and_inert_in_pages_and_in_rows(tmp_path: Path) -> None:
    site = Site(Home(tmp_path), datetime(2026, 6, 1, tzinfo=UTC))
    nasty = "<script>alert(1)</script> mail jo.doe@example.com \x1b[31mred"
    rows: list[Row] = [{"what": nasty, "formula": "=1+2"}, {"what": None, "formula": "@x"}]
    table = site.table(Table("nasty", [Column("what", "what"), Column("formula", "formula")], rows))
    links = {"executives": "executives.html", "product": "product.html"}
    path = site.page("index.html", "index.html.j2", links=links, quarters=[], issues=table, closed_loop=False)
    page, beside = path.read_text(encoding="utf-8"), (tmp_path / "reports" / "rows" / "nasty.csv").read_text()
    for text in (page, beside):
        assert "jo.doe@example.com" not in text and "\x1b" not in text
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "'=1+2" in beside and "'@x" in beside
