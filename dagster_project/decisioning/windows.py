"""Windows of the decisions in days and hours: the vars of ``dbt_project.yml``, as the models read them."""

from __future__ import annotations

import yaml

from dagster_project.home import DBT_PROJECT

WINDOWS: dict[str, int] = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]

BASELINE_DAYS = WINDOWS["baseline_last_day"] - WINDOWS["baseline_first_day"] + 1
"""Days of a whole baseline."""
