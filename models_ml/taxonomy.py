"""The taxonomy: issue types, channels and the reference language.

Issue types and the weight of their journey come from the dbt seed ``taxonomy.csv``, the one place that SQL reads too.
"""

from __future__ import annotations

import csv
from pathlib import Path

SEED = Path(__file__).parents[1] / "dbt_project" / "seeds" / "taxonomy.csv"


def _journey_weights() -> dict[str, float]:
    with SEED.open(encoding="utf-8", newline="") as rows:
        return {row["issue_type"]: float(row["journey_weight"]) for row in csv.DictReader(rows)}


JOURNEY_WEIGHTS = _journey_weights()
"""Closeness of each issue type to the purchase, 0 to 1."""

ISSUE_TYPES = tuple(JOURNEY_WEIGHTS)
"""The classes, in the order of the model's outputs. Add new ones at the end of the seed: models store no names."""

FIRST_LANGUAGE = "en"
"""Reference language: metrics of every model include it, besides the languages it may answer in."""

CHANNELS = ("app_review", "product_review", "support_ticket", "chat", "social", "nps", "return")
"""The kinds of place where customers speak."""
