"""Closed-loop report: time from complaint to issue to ticket, as one self-contained HTML page under ``reports/``.

A figure per issue (complaints a day against expectation; onset, detection, suspect release and end marked), then the
table of times. Everything shown is a column of a published mart.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from dagster_project.decisioning import wording
from dagster_project.decisioning.explain import queue
from dagster_project.decisioning.facts import Facts, read_facts
from dagster_project.decisioning.published import read_mart
from dagster_project.files import write_text
from dagster_project.home import Home
from dagster_project.outgoing import finalized

_TEMPLATES = Path(__file__).parent / "templates"
_SHOWN = 8
"""Number of issues with a figure: the queue first, then the latest resolved ones."""


def write_report(home: Home) -> Path:
    """Write ``reports/closed_loop.html`` from the published marts; returns its path."""
    issues = queue(home, include_resolved=True)
    rows = read_mart(home, "fct_issue_lifecycle")
    lifecycle = rows.sort("detected_at", "issue_id", descending=[True, False], nulls_last=True)
    as_of = read_mart(home, "fct_issue_activity", ["tick"]).max().item()
    facts = read_facts(home)
    cards = [_card(issue, facts[issue["issue_id"]], _figure(home, issue, as_of)) for issue in issues[:_SHOWN]]
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        finalize=finalized,
    )
    environment.filters["duration"] = _duration
    page = environment.get_template("closed_loop.html.j2").render(
        cards=cards,
        lifecycle=lifecycle.to_dicts(),
        open_issues=sum(issue["status"] == "open" for issue in issues),
        resolved_issues=sum(issue["status"] == "resolved" for issue in issues),
        revenue_at_risk=sum(issue["revenue_at_risk"] for issue in issues if issue["status"] == "open"),
        median_detect=lifecycle["minutes_to_detect"].median(),
        **_mitigations(home),
        as_of=as_of,
    )
    path = home.reports / "closed_loop.html"
    write_text(path, page)
    return path


_PLAN = (
    *("issue_id", "mitigation", "tier", "target", "item", "plan_id", "plan_state", "last_event", "proposed_at"),
    *("applied_at", "drifted_at", "effect", "would_have_been_right"),
)
_EFFECTS = {
    "effective": "helped",
    "ineffective": "did not help",
    "not_distinguishable": "cannot be told",
    "too_early": "too early to tell",
}


def _mitigations(home: Home) -> dict[str, Any]:
    """Plans of mitigations: how many in each state, and a row for each, newest first."""
    plans = read_mart(home, "fct_mitigations", _PLAN).drop_nulls("plan_id")
    rows = plans.sort("proposed_at", "plan_id", descending=[True, False], nulls_last=True).to_dicts()
    for row in rows:
        has_drifted = row["drifted_at"] is not None and row["last_event"] != "returned"
        row["drifted"] = row["plan_state"] == "in_force" and has_drifted
        row["worked"] = _EFFECTS.get(row["effect"]) or _RIGHT[row["would_have_been_right"]]
    states = [row["plan_state"] for row in rows]
    by_state = {state.replace("_", " "): states.count(state) for state in dict.fromkeys(states)}
    return {"plans": rows, "plans_by_state": by_state, "plans_drifted": sum(row["drifted"] for row in rows)}


_RIGHT = {True: "would have been right", False: "would have been wrong", None: "–"}


def _card(issue: dict[str, Any], facts: Facts, figure: str) -> dict[str, Any]:
    """One issue on the page, in the words of its ticket."""
    return {
        "issue": issue,
        "figure": figure,
        "title": wording.title(facts),
        "summary": wording.text("summary.j2", facts),
        "do_now": wording.text("do_now.j2", facts),
    }


def _figure(home: Home, issue: dict[str, Any], as_of: datetime) -> str:
    """Figure of one issue as inline SVG: complaints a day against explained ones, from three weeks before the onset."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import dates
    from matplotlib import pyplot as plt

    start = issue["started_at"] - timedelta(days=21)
    end = min(as_of, (issue["resolved_at"] or as_of) + timedelta(days=7))
    rows = activity(home, issue, start, end, as_of)
    suspect = {"issue_id": issue["issue_id"], "candidate_rank": 1, "verdict": "regression"}
    with mpl.rc_context({"svg.hashsalt": "feedback-control", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(7.2, 2.4), layout="constrained")
        ticks, counts = rows["tick"].to_list(), rows["feedback_count"].to_list()
        axes.fill_between(ticks, counts, step="post", color="#9db4c8", linewidth=0, label="complaints in 24 h")
        axes.step(ticks, rows["explained"].to_list(), where="post", color="#33506b", linewidth=1.4, label="explained")
        axes.axvline(issue["started_at"], color="#d08a00", linestyle=":", label="onset")
        axes.axvline(issue["detected_at"], color="#b3261e", label="noticed")
        for changed_at in read_mart(home, "fct_release_correlation", ["changed_at"], where=suspect)["changed_at"]:
            axes.axvline(changed_at, color="#5b3a8c", linestyle="--", label="suspect change")
        if issue["resolved_at"]:
            axes.axvline(issue["resolved_at"], color="#2e7d32", label="over")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", rotation=0)
        axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=8))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(dates.DateFormatter("%b %d"))  # type: ignore[no-untyped-call]
        axes.legend(frameon=False, ncols=6, fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.22))
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(figure)
    return drawn.getvalue().split("?>", 1)[-1].split('.dtd">', 1)[-1]


def activity(home: Home, issue: dict[str, Any], start: datetime, end: datetime, as_of: datetime) -> pl.DataFrame:
    """The steps of the issue's product-wide series; where a tick ends before the next begins, nothing was said."""
    series = {"product": issue["product"], "issue_type": issue["issue_type"], "scope_kind": "all"}
    columns = ["tick", "valid_to", "feedback_count", "explained"]
    steps = read_mart(home, "fct_issue_activity", columns, where=series)
    steps = steps.filter(pl.col("tick").is_between(start, end)).sort("tick")
    gaps = steps.filter(pl.col("valid_to").ne_missing(pl.col("tick").shift(-1))).select(
        tick=pl.min_horizontal("valid_to", pl.lit(as_of)),
        feedback_count=pl.lit(0, steps.schema["feedback_count"]),
        explained=pl.lit(None, steps.schema["explained"]),
    )
    return pl.concat([steps.drop("valid_to"), gaps], how="vertical").sort("tick", maintain_order=True)


def _duration(minutes: float | None) -> str:
    """Format minutes as min, h or days."""
    if minutes is None:
        return "–"
    hours = minutes / 60
    if hours < 2:
        return f"{minutes:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
