"""The page for executives: what acting was worth in a quarter, what could not be attributed, how long it took."""

from __future__ import annotations

import math
from pathlib import Path

from dagster_project.measurement.pages import figures
from dagster_project.measurement.pages.facts import Marts, Rows, quantile
from dagster_project.measurement.pages.quarters import Quarter
from dagster_project.measurement.pages.site import Column, Site, Table, duration, money

EARNED = "fewer"
"""The answer at which money counts as earned."""

KINDS = {
    "revenue": "orders kept",
    "refunds": "refunds avoided",
    "support": "support contacts avoided",
    "customers": "customers kept",
}
ANSWERS = {
    "fewer": "fewer than without the act",
    "more": "more than without the act",
    "not_distinguishable": "not distinguishable from chance",
    "too_few_placebos": "too few quiet windows to compare with",
    "too_early": "too early to tell",
    "nothing_to_measure": "nothing to measure",
    "no_intervention": "nothing was done",
}
PHASES = {
    "minutes_to_detect": "onset to noticed",
    "minutes_to_ticket": "noticed to ticket",
    "minutes_to_touch": "ticket to first touch",
    "minutes_to_mitigate": "onset to mitigation in force",
    "minutes_to_fix": "onset to fixing release",
    "minutes_to_usual": "onset to complaints as usual",
}
_TOP = 10


def write(site: Site, marts: Marts, quarter: Quarter, name: str, links: dict[str, str]) -> Path:
    """Write the page of a quarter under a name."""
    issues = marts.issues_of(quarter)
    rows = outcome_rows(marts, issues)
    by_kind = site.table(_by_kind(quarter, [row for row in rows if row["is_earned"]], marts.currency))
    return site.page(
        name,
        "executives.html.j2",
        quarter=quarter,
        quarters=marts.quarters,
        links=links,
        currency=marts.currency,
        total=_total(issues, _roi_rows(quarter, marts)),
        by_kind=by_kind,
        money_chart=_money_chart(by_kind, marts.currency) if by_kind.rows else None,
        by_issue=site.table(_by_issue(quarter, marts, issues)),
        unattributed=site.table(_unattributed(quarter, rows, issues)),
        roi=site.table(_roi(quarter, marts)),
        times=site.table(_times(quarter, issues)),
        times_chart=_times_chart(quarter, issues) if issues else None,
        top=site.table(_top(quarter, marts, issues)),
        still_open=site.table(_open(quarter, marts)),
        dora=site.table(_dora(quarter, marts)),
        adoption=site.table(_adoption(quarter, marts)),
        claims=marts.claims,
        reviews=[row for row in marts.adoption if row["measure"] == "negative_review_share"],
    )


def outcome_rows(marts: Marts, issues: Rows) -> Rows:
    """What was measured for some issues, against what was untreated, with the upper bound and the issue's name."""
    frozen = {(row["issue_id"], row["measure"]): row for row in marts.outcomes if row["comparator"] == "frozen"}
    wanted = {issue["issue_id"] for issue in issues}
    rows = []
    for row in marts.outcomes:
        if row["comparator"] == "untreated" and row["issue_id"] in wanted:
            bound = frozen.get((row["issue_id"], row["measure"]), {})
            is_earned = row["answer"] == EARNED and row["value"] is not None
            more = {"upper_bound": bound.get("value"), "is_earned": is_earned, "said": ANSWERS[row["answer"]]}
            rows.append({**row, **more})
    return rows


def _total(issues: Rows, roi: Rows) -> dict[str, float | None]:
    """Money of a quarter. Issues err independently of each other, so distances to their bounds add in quadrature."""
    benefit, cost = sum(one["benefit"] for one in issues), sum(row["cost"] for row in roi)
    low = benefit - math.hypot(*(one["benefit"] - one["benefit_low"] for one in issues))
    high = benefit + math.hypot(*(one["benefit_high"] - one["benefit"] for one in issues))
    amounts = {"benefit": benefit, "low": low, "high": high}
    nets = {f"net_{name}": amount - cost for name, amount in amounts.items()}
    ratios = {f"ratio_{name}": amount / cost if cost else None for name, amount in amounts.items()}
    return {**amounts, "cost": cost, **nets, **ratios}


def _in(title: str, currency: str) -> str:
    return f"{title}, {currency}" if currency else title


def _by_kind(quarter: Quarter, earned: Rows, currency: str) -> Table:
    """Earned money by kind, the largest first."""
    kinds = []
    for kind, title in KINDS.items():
        rows = [row for row in earned if row["value_kind"] == kind]
        if rows:
            value = round(sum(row["value"] for row in rows), 2)
            low = round(value - math.hypot(*(row["value"] - row["value_low"] for row in rows)), 2)
            high = round(value + math.hypot(*(row["value_high"] - row["value"] for row in rows)), 2)
            named = {"kind": kind, "title": title, "issues": len({row["issue_id"] for row in rows})}
            kinds.append({**named, "value": value, "low": low, "high": high})
    columns = [
        Column("title", "what"),
        Column("issues", "issues", "count"),
        Column("value", _in("value", currency), "amount", is_summed=True),
        Column("low", "at least", "amount"),
        Column("high", "at most", "amount"),
    ]
    ordered = sorted(kinds, key=lambda row: (-float(str(row["value"])), str(row["kind"])))
    return Table(f"{quarter.name}-money-by-kind", columns, ordered, empty="No effect can be told from chance yet.")


def _money_chart(table: Table, currency: str) -> figures.Chart:
    bars = [(row["title"], row["value"], row["low"], row["high"]) for row in table.rows]
    said = "; ".join(f"{title} {money(value)} ({money(low)} to {money(high)})" for title, value, low, high in bars)
    text = f"What acting was worth by kind, with its 90 % interval: {said}."
    return figures.intervals(table.name, bars, text, currency or "money")


def _by_issue(quarter: Quarter, marts: Marts, issues: Rows) -> Table:
    ended = {row["issue_id"]: row["kind"] for row in marts.interventions if row["is_credited"]}
    rows = [
        {**issue, "ended_by": ended.get(issue["issue_id"])}
        for issue in sorted(issues, key=lambda one: (-one["benefit"], one["issue_id"]))
        if issue["benefit"]
    ]
    columns = [
        Column("issue_id", "issue", "issue"),
        Column("issue_title", "what"),
        Column("ended_by", "ended by", "code"),
        *(Column(f"benefit_{kind}", KINDS[kind], "amount", is_summed=True) for kind in KINDS),
        Column("benefit", _in("value", marts.currency), "amount", is_summed=True),
        Column("benefit_low", "at least", "amount"),
        Column("benefit_high", "at most", "amount"),
        Column("benefit_frozen", "as at its peak", "amount", is_summed=True),
    ]
    return Table(f"{quarter.name}-money-by-issue", columns, rows, empty="No issue has money that can be counted.")


def _unattributed(quarter: Quarter, rows: Rows, issues: Rows) -> Table:
    """Issues without earned money, with why nothing is claimed, what was measured all the same, and what is at risk."""
    order = list(ANSWERS)
    found = []
    for issue in issues:
        if not issue["benefit"]:
            answers = {row["answer"] for row in rows if row["issue_id"] == issue["issue_id"]} or {"no_intervention"}
            why = ", ".join(ANSWERS[answer] for answer in sorted(answers, key=order.index))
            found.append({**issue, "why": why})
    columns = [
        Column("issue_id", "issue", "issue"),
        Column("issue_title", "what"),
        Column("status", "status"),
        Column("why", "why nothing is claimed"),
        Column("not_attributed_value", "measured, not told from chance", "amount", is_summed=True),
        Column("revenue_at_risk", "revenue at risk", "amount", is_summed=True),
    ]
    found.sort(key=lambda row: (-row["revenue_at_risk"], row["issue_id"]))
    return Table(f"{quarter.name}-not-attributed", columns, found, empty="Every issue's end is attributed.")


def _roi_rows(quarter: Quarter, marts: Marts) -> Rows:
    return [row for row in marts.roi if Quarter.of(row["month"]) == quarter]


def _roi(quarter: Quarter, marts: Marts) -> Table:
    columns = [
        Column("product", "product"),
        Column("month", "month", "month"),
        Column("release_cohort", "suspect"),
        Column("season", "season", "code"),
        Column("issues", "issues", "count", is_summed=True),
        Column("benefit", "benefit", "amount", is_summed=True),
        Column("benefit_low", "at least", "amount"),
        Column("benefit_high", "at most", "amount"),
        Column("cost_engineering", "engineering", "amount", is_summed=True),
        Column("cost_running", "running", "amount", is_summed=True),
        Column("cost_wrong_acts", "wrong acts", "amount", is_summed=True),
        Column("net", "net", "amount", is_summed=True),
        Column("ratio", "ratio", "ratio"),
    ]
    return Table(f"{quarter.name}-roi", columns, _roi_rows(quarter, marts), empty="No month of this quarter is there.")


def _months(issues: Rows) -> list[str]:
    return sorted({f"{issue['month']:%Y-%m}" for issue in issues})


def _times(quarter: Quarter, issues: Rows) -> Table:
    """Median and 90th percentile of each phase by the month in which the issue was noticed."""
    rows = []
    for month in _months(issues):
        of_month = [issue for issue in issues if f"{issue['month']:%Y-%m}" == month]
        for name, title in PHASES.items():
            values = [issue[name] for issue in of_month if issue[name] is not None]
            if values:
                numbers = {"issues": len(values), "median": quantile(values, 0.5), "p90": quantile(values, 0.9)}
                rows.append({"month": month, "phase": name, "title": title, **numbers})
    columns = [
        Column("month", "month"),
        Column("title", "phase"),
        Column("issues", "issues", "count"),
        Column("median", "median", "duration"),
        Column("p90", "90th percentile", "duration"),
    ]
    return Table(f"{quarter.name}-times", columns, rows, empty="No issue was noticed in this quarter.")


def _times_chart(quarter: Quarter, issues: Rows) -> figures.Chart:
    months = _months(issues)
    medians = {(row["month"], row["phase"]): row["median"] for row in _times(quarter, issues).rows}
    drawn = []
    for name, title in PHASES.items():
        values = [medians.get((month, name)) for month in months]
        if any(value is not None for value in values):
            drawn.append((title, [None if value is None else value / 60 for value in values]))
    said = "; ".join(
        f"{title}: " + ", ".join(f"{month} {duration(medians.get((month, name)))}" for month in months)
        for name, title in PHASES.items()
        if any((month, name) in medians for month in months)
    )
    return figures.times(f"{quarter.name}-times", months, drawn, f"Median times by month. {said}.")


_COST = [
    Column("issue_id", "issue", "issue"),
    Column("what", "what"),
    Column("priority", "priority"),
    Column("status", "status"),
    Column("complaints", "complaints", "count", is_summed=True),
    Column("customers_affected", "customers", "count", is_summed=True),
    Column("revenue_at_risk", "revenue at risk", "amount", is_summed=True),
    Column("waiting_value", "lost while waiting", "amount", is_summed=True),
]


def _cost_rows(marts: Marts, issues: Rows) -> Rows:
    waiting: dict[str, float] = {}
    for row in marts.delays:
        if row["is_waiting"]:
            waiting[row["issue_id"]] = waiting.get(row["issue_id"], 0.0) + (row["lost_value"] or 0.0)
    return [
        {
            **issue,
            "what": marts.title(issue["issue_id"]),
            "complaints": issue["feedback_count"],
            "waiting_value": waiting.get(issue["issue_id"], 0.0),
        }
        for issue in issues
    ]


def _top(quarter: Quarter, marts: Marts, issues: Rows) -> Table:
    rows = sorted(_cost_rows(marts, issues), key=lambda row: (-row["revenue_at_risk"], row["issue_id"]))
    return Table(f"{quarter.name}-top-issues", _COST, rows[:_TOP], empty="No issue was noticed in this quarter.")


def _open(quarter: Quarter, marts: Marts) -> Table:
    still = [issue for issue in marts.issues if issue["status"] == "open" and Quarter.of(issue["month"]) <= quarter]
    rows = sorted(_cost_rows(marts, still), key=lambda row: (row["queue_position"] or 0, row["issue_id"]))
    return Table(f"{quarter.name}-still-open", _COST, rows, empty="No issue is open.")


def _dora(quarter: Quarter, marts: Marts) -> Table:
    columns = [
        Column("product", "product"),
        Column("month", "month", "month"),
        Column("deployments", "deployments", "count", is_summed=True),
        Column("failed_deployments", "failed", "count", is_summed=True),
        Column("change_fail_rate", "change fail rate", "share"),
        Column("recovery_minutes", "recovery time, median", "duration"),
        Column("failed_deployments_by_last", "failed, by the last before", "count", is_summed=True),
        Column("change_fail_rate_by_last", "rate, by the last before", "share"),
        Column("recovery_minutes_by_last", "recovery, by the last before", "duration"),
    ]
    rows = [row for row in marts.dora if Quarter.of(row["month"]) == quarter]
    return Table(f"{quarter.name}-dora", columns, rows, empty="Nothing was deployed in this quarter.")


def _adoption(quarter: Quarter, marts: Marts) -> Table:
    """Before and after adoption, which no quarter bounds."""
    columns = [
        Column("product", "product"),
        Column("measure", "measure", "code"),
        Column("adopted_at", "since (UTC)", "instant"),
        Column("rate_before", "before", "rate"),
        Column("rate_after", "after", "rate"),
        Column("change", "change", "share"),
        Column("control_change", "change elsewhere", "share"),
        Column("effect", "effect", "share"),
        Column("effect_low", "at least", "share"),
        Column("effect_high", "at most", "share"),
        Column("said", "answer", "code"),
    ]
    rows = [{**row, "said": ANSWERS.get(row["answer"], row["answer"])} for row in marts.adoption]
    return Table(f"{quarter.name}-adoption", columns, rows, empty="Nothing to compare.")
