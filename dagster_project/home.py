"""State folder of one installation: every path under ``$FEEDBACK_HOME``, named once.

The lake holds landed Parquet, the warehouse is the DuckDB file that dbt writes, ``published`` is the copy that people
and the automation read, the ledger records every outbound write. Nothing else in the package spells such a path.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from dagster_project.errors import ConfigurationError
from dagster_project.home_kind import REHEARSALS, VIEWS, Kind, Marker, kind_of, mark
from models_ml.files import write_folder
from models_ml.golden import GOLDEN

REPOSITORY = Path(__file__).resolve().parents[1]
DBT_PROJECT = REPOSITORY / "dbt_project"
PLAYBOOK = REPOSITORY / "playbook.yml"
DEFAULT_HOME, DEMO_HOME = ".feedback-control", ".feedback-control-demo"

_SPECIAL = frozenset('*?[]#;"')


@dataclass(frozen=True)
class Home:
    """The folder of one installation; ``Home.locate()`` finds it, its properties are the paths inside."""

    root: Path

    @classmethod
    def locate(cls, root: str | Path | None = None) -> Home:
        """The given folder, else ``$FEEDBACK_HOME``, else ``.feedback-control`` in the working directory."""
        chosen = root or os.environ.get("FEEDBACK_HOME") or DEFAULT_HOME
        path = Path(chosen).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise ConfigurationError(f"home {path} is a file; give --home a folder")
        if special := _SPECIAL.intersection(str(path)):
            raise ConfigurationError(
                f"home {path} has {' and '.join(sorted(special))} in its path, which DuckDB, dbt or Polars take for a"
                " pattern or for the parts of an address; give --home another folder"
            )
        return cls(path)

    @property
    def kind(self) -> Kind:
        """Production, staging, demo or replay (``home_kind``)."""
        return kind_of(self.root)

    @property
    def is_rehearsal(self) -> bool:
        """True for a demo and for a replay: nothing leaves the home."""
        return self.kind in REHEARSALS

    @property
    def marker(self) -> Marker:
        """Kind, id and age of the home; its marker file is written if it has none."""
        return mark(self.root)

    def marked(self, kind: Kind | None = None) -> Home:
        """This home with its marker file; a new home becomes one of the given kind, else production."""
        mark(self.root, kind)
        return self

    def view(self, as_of: datetime) -> Home:
        """The home of a view: decisions as of a past instant, apart from what is published (``views``)."""
        return Home(self.root / VIEWS / f"{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}")

    @property
    def lake(self) -> Path:
        """Landed tables: ``lake/<table>/ingest_date=YYYY-MM-DD/*.parquet``."""
        return self.root / "lake"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt writes; only dbt opens it."""
        return self.root / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The read-only copy of the warehouse, swapped atomically after each build."""
        return self.root / "published" / "warehouse.duckdb"

    @property
    def models(self) -> Path:
        """Trained classifiers, one folder per content hash."""
        return self.root / "models"

    @property
    def golden(self) -> Path:
        """The golden set that models are trained and judged by: ``$FEEDBACK_GOLDEN``, the home's own, or ours.

        A demo reads no ``$FEEDBACK_GOLDEN``.
        """
        # What people teach a demo stays in it.
        named = None if self.kind == "demo" else os.environ.get("FEEDBACK_GOLDEN")
        own = self.root / "golden"
        return Path(named).expanduser().absolute() if named else own if own.is_dir() else GOLDEN

    def own_golden(self) -> Path:
        """A writable golden set: the packaged one is copied to the home first."""
        if self.golden == GOLDEN:
            with write_folder(self.root / "golden") as copy:
                shutil.copytree(GOLDEN, copy, ignore=shutil.ignore_patterns("*.py*", "__pycache__"), dirs_exist_ok=True)
        return self.golden

    @property
    def playbook(self) -> Path:
        """The playbook: the home's own ``playbook.yml``, else the packaged one."""
        own = self.root / "playbook.yml"
        return own if own.is_file() else PLAYBOOK

    @property
    def outbound(self) -> Path:
        """The outbound rows of the last turn as JSON Lines, byte-equal for equal inputs."""
        return self.root / "outbound"

    @property
    def events(self) -> Path:
        """Events about issues and tickets, if an event sink is set: CloudEvents, one per line, append-only."""
        return self.outbound / "events.jsonl"

    @property
    def tickets(self) -> Path:
        """The embedded local tracker: one Markdown file per ticket."""
        return self.root / "tickets"

    @property
    def control(self) -> Path:
        """The embedded control system: flags, traffic weights and releases, which an application obeys."""
        return self.root / "control.json"

    @property
    def reports(self) -> Path:
        """Pages for people."""
        return self.root / "reports"

    def sources(self, chosen: str | Path | None = None) -> Path:
        """The file that lists the sources: the given one, ``$FEEDBACK_SOURCES``, the home's own, or a demo's.

        Raises:
            ConfigurationError: there is no such file.
        """
        named = chosen or os.environ.get("FEEDBACK_SOURCES")
        own = self.root / ("demo/sources.yml" if self.kind == "demo" else "sources.yml")
        path = (Path(named) if named else own).expanduser().absolute()
        if not path.is_file():
            raise ConfigurationError(
                f"no sources at {path}; write one (docs/sources.md shows how), or name it with --sources"
            )
        return path

    @property
    def dagster(self) -> Path:
        """The Dagster instance (``$DAGSTER_HOME``)."""
        return self.root / "dagster"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger: ``$FEEDBACK_LEDGER_URL``, else (and in every rehearsal) the home's own file."""
        named = "" if self.is_rehearsal else os.environ.get("FEEDBACK_LEDGER_URL", "")
        return named or f"sqlite:///{quote(str(self.root / 'ledger.sqlite'))}"  # a ? would end the path

    @property
    def ledger_head(self) -> Path:
        """The head of the ledger's audit log, kept outside its database: shows a database that was put back."""
        return self.root / "ledger.head"


def parse_instant(text: str) -> datetime:
    """An instant from ISO 8601 text; a bare date is midnight, and a missing offset means UTC.

    Raises:
        ConfigurationError: the text is not an ISO 8601 date or instant.
    """
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset may lead out of the years 1 to 9999
        raise ConfigurationError(f"'{text}' is not an instant; write 2026-01-31 or 2026-01-31T14:00:00Z") from None
