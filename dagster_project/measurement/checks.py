"""Drift check: the feedback still resembles that of the window before."""

import json

from dagster import AssetCheckResult, AssetCheckSeverity, asset_check

from dagster_project.dagster_metadata import guarded
from dagster_project.measurement.assets import drift_report
from dagster_project.resources import HomeResource


@asset_check(asset=drift_report, description="Feedback has not drifted since the window before.")
@guarded
def no_drift(home: HomeResource) -> AssetCheckResult:
    """The verdict of the latest report. Against the golden set, real feedback nearly always differs: no alarm."""
    reports = sorted((home.home().reports / "drift").glob("*/drift.json"))
    content = json.loads(reports[-1].read_text(encoding="utf-8"))
    verdicts = {f"against {name}": verdict for name, verdict in content["verdicts"].items()}
    return AssetCheckResult(
        passed=content["verdicts"]["previous"] != "drift",
        severity=AssetCheckSeverity.WARN,
        metadata={"as of": content["as_of"], **verdicts},
    )
