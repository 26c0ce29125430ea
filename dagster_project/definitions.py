"""The code location: five stages, one home, four jobs, and the schedules and sensors that start them.

``loop`` turns feedback, telemetry and what people did to tickets into decisions; ``mitigate`` and ``push`` carry them
out, in control systems and in trackers. They are apart so that nothing leaves until somebody switches the sensors
``plans_due`` and ``queue_changed`` on, and so that a control system that is down keeps no ticket from being opened.
``drift`` is weekly. Schedules and sensors start switched off, but for ``old_runs``, which deletes old run records.
"""

from collections.abc import Sequence
from types import ModuleType

from dagster import (
    MAX_RUNTIME_SECONDS_TAG,
    AssetSelection,
    Definitions,
    colored_console_logger,
    define_asset_job,
    in_process_executor,
    load_asset_checks_from_modules,
    load_assets_from_modules,
)

from dagster_project import outgoing
from dagster_project.automation import assets as automation_assets
from dagster_project.automation.mitigation import assets as mitigation_assets
from dagster_project.automation.sensors import plans_due, queue_changed
from dagster_project.decisioning import assets as decisioning_assets
from dagster_project.decisioning import checks as decisioning_checks
from dagster_project.enrichment import assets as enrichment_assets
from dagster_project.enrichment import checks as enrichment_checks
from dagster_project.ingestion import assets as ingestion_assets
from dagster_project.ingestion.sensors import new_files
from dagster_project.measurement import assets as measurement_assets
from dagster_project.measurement import checks as measurement_checks
from dagster_project.measurement.schedules import every_monday, every_quarter_hour
from dagster_project.measurement.sensors import old_runs
from dagster_project.resources import HomeResource, plain_console

outgoing.install()

STAGES: Sequence[ModuleType] = [
    ingestion_assets,
    enrichment_assets,
    decisioning_assets,
    automation_assets,
    mitigation_assets,
    measurement_assets,
]
# Ingestion and automation evaluate their checks in the step that lands, acts or pushes.
CHECKS: Sequence[ModuleType] = [enrichment_checks, decisioning_checks, measurement_checks]

_HOUR = 3600


def _limits(job: str, seconds: int) -> dict[str, str]:
    """Tags by which ``dagster.yaml`` runs one run of a job at a time, and ends one that hangs."""
    return {"feedback_control/job": job, MAX_RUNTIME_SECONDS_TAG: str(seconds)}


_weekly = AssetSelection.assets("drift_report", "label_queue")
_acting = AssetSelection.assets(*mitigation_assets.mitigations.keys)
_outward = AssetSelection.assets(*automation_assets.tickets.keys, "closed_loop_report", "pages")
_inward = AssetSelection.all() - _acting - _outward - _weekly
loop = define_asset_job(
    "loop",
    selection=_inward,
    tags=_limits("loop", _HOUR),
    description="One turn, inward: land, label, pull what people did to tickets, decide, publish. Sends nothing.",
)
mitigate = define_asset_job(
    "mitigate",
    selection=_acting,
    tags=_limits("mitigate", _HOUR // 4),
    description="Outward: make plans of the mitigations that the decision asks for, carry out what is approved, watch"
    " what is in force, and undo.",
)
push = define_asset_job(
    "push",
    selection=_outward,
    tags=_limits("push", _HOUR // 4),
    description="Outward: bring every destination in line with the published queue, and write the pages for people.",
)
drift = define_asset_job(
    "drift",
    selection=_weekly,
    tags=_limits("drift", _HOUR),
    description="Weekly, for ML owners: the drift report and the feedback to label next.",
)

defs = Definitions(
    assets=load_assets_from_modules(STAGES, include_specs=True),
    asset_checks=load_asset_checks_from_modules(CHECKS),
    jobs=[loop, mitigate, push, drift],
    schedules=[every_quarter_hour, every_monday],
    sensors=[new_files, plans_due, queue_changed, old_runs],
    # A run is one process: one for each of its steps would import everything anew, which takes longer than the work.
    executor=in_process_executor,
    resources={"home": HomeResource()},
    loggers={"console": colored_console_logger, "plain": plain_console},
)
