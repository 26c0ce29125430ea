"""The published copy of the warehouse: how it is made, and the one read path to it.

After each build the warehouse is copied and swapped in atomically as ``published/warehouse.duckdb``. Analysts, the
automation and the pages read that copy; they never wait for a build, and a build never waits for them. ``read_mart``
gives a mart as a polars frame; filters and joins are polars expressions, so no other module speaks DuckDB. The outbound
marts are exported as JSON Lines, ordered and byte-equal for equal inputs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from dagster_project.clock import SKEW
from dagster_project.errors import ConfigurationError, DecisionError
from dagster_project.files import locked, set_aside, tell_repair, write_atomically, write_text
from dagster_project.home import Home

Progress = Callable[[str], None]
Wanted = Mapping[str, object | Sequence[object] | pl.Series]
"""By column, the value that a row must have, or the values that it may have."""


class BrokenWarehouseError(DecisionError):
    """A database file is damaged, or of a DuckDB that this one cannot read; a build of everything replaces it."""


OUTBOUND = ("out_tickets", "out_mitigations")
"""The outbound marts, exported after every build under their own names."""


@dataclass(frozen=True)
class DecisionReport:
    """Summary of one build: issues by status, open ones tied to a release, and rows per outbound mart."""

    issues_open: int
    issues_resolved: int
    regressions: int
    outbound: dict[str, int]


def writing(home: Home, progress: Progress = lambda _: None) -> AbstractContextManager[None]:
    """The lock of the warehouse: a build, and the copying of what it built, hold it; readers never do.

    Whoever builds and publishes holds it around both, so that what is published is what was built.
    """
    return locked(home.warehouse.with_suffix(".lock"), progress)


def publish(home: Home, *, progress: Progress = lambda _: None) -> DecisionReport:
    """Swap in a fresh read-only copy of the warehouse, and export the outbound marts.

    Raises:
        ConfigurationError: the warehouse was built as of an earlier instant than what is published.
        DecisionError: a dbt that was started by hand is writing the warehouse.
    """
    with writing(home, progress):
        _refuse_earlier(home)
        write_atomically(home.published, lambda copy: _copy_warehouse(home, copy))
        return _exported(home, progress)


def ensure_published(home: Home, progress: Progress = lambda _: None) -> DecisionReport:
    """Publish the last build unless that is done; a copy that cannot be read is replaced, exports are mended."""
    with writing(home, progress):
        if _is_published(home):
            with suppress(DecisionError):
                return _exported(home, progress)
        return publish(home, progress=progress)


def _is_published(home: Home) -> bool:
    """True if the published copy is as new as the last build."""
    if not (home.warehouse.exists() and home.published.exists()):
        return False
    return home.published.stat().st_mtime_ns >= home.warehouse.stat().st_mtime_ns


def _exported(home: Home, progress: Progress) -> DecisionReport:
    """Export the outbound marts of the published decision, and sum it up."""
    outbound = {mart: _export(home, mart) for mart in OUTBOUND}
    issues = read_mart(home, "fct_issues", ["status", "verdict"])
    is_open = pl.col("status") == "open"
    counts = issues.select(
        issues_open=is_open.sum(),
        issues_resolved=(pl.col("status") == "resolved").sum(),
        regressions=(is_open & (pl.col("verdict") == "regression")).sum(),
    ).row(0, named=True)
    progress(f"decided: {counts['issues_open']} open issues, {counts['regressions']} tied to a release")
    return DecisionReport(outbound=outbound, **counts)


def as_of_of_queue(home: Home) -> datetime | None:
    """As-of instant of the published queue; None where nothing is published, or the queue is empty."""
    return _as_of(home.published)


def present_of(home: Home, now: datetime) -> datetime:
    """The present of a home's plans: in a rehearsal that of its queue, which may be days ago; else now.

    A decision sees nothing later than its as-of, so what is done about it there has to happen then.
    """
    return (home.is_rehearsal and as_of_of_queue(home)) or now


def _as_of(database: Path) -> datetime | None:
    """As-of instant of the outbound rows in a database."""
    if not database.exists():
        return None
    try:
        latest = _read(database, OUTBOUND[0], ["as_of"], None)["as_of"].max()
    except (duckdb.Error, BrokenWarehouseError):  # another version's, or damaged: whoever reads more of it says so
        return None
    return latest.replace(tzinfo=UTC) if isinstance(latest, datetime) else None


def _refuse_earlier(home: Home) -> None:
    """Keep the past from replacing the present: a build as of an earlier instant is not published.

    An instant in the future is no present: the run that published it had its clock ahead.
    """
    if home.is_rehearsal:
        return
    built, published = _as_of(home.warehouse), _as_of(home.published)
    if built and published and built < published <= datetime.now(UTC) + SKEW:
        raise ConfigurationError(
            f"{home.warehouse} was built as of {built:%Y-%m-%d %H:%M} UTC, before what is published"
            f" ({published:%Y-%m-%d %H:%M}); `{_run(home)}` builds it anew, `--as-of` keeps the past in a view"
        )


def read_mart(
    home: Home, mart: str, columns: Sequence[str] | None = None, *, where: Wanted | None = None
) -> pl.DataFrame:
    """Rows of a mart as last published, in no particular order.

    Args:
        home: the installation.
        mart: the model's name.
        columns: the columns to read; None means all.
        where: values that columns must have: only such rows are read from the file; any other filter is polars'.

    Raises:
        ConfigurationError: nothing has been published yet.
        DecisionError: the published copy has no such mart or column; it was made by another version.
    """
    if not home.published.exists():
        raise ConfigurationError(f"no decisions in {home.root} yet; run `{_run(home)}` first")
    try:
        return _read(home.published, mart, columns, where)
    except (duckdb.CatalogException, duckdb.BinderException, BrokenWarehouseError) as error:
        reason = str(error).splitlines()[0].removeprefix(f"{home.published} ")
        raise DecisionError(f"{home.published}: {reason}; build it anew with `{_run(home)}`") from None


def mend_published(home: Home) -> None:
    """Set a broken published copy aside, before something reads it that comes before the next build.

    It is looked at by a mart that is read as a whole; the build publishes anew in any case. A copy that lacks the mart
    is another version's, and no damage.
    """
    if not home.published.exists():
        return
    try:
        _read(home.published, "fct_issues", None, None)
    except (duckdb.CatalogException, duckdb.BinderException):
        return
    except BrokenWarehouseError as error:
        place = set_aside(home.published, home.root / "broken" / "published")
        tell_repair(f"{error}: it is now {place}, and the next build publishes anew")


def read_built(home: Home, mart: str, columns: Sequence[str], *, where: Wanted | None = None) -> pl.DataFrame:
    """Rows of a model in the warehouse itself, which a build plans by; call it with the warehouse's lock held.

    Raises:
        BrokenWarehouseError: the file is damaged, or has no such model.
        DecisionError: a dbt that was started by hand is writing it.
    """
    try:
        return _read(home.warehouse, mart, columns, where)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise BrokenWarehouseError(f"{home.warehouse} is broken ({str(error).splitlines()[0]})") from None


def _read(database: Path, mart: str, columns: Sequence[str] | None, where: Wanted | None) -> pl.DataFrame:
    try:
        return _selected(database, mart, columns, where)
    except (duckdb.CatalogException, duckdb.BinderException):
        raise
    except duckdb.Error as error:
        raise _unreadable(database, error) from None


def _unreadable(database: Path, error: duckdb.Error) -> DecisionError:
    """The error about a database that cannot be read: in use by a dbt started by hand, not permitted, or broken."""
    reason = str(error).splitlines()[0]
    if "set lock" in reason:
        return DecisionError(f"cannot read {database} ({reason}); let the dbt that uses it finish")
    if "ermission denied" in reason:
        return DecisionError(f"cannot read {database} ({reason}); make it readable: chmod u+rw '{database}'")
    return BrokenWarehouseError(f"{database} is broken ({reason})")


def _selected(database: Path, mart: str, columns: Sequence[str] | None, where: Wanted | None) -> pl.DataFrame:
    chosen = ", ".join(_quoted(column) for column in columns) if columns else "*"
    conditions, values = ["true"], []
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for number, (column, value) in enumerate((where or {}).items()):
            if isinstance(value, pl.Series) or (isinstance(value, Sequence) and not isinstance(value, str)):
                # As a table, so that a hundred thousand ids are joined, not compared one by one.
                connection.register(f"wanted_{number}", pl.DataFrame({"value": value}))
                conditions.append(f"{_quoted(column)} in (select value from wanted_{number})")
            else:
                conditions.append(f"{_quoted(column)} = ?")
                values.append(value)
        query = f"select {chosen} from {_quoted(mart)} where {' and '.join(conditions)}"
        rows: pl.DataFrame = connection.sql(query, params=values).pl()
    return rows


def _run(home: Home) -> str:
    """The command that builds and publishes; the option stands before the command."""
    return f"feedback-control --home {home.root} run"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _copy_warehouse(home: Home, copy: Path) -> None:
    """Copy the file, and drop the views of the lake: they show only what the last build had to read."""
    log_left = home.warehouse.with_name(home.warehouse.name + ".wal").exists()
    with duckdb.connect() as connection:
        try:
            # DuckDB's own lock keeps a dbt that was started by hand from writing meanwhile.
            _attach(connection, home.warehouse, "built", read_only=not log_left)
        except duckdb.Error as error:
            raise _unreadable(home.warehouse, error) from None
        if log_left:
            connection.execute("checkpoint built")  # the last writer did not close the file
        shutil.copyfile(home.warehouse, copy)
        connection.execute("detach built")
        _attach(connection, copy, "copy", read_only=False)
        connection.execute("use copy")
        views = connection.execute(
            "select schema_name, view_name from duckdb_views()"
            " where database_name = 'copy' and starts_with(view_name, 'stg_')"
        ).fetchall()
        for schema, view in views:
            connection.execute(f"drop view if exists {_quoted(schema)}.{_quoted(view)} cascade")
        connection.execute("drop schema if exists lake cascade")
        connection.execute("use memory")
        connection.execute("detach copy")


def _attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool) -> None:
    literal = str(path).replace("'", "''")
    connection.execute(f"attach '{literal}' as {name} ({'read_only' if read_only else 'read_write'})")


def _export(home: Home, mart: str) -> int:
    """Number of rows exported; a file that holds them already stays as it is."""
    rows = read_mart(home, mart)
    ordered = rows.sort(rows.columns, nulls_last=True)
    lines = [
        json.dumps(row, default=_readable, sort_keys=True, ensure_ascii=False) + "\n"
        for row in ordered.iter_rows(named=True)
    ]
    file, text = home.outbound / f"{mart}.jsonl", "".join(lines)
    if not file.is_file() or file.read_bytes() != text.encode():
        write_text(file, text)
    return rows.height


def _readable(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    raise TypeError(f"an outbound column holds {type(value).__name__}, which has no JSON form")
