"""One source's settings: what a user may write for it in ``sources.yml``, and what is checked before anything is read.

Every check here answers with a sentence that names the setting and, where one is close, the word that was meant.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import re
import string
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dagster_project.errors import SourceError
from dagster_project.ingestion.contracts import TABLES, own_columns

Reader = Literal["generic", "google_play", "app_store", "zendesk", "nps", "prometheus", "github"]

TABLE_OF_READER: dict[str, str] = {
    "google_play": "feedback",
    "app_store": "feedback",
    "zendesk": "feedback",
    "nps": "feedback",
    "prometheus": "service_metrics",
    "github": "releases",
}
API_READERS = {"prometheus", "github"}
"""Readers that can ask an API for a window of time; they read files when `path` is set."""

_ONLY_FOR = {
    "url": API_READERS,
    "token_env": API_READERS,
    "repository": {"github"},
    "kind": {"github"},
    "queries": {"prometheus"},
    "step_seconds": {"prometheus"},
    "labels": {"prometheus"},
}
_FILE_ENDINGS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".gz"}
_WILDCARDS = re.compile(r"[*?\[]")
_DELAY = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Strict(BaseModel):
    """A mapping in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KnownAt(Strict):
    """When a row is taken as known: a column of the source, plus a delay; for replays of history.

    Without it, rows are known when they say so in a ``known_at`` column, else now.
    """

    column: str
    delay: str = "0s"

    @field_validator("delay")
    @classmethod
    def _readable(cls, value: str) -> str:
        if not _DELAY.fullmatch(value.strip()):
            raise ValueError(f"'{value}' is not a delay; write 90s, 30m, 24h or 2d")
        return value

    @property
    def after(self) -> timedelta:
        """The delay as a duration."""
        found = _DELAY.fullmatch(self.delay.strip())
        assert found
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Query(Strict):
    """One Prometheus expression whose samples fill one column of ``service_metrics``."""

    column: Literal["requests", "errors", "latency_p50_ms", "latency_p95_ms"]
    expression: str


class SourceConfig(Strict):
    """One source."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    reader: Reader = "generic"
    table: str = ""
    path: str = ""
    renames: dict[str, str] = {}
    constants: dict[str, str | bool | int | float] = {}
    templates: dict[str, str] = {}
    id_from: list[str] = []
    text_from: list[str] = []
    missing: list[str] = []
    known_at: KnownAt | None = None
    date_format: str = ""
    timezone: str = "UTC"
    encoding: str = ""
    # of the API readers
    url: str = ""
    token_env: str = ""
    repository: str = ""
    kind: Literal["releases", "deployments"] = "releases"
    queries: list[Query] = []
    step_seconds: int = Field(default=900, ge=15)
    labels: dict[str, str] = {}
    base: Path = Field(default=Path(), exclude=True)

    @field_validator("renames", mode="before")
    @classmethod
    def _names_are_text(cls, value: Any) -> Any:
        """A Zendesk field is named by a number, which YAML reads as one."""
        return {str(name): target for name, target in value.items()} if isinstance(value, dict) else value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"'{value}' is not a time zone; write one like Europe/Berlin") from None
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name if value else value
        except LookupError:
            raise ValueError(f"'{value}' is not an encoding; write one like latin-1, cp1252 or utf-16") from None

    @field_validator("date_format")
    @classmethod
    def _usable_format(cls, value: str) -> str:
        sample = datetime(2026, 1, 31, 14, 5)
        try:
            read = datetime.strptime(sample.strftime(value), value) if value else sample
        except ValueError:
            raise ValueError(f"'{value}' is not a date format; write one like %d.%m.%Y %H:%M") from None
        if read.date() != sample.date():
            raise ValueError(f"'{value}' does not hold day, month and year; write one like %d.%m.%Y %H:%M")
        return value

    @field_validator("templates")
    @classmethod
    def _simple_templates(cls, value: dict[str, str]) -> dict[str, str]:
        for column, template in value.items():
            try:
                plain = all(
                    name is None or (re.fullmatch(r"[^.\[\]!:{}]+", name) and not specification and not conversion)
                    for _, name, specification, conversion in string.Formatter().parse(template)
                )
            except ValueError:
                plain = False
            if not plain:
                raise ValueError(f"'{template}' of {column} is not a template; write columns in braces: {{product}}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> SourceConfig:
        self._check_table()
        self._check_place()
        known = own_columns(self.target) | {"known_at": None}
        for setting in ("constants", "templates"):
            for column in getattr(self, setting):
                if column not in known:
                    raise ValueError(f"{setting}.{column} is not a column of {self.target}{nearest(column, known)}")
        for column, target in self.renames.items():
            if target not in known:
                raise ValueError(
                    f"renames.{column}: '{target}' is not a column of {self.target}{nearest(target, known)}"
                )
        first = TABLES[self.target].key[0]
        if self.id_from and not first.endswith("_id"):
            raise ValueError(f"id_from: {self.target} has no id to derive; its key is made of columns of its own")
        if self.text_from and "text" not in known:
            raise ValueError(f"text_from: {self.target} has no text")
        return self

    def _check_table(self) -> None:
        if self.reader == "generic" and not self.table:
            raise ValueError(f"table is missing; the generic reader fills one of {', '.join(TABLES)}")
        if self.table and self.table not in TABLES:
            raise ValueError(
                f"table '{self.table}' does not exist; there are {', '.join(TABLES)}{nearest(self.table, TABLES)}"
            )
        own = TABLE_OF_READER.get(self.reader, self.table)
        if self.table not in {"", own}:
            raise ValueError(f"the {self.reader} reader fills {own}, not {self.table}; leave `table` out")

    def _check_place(self) -> None:
        for setting, readers in _ONLY_FOR.items():
            if setting in self.model_fields_set and self.reader not in readers:
                raise ValueError(f"{setting} is a setting of {' and '.join(sorted(readers))}, not of {self.reader}")
        if not self.path and self.reader not in API_READERS:
            raise ValueError("path is missing; name a file, a folder or a pattern such as exports/*.csv")
        if not self.path and not (self.url or self.repository):
            raise ValueError("give a url to ask, or the path of an exported file")
        if self.path and self.url:
            raise ValueError("both path and url are given; keep the path to read a file, or the url to ask the API")
        if self.reader == "prometheus" and not self.path and not self.queries:
            raise ValueError("queries is missing; list a column and an expression for each of requests, errors, …")
        if self.reader == "github" and not self.path and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repository):
            raise ValueError("repository is missing; write owner/name")

    @property
    def target(self) -> str:
        """The table that the source fills."""
        return self.table or TABLE_OF_READER[self.reader]

    @property
    def endpoint(self) -> str:
        """The API to ask, without a slash at its end."""
        return (self.url or "https://api.github.com").rstrip("/")

    @property
    def origin(self) -> str:
        """The API's address for people and for lineage: without a user, a password or parameters."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def fingerprint(self) -> str:
        """A hash of the settings: a file is read again when the way to read it has changed."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def files(self) -> list[Path]:
        """What there is to read now, in a stable order; a pattern may also match folders.

        Raises:
            SourceError: nothing is there, or it is a folder named like a file.
        """
        location = Path(self.path).expanduser()
        location = location if location.is_absolute() else self.base / location
        if location.is_dir():
            if location.suffix.lower() in _FILE_ENDINGS:
                raise SourceError(f"{self.name}: {location} is a folder where a file is expected; correct `path`")
            found = [path for path in location.iterdir() if path.is_file() and not path.name.startswith(".")]
            if not found:
                raise SourceError(f"{self.name}: the folder {location} holds no file; nothing to read yet")
            return sorted(found)
        if location.exists():
            return [location]
        if not _WILDCARDS.search(self.path):
            raise SourceError(f"{self.name}: {location} does not exist; correct `path` or put the export there")
        # Only what the user wrote is a pattern; the folder that sources.yml lies in may hold such signs by chance.
        parts = Path(self.path).expanduser().parts
        wild = next(index for index, part in enumerate(parts) if _WILDCARDS.search(part))
        root, pattern = self.base.joinpath(*parts[:wild]), str(Path(*parts[wild:]))
        found = [path for path in root.glob(pattern) if not path.name.startswith(".")]
        if not found:
            raise SourceError(f"{self.name}: no file matches {location}; correct `path` or put the export there")
        return sorted(found)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that was probably meant, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
