"""Readers, one per kind of export: convert a file or an API answer into records with our column names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from dagster_project.ingestion.api_client import ApiClient
from dagster_project.ingestion.readers import app_store, generic, github, google_play, nps, prometheus, zendesk
from dagster_project.ingestion.records import Record, Reject, Tally
from dagster_project.ingestion.sources import SourceConfig

FileReader = Callable[[Path, SourceConfig, Tally], Iterator[Record | Reject]]
ApiReader = Callable[[SourceConfig, tuple[datetime, datetime], ApiClient], Iterator[Record | Reject]]

FILE_READERS: dict[str, FileReader] = {
    "generic": generic.read,
    "google_play": google_play.read,
    "app_store": app_store.read,
    "zendesk": zendesk.read,
    "nps": nps.read,
    "prometheus": prometheus.read,
    "github": github.read,
}

API_READERS: dict[str, ApiReader] = {"prometheus": prometheus.fetch, "github": github.fetch}

DEFAULTS: dict[str, dict[str, object]] = {
    "google_play": google_play.DEFAULTS,
    "app_store": app_store.DEFAULTS,
    "zendesk": zendesk.DEFAULTS,
    "nps": nps.DEFAULTS,
    "github": github.DEFAULTS,
}
"""Default columns per reader, such as channel and platform."""
