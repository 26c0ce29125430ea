"""Provenance of sources: which files a home may read, by its kind.

A production home is never fed by a simulated shop, nor by files of another home; a demo reads nothing but its own shop.
A replay may read anything. Files are judged where they really are, so a link into another home is no way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dagster_project.errors import ConfigurationError, SourceError
from dagster_project.home import DEFAULT_HOME, Home
from dagster_project.home_kind import MARKER, SHOP, kind_of
from dagster_project.ingestion.discovery import fixed_part
from dagster_project.ingestion.sources import SourceConfig, WrongEntry, load_sources


def sources_of(home: Home, path: Path, wrong: list[WrongEntry] | None = None) -> list[SourceConfig]:
    """The sources in a ``sources.yml``, if the home may read them; ``wrong`` as in ``load_sources``.

    Raises:
        ConfigurationError: the file is missing or wrong, or the home may not read a source.
    """
    sources = load_sources(path, wrong)
    if home.kind == "demo":
        _refuse_real(home, path, sources)
    elif home.kind != "replay":
        _refuse_foreign(home, path, sources)
    return sources


def _refuse_real(home: Home, path: Path, sources: Sequence[SourceConfig]) -> None:
    shop = (home.root / SHOP.parent).resolve()
    other = "FOLDER" if home.root.name == DEFAULT_HOME else DEFAULT_HOME
    remedy = f"your own data has another home, as in `feedback-control --home {other} run --sources …`"
    for source in sources:
        outside = [place for place in _places(path, source) if not place.is_relative_to(shop)]
        if source.url or outside:
            what = source.address or outside[0]
            raise ConfigurationError(f"{home.root} is a demo home, and {source.name} reads {what}; {remedy}")


def _refuse_foreign(home: Home, path: Path, sources: Sequence[SourceConfig]) -> None:
    own, judged = home.root.resolve(), set[Path]()
    for source in sources:
        for place in _places(path, source):
            for folder in place.parents:
                if folder in judged:
                    continue
                judged.add(folder)
                if folder != own and (folder / MARKER).is_file():
                    raise ConfigurationError(
                        f"{source.name} reads {place}, which lies in another home ({folder}, {kind_of(folder)});"
                        f" {home.root} is a {home.kind} home: name its own exports"
                    )
                if home.kind == "production" and (folder / SHOP.name).is_file() and (folder / "sources.yml").is_file():
                    raise ConfigurationError(
                        f"{source.name} reads {place}, which belongs to a simulated shop ({folder / SHOP.name}); a"
                        " production home reads real exports only: see it with `feedback-control demo`, or in a home"
                        " made by `feedback-control --home FOLDER init --kind replay`"
                    )


def _places(path: Path, source: SourceConfig) -> Iterator[Path]:
    """Where the settings and the files of a source really are; of a pattern, also the folder that it begins in."""
    yield path.resolve()
    if not source.path:
        return
    whole = source.base / Path(source.path).expanduser()
    begun = fixed_part(whole)
    yield whole.resolve() if begun == whole else begun.resolve() / "x"
    try:
        yield from {file.resolve().parent / "x" for file in source.find().files}
    except SourceError:
        return
