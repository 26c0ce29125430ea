"""Drift for ML owners: what is compared comes from the lake, what is found goes to ``reports/drift/<date>/``.

``write_report`` compares the latest window of labelled feedback with the window before it and with the golden set, and
writes the pages and ``drift.json``. ``label_queue`` writes the feedback that people had best label next.
"""

from dagster_project.measurement.drift.report import DriftReport, write_report
from dagster_project.measurement.drift.to_label import label_queue

__all__ = ["DriftReport", "label_queue", "write_report"]
