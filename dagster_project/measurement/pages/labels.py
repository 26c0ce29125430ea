"""The page for ML owners: golden set, drift and label quality over time, in one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.measurement.pages import figures
from dagster_project.measurement.pages.facts import Rows
from dagster_project.measurement.pages.site import Column, Site, Table, share
from models_ml.model.metrics import Metrics


def write(site: Site, links: dict[str, str]) -> Path:
    """Write the page."""
    feedback = read_mart(
        site.home, "fct_feedback", ["known_at", "abstained", "confidence", "decided_by", "is_spam", "model_version"]
    )
    weeks = _weeks(feedback)
    serving = feedback.sort("known_at", "model_version").tail(1)["model_version"].to_list()
    models = _models(site.home, serving[0] if serving else "")
    metrics = next((row["metrics"] for row in models if row["serving"] == "yes"), None)
    drift = _drift(site.home)
    quality = site.table(_quality(weeks))
    return site.page(
        "ml.html",
        "ml.html.j2",
        links=links,
        models=site.table(_model_table(models)),
        by_type=site.table(_by_type(metrics)),
        metrics=metrics,
        drift=site.table(_drift_table(drift)),
        drift_pages=[row["folder"] for row in drift],
        quality=quality,
        quality_chart=_quality_chart(weeks) if weeks else None,
        verdicts=site.table(_verdicts(site.home)),
    )


def _models(home: Home, serving: str) -> Rows:
    """The models of the home with what the golden set says of them, the one that labels first."""
    models = []
    for path in sorted(home.models.glob("*/metrics.json")):
        metrics = Metrics.from_dict(json.loads(path.read_text(encoding="utf-8")))
        version = path.parent.name
        numbers = ("accuracy", "macro_f1", "coverage", "accuracy_when_answering", "ece")
        row: dict[str, Any] = {name: getattr(metrics, name) for name in numbers}
        models.append({"version": version, "serving": "yes" if version == serving else "no", "metrics": metrics, **row})
    return sorted(models, key=lambda row: (row["serving"] != "yes", row["version"]))


def _model_table(rows: Rows) -> Table:
    columns = [
        Column("version", "model"),
        Column("serving", "labels now"),
        Column("accuracy", "accuracy", "share"),
        Column("macro_f1", "macro-F1", "share"),
        Column("coverage", "answers", "share"),
        Column("accuracy_when_answering", "right when answering", "share"),
        Column("ece", "calibration error", "share"),
    ]
    return Table("ml-models", columns, rows, empty="No model is in this home.")


def _by_type(metrics: Metrics | None) -> Table:
    rows = [
        {"issue_type": name, "precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
        for name, one in sorted(metrics.by_type.items(), key=lambda pair: (pair[1].f1, pair[0]))
    ] if metrics else []  # fmt: skip
    columns = [
        Column("issue_type", "issue type", "code"),
        Column("precision", "precision", "share"),
        Column("recall", "recall", "share"),
        Column("f1", "F1", "share"),
        Column("support", "texts", "count", is_summed=True),
    ]
    return Table("ml-golden-by-type", columns, rows, empty="No model labels yet.")


def _drift(home: Home) -> Rows:
    """The drift reports, newest first."""
    rows = []
    for path in sorted((home.reports / "drift").glob("*/drift.json"), reverse=True):
        content = json.loads(path.read_text(encoding="utf-8"))
        now = content["accuracy"]["current"]
        expected = {"expected": now["accuracy"], "low": now["low"], "high": now["high"]}
        verdicts = {f"against_{name}": verdict for name, verdict in content["verdicts"].items()}
        texts = {"texts": content["feedback"]["current"]}
        rows.append({"folder": path.parent.name, "date": path.parent.name, **verdicts, **texts, **expected})
    return rows


def _drift_table(rows: Rows) -> Table:
    columns = [
        Column("date", "week until", "drift"),
        Column("texts", "texts", "count"),
        Column("against_previous", "against the week before", "code"),
        Column("against_golden", "against the golden set", "code"),
        Column("expected", "expected accuracy", "share"),
        Column("low", "at least", "share"),
        Column("high", "at most", "share"),
    ]
    return Table("ml-drift", columns, rows, empty="No drift report yet; `feedback-control drift` writes one.")


def _weeks(feedback: pl.DataFrame) -> Rows:
    """Labels by week of the instant at which the feedback became known."""
    is_answered = ~pl.col("abstained")
    weeks = (
        feedback.filter(~pl.col("is_spam"))
        .group_by(week=pl.col("known_at").dt.truncate("1w"))
        .agg(
            texts=pl.len(),
            answered=is_answered.sum(),
            by_rule=(pl.col("decided_by") == "rule").sum(),
            confidence=pl.col("confidence").filter(is_answered).mean(),
        )
        .sort("week")
    )
    shares = weeks.with_columns(answered_share=pl.col("answered") / pl.col("texts"))
    return shares.with_columns(week=pl.col("week").dt.strftime("%Y-%m-%d")).to_dicts()


def _quality(weeks: Rows) -> Table:
    columns = [
        Column("week", "week from"),
        Column("texts", "texts", "count", is_summed=True),
        Column("answered", "answered", "count", is_summed=True),
        Column("by_rule", "by a rule", "count", is_summed=True),
        Column("answered_share", "answers", "share"),
        Column("confidence", "mean confidence", "share"),
    ]
    return Table("ml-label-quality", columns, weeks, empty="Nothing was labelled yet.")


def _quality_chart(weeks: Rows) -> figures.Chart:
    drawn = [
        ("answered", [row["answered_share"] for row in weeks]),
        ("mean confidence of the answers", [row["confidence"] for row in weeks]),
    ]
    last = weeks[-1]
    text = (
        f"Labels by week: the share of texts that is answered, now {share(last['answered_share'])}, and the mean"
        f" confidence of the answers, now {share(last['confidence'])}."
    )
    return figures.lines("ml-label-quality", [row["week"][5:] for row in weeks], drawn, text)


def _verdicts(home: Home) -> Table:
    """What people said of issues that had a ticket, by the month in which the issue was noticed."""
    issues = read_mart(home, "fct_issue_lifecycle", ["detected_at", "ticketed_at", "rejected_at", "ticket_status"])
    months = (
        issues.filter(pl.col("ticketed_at").is_not_null())
        .group_by(month=pl.col("detected_at").dt.strftime("%Y-%m"))
        .agg(
            tickets=pl.len(),
            rejected=pl.col("rejected_at").is_not_null().sum(),
            closed=(pl.col("ticket_status") == "resolved").sum(),
        )
        .sort("month")
    )
    columns = [
        Column("month", "month"),
        Column("tickets", "tickets", "count", is_summed=True),
        Column("rejected", "rejected by people", "count", is_summed=True),
        Column("closed", "resolved", "count", is_summed=True),
    ]
    return Table("ml-verdicts", columns, months.to_dicts(), empty="No ticket yet.")
