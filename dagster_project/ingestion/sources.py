"""``sources.yml``: which exports and APIs to read, and how their columns become ours.

One entry per source. A minimal one names a file and a table; everything else has a default. Settings are checked on
load, and an error names the file, the source, the setting and what to do.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dagster_project.errors import ConfigurationError, SourceError
from dagster_project.ingestion.settings import KnownAt, Query, SourceConfig, nearest

__all__ = ["KnownAt", "Query", "SourceConfig", "fingerprint", "load_sources"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NESTED = {"known_at": KnownAt, "queries": Query}
_SETTINGS = [name for name in SourceConfig.model_fields if name != "base"]


def load_sources(path: Path) -> list[SourceConfig]:
    """Read and check a ``sources.yml``.

    Raises:
        ConfigurationError: the file is missing or not YAML, or a setting is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist; name your sources file with --sources") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); name your sources file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    entries = document.get("sources") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{path}: `sources` must be a list with at least one entry")
    for key in document:
        if key != "sources":
            raise ConfigurationError(f"{path}: there is no setting '{key}' beside `sources`; put it under a source")
    sources = [_source(path, number, entry) for number, entry in enumerate(entries, start=1)]
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{path}: two sources are named '{name}'; give each a name of its own")
    return sources


def fingerprint(sources: Iterable[SourceConfig]) -> str:
    """A hash of which files there are, how large and how old: it changes when there may be something new to read."""
    seen = []
    for source in sources:
        try:
            files = source.files() if source.path else []
            seen += [f"{source.name}:{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files]
        except (SourceError, OSError) as error:  # it stays wrong, or it changes, and then this text changes too
            seen.append(str(error))
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def _source(path: Path, number: int, entry: Any) -> SourceConfig:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{path}: entry {number} of `sources` is not a mapping of settings")
    name = entry.get("name", f"number {number}")
    for setting in entry:
        if setting not in _SETTINGS:
            raise ConfigurationError(
                f"{path}: source {name}: there is no setting '{setting}'{nearest(str(setting), _SETTINGS)}"
            )
    try:
        return SourceConfig(**_expand(entry, f"{path}: source {name}"), base=path.parent)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: source {name}: {_in_words(error.errors()[0])}") from None


def _in_words(error: ErrorDetails) -> str:
    setting = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        model = _NESTED[str(error["loc"][0])]
        return f"there is no setting '{setting}'{nearest(str(error['loc'][-1]), model.model_fields)}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{setting}: {message}" if setting else message


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
