"""Where tickets can go: one file per kind of destination, all meeting the protocol in ``base.py``."""

from dagster_project.automation.destinations.config import load_destinations

__all__ = ["load_destinations"]
