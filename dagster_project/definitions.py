"""The code location: five stages, one home, three jobs, and what starts them.

``loop`` turns feedback, telemetry and what people did to tickets into decisions; ``push`` carries decisions out and
reports on them. They are apart so that nothing leaves until somebody switches the ``queue_changed`` sensor on.
``drift`` is for ML owners, weekly.
Schedules and sensors start switched off.
"""

from collections.abc import Sequence
from types import ModuleType

from dagster import (
    AssetSelection,
    Definitions,
    colored_console_logger,
    define_asset_job,
    load_asset_checks_from_modules,
    load_assets_from_modules,
)

from dagster_project.automation import assets as automation_assets
from dagster_project.automation import checks as automation_checks
from dagster_project.automation.sensors import queue_changed
from dagster_project.decisioning import assets as decisioning_assets
from dagster_project.decisioning import checks as decisioning_checks
from dagster_project.enrichment import assets as enrichment_assets
from dagster_project.enrichment import checks as enrichment_checks
from dagster_project.ingestion import assets as ingestion_assets
from dagster_project.ingestion import checks as ingestion_checks
from dagster_project.ingestion.sensors import new_files
from dagster_project.measurement import assets as measurement_assets
from dagster_project.measurement import checks as measurement_checks
from dagster_project.measurement.schedules import every_monday, every_quarter_hour
from dagster_project.resources import HomeResource, dbt_resource, plain_console

STAGES: Sequence[ModuleType] = [
    ingestion_assets,
    enrichment_assets,
    decisioning_assets,
    automation_assets,
    measurement_assets,
]
CHECKS: Sequence[ModuleType] = [
    ingestion_checks,
    enrichment_checks,
    decisioning_checks,
    automation_checks,
    measurement_checks,
]

_weekly = AssetSelection.assets("drift_report", "label_queue")
_inward = AssetSelection.assets(*automation_assets.ticket_changes.keys)
_outward = AssetSelection.groups("automation", "measurement") - _weekly - _inward
loop = define_asset_job("loop", selection=AssetSelection.all() - _outward - _weekly)
push = define_asset_job("push", selection=_outward)
drift = define_asset_job("drift", selection=_weekly)

defs = Definitions(
    assets=load_assets_from_modules(STAGES),
    asset_checks=load_asset_checks_from_modules(CHECKS),
    jobs=[loop, push, drift],
    schedules=[every_quarter_hour, every_monday],
    sensors=[new_files, queue_changed],
    resources={"home": HomeResource(), "dbt": dbt_resource()},
    loggers={"console": colored_console_logger, "plain": plain_console},
)
