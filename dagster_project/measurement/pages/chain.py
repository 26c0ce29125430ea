"""An issue's page: complaint, issue, ticket, plan, act and recovery as one time line, with money beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.measurement.closed_loop import activity
from dagster_project.measurement.pages import figures
from dagster_project.measurement.pages.executives import ANSWERS, outcome_rows
from dagster_project.measurement.pages.facts import Marts, Rows
from dagster_project.measurement.pages.quarters import Quarter
from dagster_project.measurement.pages.site import Column, Site, Table, count, instant

_ACTS = {
    "mitigation": "Mitigation in force",
    "fixing_release": "Fixing release",
    "flag_change": "Flag changed",
    "person_act": "Act of a person",
}
_ORDER = (
    "onset",
    "first complaint",
    "could have known",
    "noticed",
    "ticket",
    "plan",
    "approved",
    "act",
    "usual",
    "over",
)


@dataclass(frozen=True)
class Step:
    """One step of the time line; ``since`` is the time from the onset in minutes."""

    place: str
    title: str
    at: datetime | None
    detail: str = ""
    link: str = ""
    css: str = ""
    since: float | None = None


def write(site: Site, marts: Marts, issue: dict[str, Any], links: dict[str, str]) -> Path:
    """Write the page of an issue."""
    issue_id = issue["issue_id"]
    steps = chain(
        site.home, issue, marts.of_issue(marts.interventions, issue_id), marts.of_issue(marts.plans, issue_id)
    )
    site.rows(f"{issue_id}-chain", ["at", "place", "title", "detail", "since"], [asdict(step) for step in steps])
    rows = outcome_rows(marts, [issue])
    quotes = read_mart(site.home, "fct_issue_quotes", where={"issue_id": issue_id}).sort("quote_rank").to_dicts()
    return site.page(
        f"issues/{issue_id}.html",
        "issue.html.j2",
        links=links,
        issue=issue,
        title=marts.title(issue_id),
        quarter=Quarter.of(issue["month"]),
        currency=marts.currency,
        why=_why(rows),
        chain=steps,
        chain_rows=f"{issue_id}-chain",
        course=_course(site, issue, steps, marts.as_of or issue["detected_at"]),
        outcomes=site.table(_outcomes(issue_id, rows)),
        interventions=site.table(_interventions(issue_id, marts.of_issue(marts.interventions, issue_id))),
        delays=site.table(_delays(issue_id, marts.of_issue(marts.delays, issue_id))),
        plans=site.table(_plans(issue_id, marts.of_issue(marts.plans, issue_id))),
        quotes=quotes,
    )


def chain(home: Home, issue: dict[str, Any], interventions: Rows, plans: Rows) -> list[Step]:
    """The steps of an issue in the order of time; what has not happened yet comes last."""
    steps = [
        Step("onset", "Onset", issue["started_at"]),
        Step("first complaint", "First complaint", issue["first_complaint_at"]),
        Step("could have known", "The evidence would have sufficed", issue["could_have_known_at"]),
        Step("noticed", "Issue opened", issue["detected_at"]),
        _ticket(issue, home),
        Step("ticket", "First touch", issue["first_touched_at"], issue["ticket_assignee"] or "", css="person"),
        *(Step("plan", "Plan proposed", plan["proposed_at"], _plan(plan)) for plan in plans),
        *(
            Step("approved", "Plan approved", plan["approved_at"], _plan(plan), css="person")
            for plan in plans
            if plan["approved_at"]
        ),
        *(_act(one) for one in interventions),
        Step("usual", "Complaints as usual again", issue["usual_again_at"]),
        Step("over", "Issue over", issue["resolved_at"], "after 48 h of silence" if issue["resolved_at"] else ""),
        Step("over", "Ticket closed", issue["closed_at"], issue["resolved_as"] or ""),
    ]
    onset = issue["started_at"]
    timed = [_timed(step, onset) for step in steps if step.at or step.place in ("ticket", "usual", "over")]
    return sorted(timed, key=lambda step: (step.at is None, step.at or onset, _ORDER.index(step.place), step.title))


def _timed(step: Step, onset: datetime) -> Step:
    if step.at is None:
        return Step(step.place, step.title, None, "not yet", css="missing")
    minutes = (step.at - onset) / timedelta(minutes=1)
    return Step(step.place, step.title, step.at, step.detail, step.link, step.css, minutes if minutes > 0 else None)


def _ticket(issue: dict[str, Any], home: Home) -> Step:
    url = issue["ticket_url"] or ""
    name = url.rstrip("/").rsplit("/", 1)[-1]
    # The local tracker's files lie beside the pages, and the server of the pages has them, too.
    is_own = url == (home.tickets / name).absolute().as_uri()
    link = f"../../tickets/{name}" if is_own else url if url.startswith(("https://", "http://")) else ""
    return Step("ticket", "Ticket opened", issue["ticketed_at"], name.removesuffix(".md"), link)


def _plan(plan: dict[str, Any]) -> str:
    return f"{plan['mitigation']}: {plan['item']} at {plan['target']} ({(plan['plan_state'] or '').replace('_', ' ')})"


def _act(one: dict[str, Any]) -> Step:
    named = one["version"] or one["flag"] or one["mitigation"] or one["ticket_event"] or ""
    by = f" by {one['actor']}" if one["actor"] else ""
    credited = ", credited with the end" if one["is_credited"] else ""
    css = "person" if one["kind"] == "person_act" else "act"
    return Step("act", _ACTS[one["kind"]], one["acted_at"], f"{named}{by}{credited}", css=css)


def _why(rows: Rows) -> str:
    """Why no money is claimed: the answers of all measures."""
    answers = sorted({row["answer"] for row in rows}, key=list(ANSWERS).index)
    return ", ".join(ANSWERS[one] for one in answers) or "nothing was measured"


def _course(site: Site, issue: dict[str, Any], steps: list[Step], as_of: datetime) -> figures.Chart:
    """Complaints in a day from three weeks before the onset to a week after the end."""
    start = issue["started_at"] - timedelta(days=21)
    end = min(as_of, (issue["resolved_at"] or as_of) + timedelta(days=7))
    rows = activity(site.home, issue, start, end, as_of)
    name = f"{issue['issue_id']}-course"
    site.rows(name, rows.columns, rows.to_dicts())
    marks = [(issue["started_at"], "onset", "#d08a00", ":"), (issue["detected_at"], "noticed", "#b3261e", "-")]
    acts = [step for step in steps if step.place == "act" and step.at]
    marks += [(step.at, "act", "#2e7d32", "--") for step in acts[:1] if step.at]
    marks += [(issue["resolved_at"], "over", "#5b3a8c", "-")] if issue["resolved_at"] else []
    peak = rows.sort("feedback_count", "tick", descending=[True, False]).head(1).to_dicts()
    most = f"at most {count(peak[0]['feedback_count'])} on {peak[0]['tick']:%Y-%m-%d}" if peak else "none"
    said = ", ".join(f"{label} {instant(at)}" for at, label, *_ in marks)
    text = f"Complaints in 24 hours against those that are explained: {most}; {said}."
    ticks, counts, usual = (rows[column].to_list() for column in ("tick", "feedback_count", "explained"))
    return figures.course(name, ticks, counts, usual, marks, text)


def _outcomes(issue_id: str, rows: Rows) -> Table:
    columns = [
        Column("measure", "measure", "code"),
        Column("comparator_basis", "compared with", "code"),
        Column("said", "answer"),
        Column("count_after", "after the act", "count"),
        Column("expected_after", "expected without", "count"),
        Column("avoided", "avoided", "count"),
        Column("avoided_low", "at least", "count"),
        Column("avoided_high", "at most", "count"),
        Column("placebos", "quiet windows", "count"),
        Column("earned_value", "earned", "amount", is_summed=True),
        Column("upper_bound", "as at its peak", "amount"),
    ]
    shown = [{**row, "earned_value": row["value"] if row["is_earned"] else None} for row in rows]
    return Table(f"{issue_id}-outcomes", columns, shown, empty="Nothing was measured.")


def _interventions(issue_id: str, rows: Rows) -> Table:
    columns = [
        Column("kind", "act", "code"),
        Column("acted_at", "at (UTC)", "instant"),
        Column("named", "what"),
        Column("actor", "by"),
        Column("basis", "basis", "code"),
        Column("credit", "credited", "code"),
    ]
    named = ("version", "flag", "mitigation", "ticket_event")
    shown = [
        {
            **row,
            "named": next((row[name] for name in named if row[name]), None),
            "credit": "yes" if row["is_credited"] else f"no: {row['not_credited_because']}",
        }
        for row in rows
    ]
    return Table(f"{issue_id}-interventions", columns, shown, empty="Nothing that may have ended it is known.")


def _delays(issue_id: str, rows: Rows) -> Table:
    columns = [
        Column("phase", "phase", "code"),
        Column("hours", "hours", "count"),
        Column("complaints", "complaints", "count", is_summed=True),
        Column("customers", "new customers", "count", is_summed=True),
        Column("failed_attempts", "failed attempts", "count"),
        Column("lost_value", "lost value", "amount", is_summed=True),
    ]
    return Table(f"{issue_id}-waiting", columns, rows, empty="Nothing was lost by waiting, or nothing is known of it.")


def _plans(issue_id: str, rows: Rows) -> Table:
    columns = [
        Column("mitigation", "mitigation"),
        Column("item", "where"),
        Column("plan_state", "state", "code"),
        Column("proposed_at", "proposed (UTC)", "instant"),
        Column("approved_at", "approved", "instant"),
        Column("applied_at", "in force", "instant"),
        Column("effect", "effect", "code"),
    ]
    return Table(f"{issue_id}-plans", columns, rows, empty="No plan was made.")
