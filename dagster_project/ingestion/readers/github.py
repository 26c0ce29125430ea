"""GitHub: releases or deployments of a repository, from saved JSON or from the REST API, into ``releases``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from dagster_project.errors import SourceError
from dagster_project.ingestion.api_client import ApiClient
from dagster_project.ingestion.file_access import read_json
from dagster_project.ingestion.records import Record, Reject, Tally, as_raw, as_record
from dagster_project.ingestion.sources import SourceConfig

DEFAULTS: dict[str, object] = {"environment": "production"}


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read releases or deployments from a saved answer (a JSON array); drafts are counted and skipped."""
    document = read_json(path, source.encoding, source.limits)
    if not isinstance(document, list):
        raise SourceError(f"{path.name} holds no array; save the answer of GET /repos/OWNER/NAME/{source.kind}")
    for number, entry in enumerate(document, start=1):
        yield from _record(entry, number, tally)


def fetch(source: SourceConfig, window: tuple[datetime, datetime], client: ApiClient) -> Iterator[Record | Reject]:
    """Fetch releases or deployments from the API, page by page, newest first, back to the start of the window.

    Raises:
        SourceError: GitHub cannot be reached or refuses; the message names the setting to correct.
    """
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    start = window[0].strftime("%Y-%m-%dT%H:%M:%SZ")
    for answer in client.pages(f"/repos/{source.repository}/{source.kind}?per_page=100", headers=headers):
        entries = client.json(answer)
        if not isinstance(entries, list):
            raise SourceError(f"{source.name}: {source.address} answered with no list; check `url`")
        for entry in entries:
            yield from _record(entry, None, Tally())
        created = [str(entry.get("created_at", "")) for entry in entries if isinstance(entry, dict)]
        if min(created, default="") <= start:
            return


def _record(entry: Any, number: int | None, tally: Tally) -> Iterator[Record | Reject]:
    if not isinstance(entry, dict) or "id" not in entry:
        yield Reject("the entry has no id", number, as_raw(entry))
    elif entry.get("draft"):
        tally.skip("a draft release")
    else:
        yield as_record(_release if "tag_name" in entry else _deployment, entry, number)


def _release(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "release_id": f"gh-{entry['id']}",
        "version": str(entry["tag_name"]).removeprefix("v"),
        "deployed_at": entry.get("published_at") or entry.get("created_at"),
        "owner": (entry.get("author") or {}).get("login"),
        "commit_sha": entry.get("target_commitish"),
        "url": entry.get("html_url"),
        **{name: entry[name] for name in ("name", "body", "prerelease") if entry.get(name) not in (None, "")},
    }


def _deployment(entry: dict[str, Any]) -> dict[str, Any]:
    payload = entry.get("payload") if isinstance(entry.get("payload"), dict) else {}
    values = {
        "release_id": f"gh-deployment-{entry['id']}",
        "version": str((payload or {}).get("version") or entry.get("ref", "")).removeprefix("v"),
        "deployed_at": entry.get("created_at"),
        "environment": entry.get("environment"),
        "owner": (entry.get("creator") or {}).get("login"),
        "commit_sha": entry.get("sha"),
        "url": entry.get("url"),
        "task": entry.get("task"),
        "payload": payload,
    }
    return {name: value for name, value in values.items() if value not in (None, {}, "")}
