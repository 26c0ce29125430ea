"""GitHub: releases or deployments of a repository, from saved JSON or from the REST API, into ``releases``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from dagster_project.errors import SourceError
from dagster_project.ingestion.records import Record, Reject, Tally, read_json
from dagster_project.ingestion.sources import SourceConfig
from dagster_project.outgoing import excerpt

DEFAULTS: dict[str, object] = {"environment": "production"}


def read(path: Path, source: SourceConfig, tally: Tally) -> Iterator[Record | Reject]:
    """Read releases or deployments from a saved answer (a JSON array); drafts are counted and skipped."""
    document = read_json(path, source.encoding)
    if not isinstance(document, list):
        raise SourceError(f"{path.name} holds no array; save the answer of GET /repos/OWNER/NAME/{source.kind}")
    for number, entry in enumerate(document, start=1):
        yield from _record(entry, number, tally)


def fetch(source: SourceConfig, window: tuple[datetime, datetime], client: httpx.Client) -> Iterator[Record | Reject]:
    """Fetch releases or deployments from the API, page by page, newest first, back to the start of the window.

    Raises:
        SourceError: GitHub cannot be reached or refuses; the message names the setting to correct.
    """
    token = os.environ.get(source.token_env, "") if source.token_env else ""
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    url: str | None = f"{source.url.rstrip('/')}/repos/{source.repository}/{source.kind}?per_page=100"
    while url:
        try:
            answer = client.get(url, headers=headers)
        except httpx.TransportError as error:
            raise SourceError(
                f"{source.name}: GitHub at {source.address} cannot be reached ({excerpt(error)}); check `url`"
            ) from None
        if answer.status_code in {401, 403}:
            raise SourceError(
                f"{source.name}: GitHub refused ({answer.status_code}); check ${source.token_env or 'token_env'}"
            )
        if answer.status_code == 404:
            raise SourceError(
                f"{source.name}: GitHub knows no {source.repository}; check `repository` and the token's rights"
            )
        if answer.is_error:
            raise SourceError(f"{source.name}: GitHub answered {answer.status_code}: {excerpt(answer.text)}")
        entries = answer.json()
        for entry in entries:
            yield from _record(entry, None, Tally())
        oldest = min((str(entry.get("created_at", "")) for entry in entries), default="")
        url = answer.links.get("next", {}).get("url") if oldest > window[0].strftime("%Y-%m-%dT%H:%M:%SZ") else None


def _record(entry: Any, number: int | None, tally: Tally) -> Iterator[Record | Reject]:
    if not isinstance(entry, dict) or "id" not in entry:
        yield Reject("the entry has no id", number, str(entry)[:10_000])
    elif entry.get("draft"):
        tally.skip("a draft release")
    elif "tag_name" in entry:
        yield Record(
            {
                "release_id": f"gh-{entry['id']}",
                "version": str(entry["tag_name"]).removeprefix("v"),
                "deployed_at": entry.get("published_at") or entry.get("created_at"),
                "owner": (entry.get("author") or {}).get("login"),
                "commit_sha": entry.get("target_commitish"),
                "url": entry.get("html_url"),
                **{name: entry[name] for name in ("name", "body", "prerelease") if entry.get(name) not in (None, "")},
            },
            number,
        )
    else:
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
        yield Record({name: value for name, value in values.items() if value not in (None, {}, "")}, number)
