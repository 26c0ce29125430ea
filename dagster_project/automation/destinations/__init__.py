"""Where tickets can go: one file per kind of destination, all meeting the protocol in ``base.py``."""

from dagster_project.automation.destinations.config import load_outlets
from dagster_project.automation.destinations.configured import Outlet

__all__ = ["Outlet", "load_outlets"]
