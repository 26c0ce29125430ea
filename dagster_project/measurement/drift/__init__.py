"""Drift report and label queue for ML owners: from the lake to ``reports/drift/<date>/``.

``write_report`` compares the latest window of labelled feedback with the window before it and with the golden set, and
writes the pages and ``drift.json``. ``label_queue`` writes the most informative feedback for people to label.
"""

from dagster_project.measurement.drift.report import DriftReport, write_report
from dagster_project.measurement.drift.to_label import label_queue

__all__ = ["DriftReport", "label_queue", "write_report"]
