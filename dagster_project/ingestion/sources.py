"""Configuration of the sources (``sources.yml``): exports and APIs to read, and the mapping of their columns to ours.

One entry per source. A minimal one names a file and a table; everything else has a default. Settings are checked on
load, and an error names the file, the source, the setting and what to do.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dagster_project.errors import ConfigurationError, SourceError, yaml_problem
from dagster_project.ingestion.contracts import TABLES, own_columns
from dagster_project.ingestion.discovery import Found, discover
from dagster_project.ingestion.limits import Limits
from dagster_project.outgoing import excerpt
from dagster_project.redaction import know_url, know_variable, without_credentials

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

SILENT_AFTER: dict[str, str] = {
    "feedback": "2d",
    "service_metrics": "1d",
    "funnel_metrics": "1d",
    "orders": "2d",
    "releases": "30d",
    "flag_changes": "never",
    "customers": "never",
    "campaigns": "never",
}
"""Default of ``silent_after`` by table: the time for which a source may bring nothing new."""

_NEVER = "never"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/?")
_DELAY = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KnownAt(_Strict):
    """Instant at which a row counts as known: a column of the source, plus a delay; for replays of history.

    Without it, a row is known at its ``known_at`` column, else now.
    """

    column: str
    delay: str = "0s"

    @field_validator("delay")
    @classmethod
    def _readable(cls, value: str) -> str:
        _duration(value)
        return value

    @property
    def after(self) -> timedelta:
        """The delay as a duration."""
        return _duration(self.delay)


class Query(_Strict):
    """One Prometheus expression whose samples fill one column of ``service_metrics``."""

    column: Literal["requests", "errors", "latency_p50_ms", "latency_p95_ms"]
    expression: str


class SourceConfig(_Strict):
    """One source."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    reader: Reader = "generic"
    table: str = ""
    path: str = ""
    renames: dict[str, str] = {}
    constants: dict[str, str | float | bool] = {}
    templates: dict[str, str] = {}
    id_from: list[str] = []
    text_from: list[str] = []
    missing: list[str] = []
    known_at: KnownAt | None = None
    date_format: str = ""
    timezone: str = "UTC"
    encoding: str = ""
    # Excluded from the fingerprint: it does not change what is read.
    silent_after: str = Field(default="", exclude=True)
    # Of the fingerprint only where it differs from the default: see there.
    limits: Limits = Field(default=Limits(), exclude=True)
    # of the API readers
    url: str = ""
    token_env: str = ""
    origins: list[str] = Field(default=[], exclude=True)
    repository: str = ""
    kind: Literal["releases", "deployments"] = "releases"
    queries: list[Query] = []
    step_seconds: int = Field(default=900, ge=15)
    labels: dict[str, str] = {}
    base: Path = Field(default=Path(), exclude=True)

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
            codecs.lookup(value or "utf-8")
        except LookupError:
            raise ValueError(f"'{value}' is not an encoding; write one like latin-1, cp1252 or utf-16") from None
        return value

    @field_validator("silent_after")
    @classmethod
    def _known_duration(cls, value: str) -> str:
        if value and value != _NEVER:
            _duration(value)
        return value

    @field_validator("origins")
    @classmethod
    def _known_origins(cls, value: list[str]) -> list[str]:
        for one in value:
            if not _ORIGIN.fullmatch(one):
                raise ValueError(f"'{one}' is not an origin; write one like https://api.example.com")
        return value

    @model_validator(mode="after")
    def _complete(self) -> SourceConfig:
        know_url(self.url)
        know_variable(self.token_env)
        if self.reader == "generic" and not self.table:
            raise ValueError(f"table is missing; the generic reader fills one of {', '.join(TABLES)}")
        if self.table and self.table not in TABLES:
            raise ValueError(
                f"table '{self.table}' does not exist; there are {', '.join(TABLES)}{_nearest(self.table, TABLES)}"
            )
        if not self.path and self.reader not in API_READERS:
            raise ValueError("path is missing; name a file, a folder or a pattern such as exports/*.csv")
        if not self.path and not self.url:
            raise ValueError("give a url to ask, or the path of an exported file")
        if self.reader == "prometheus" and self.url and not self.queries:
            raise ValueError("queries is missing; list a column and an expression for each of requests, errors, …")
        if self.reader == "github" and self.url and not self.repository:
            raise ValueError("repository is missing; write owner/name")
        known = own_columns(self.target) | {"known_at": None}
        for setting in ("constants", "templates"):
            for column in getattr(self, setting):
                if column not in known:
                    raise ValueError(f"{setting}.{column} is not a column of {self.target}{_nearest(column, known)}")
        for column, target in self.renames.items():
            if target not in known | {"updated_at": None}:
                raise ValueError(
                    f"renames.{column}: '{target}' is not a column of {self.target}{_nearest(target, known)}"
                )
        return self

    @property
    def target(self) -> str:
        """The table that the source fills."""
        return self.table or TABLE_OF_READER[self.reader]

    @property
    def address(self) -> str:
        """The URL as it is stored and shown: without user, password and secret query parameters."""
        return without_credentials(self.url)

    @property
    def allowed_silence(self) -> timedelta | None:
        """The longest time without a new row that is no alarm; None: any."""
        chosen = self.silent_after or SILENT_AFTER[self.target]
        return None if chosen == _NEVER else _duration(chosen)

    def fingerprint(self) -> str:
        """A hash of the settings: a file is read again when the way to read it, or a limit, has changed."""
        limits = self.limits.model_dump_json() if self.limits != Limits() else ""
        return hashlib.sha256((self.model_dump_json() + limits).encode()).hexdigest()

    def find(self) -> Found:
        """The files to read now, in a stable order, and what was left unread.

        Raises:
            SourceError: there is no file to read.
        """
        return discover(self.name, self.path, self.base, self.limits)


@dataclass(frozen=True)
class WrongEntry:
    """An entry of ``sources.yml`` that cannot be used: its name, the table that it is for, and the problem."""

    name: str
    table: str
    problem: str


def load_sources(path: Path, wrong: list[WrongEntry] | None = None) -> list[SourceConfig]:
    """Read and check a ``sources.yml``.

    Args:
        path: the file.
        wrong: gets the entries that cannot be used, so that the others can; without it, the first one is raised.

    Raises:
        ConfigurationError: the file is missing or not YAML, or a setting is wrong; with ``wrong``, in every entry.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist; name your sources file with --sources") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {yaml_problem(error)}") from None
    entries = document.get("sources") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{path}: `sources` must be a list with at least one entry")
    limits = _limits(path, document.get("limits", {}))
    sources: list[SourceConfig] = []
    problems: list[WrongEntry] = []
    for number, entry in enumerate(entries, start=1):
        try:
            source = _source(path, number, entry, limits)
            if source.name in {one.name for one in sources}:
                raise ConfigurationError(f"{path}: two sources are named '{source.name}'; give each a name of its own")
        except ConfigurationError as error:
            problems.append(_wrong(number, entry, str(error)))
        else:
            sources.append(source)
    if problems and (wrong is None or not sources):
        raise ConfigurationError(problems[0].problem)
    if wrong is not None:
        wrong += problems
    return sources


def _wrong(number: int, entry: Any, problem: str) -> WrongEntry:
    said = entry if isinstance(entry, dict) else {}
    name, table = said.get("name"), said.get("table")
    return WrongEntry(
        excerpt(name, 60) if isinstance(name, str) and name else f"source number {number}",
        table if isinstance(table, str) and table in TABLES else "feedback",
        problem,
    )


def fingerprint(sources: Iterable[SourceConfig]) -> str:
    """A hash of which files there are, how large and how old: it changes when there may be something new to read."""
    seen = []
    for source in sources:
        try:
            files = source.find().files if source.path else []
        except SourceError as error:
            seen.append(str(error))
            continue
        seen += [f"{source.name}:{file}:{_age(file)}" for file in files]
    return hashlib.sha256("\n".join(seen).encode("utf-8", "surrogateescape")).hexdigest()


def _duration(text: str) -> timedelta:
    found = _DELAY.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is not a delay; write 90s, 30m, 24h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _age(file: Path) -> str:
    try:
        state = file.stat()
    except OSError as error:
        return str(error.strerror)
    return f"{state.st_size}:{state.st_mtime_ns}"


def _limits(path: Path, section: Any) -> dict[str, Any]:
    """The section ``limits`` of all sources."""
    if not isinstance(section, dict):
        raise ConfigurationError(f"{path}: `limits` is not a mapping of settings")
    section = _expand(section, f"{path}: limits")
    try:
        Limits.model_validate(section)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: limits.{_first_fault(error)}") from None
    return dict(section)


def _source(path: Path, number: int, entry: Any, limits: dict[str, Any]) -> SourceConfig:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{path}: entry {number} of `sources` is not a mapping of settings")
    know_url(str(entry.get("url", "")))  # before anything is said about the entry
    name = entry.get("name", f"number {number}")
    unknown = sorted({str(one) for one in entry} - set(SourceConfig.model_fields) | ({"base"} & set(entry)))
    if unknown:
        hint = _nearest(unknown[0], SourceConfig.model_fields)
        raise ConfigurationError(f"{path}: source {name}: there is no setting '{unknown[0]}'{hint}")
    own = entry.get("limits", {})
    if not isinstance(own, dict):
        raise ConfigurationError(f"{path}: source {name}: `limits` is not a mapping of settings")
    try:
        expanded = _expand({**entry, "limits": {**limits, **own}}, f"{path}: source {name}")
        return SourceConfig(**expanded, base=path.parent)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: source {name}: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    setting = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such setting" + _nearest(str(first["loc"][-1]), Limits.model_fields)
    return f"{setting + ': ' if setting else ''}{message}"


def _expand(value: Any, where: str) -> Any:
    """Replace ``${VARIABLE}`` in every string by the environment's value."""
    if isinstance(value, dict):
        return {key: _expand(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, where) for item in value]
    if not isinstance(value, str):
        return value
    missing = [name for name in _VARIABLE.findall(value) if name not in os.environ]
    if missing:
        raise ConfigurationError(f"{where}: the environment variable {missing[0]} is not set; export {missing[0]}=…")
    return _VARIABLE.sub(lambda found: os.environ[found[1]], value)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
