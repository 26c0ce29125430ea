"""Whole fictional products as raw files: what their customers write, what their telemetry shows, and the truth apart.

``catalogue()`` names the scenarios, quiet ones and incidents; ``write_product`` writes one of them as the exports that
a company would have, with a ``sources.yml`` for the generic reader, and returns its ``Truth``, which is never in the
files. Equal arguments give equal bytes.
"""

from __future__ import annotations

from dagster_project.simulation.products.catalogue import catalogue
from dagster_project.simulation.products.files import write_product
from dagster_project.simulation.products.scenario import Scenario, Truth

__all__ = ["Scenario", "Truth", "catalogue", "write_product"]
