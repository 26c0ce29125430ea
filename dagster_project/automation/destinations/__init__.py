"""Destinations of tickets and events: one file per tool, all meeting the protocol in ``base.py``."""

from dagster_project.automation.destinations.config import load_destinations, refused_destinations
from dagster_project.automation.destinations.configured import ConfiguredDestination

__all__ = ["ConfiguredDestination", "load_destinations", "refused_destinations"]
