"""Clock checks: which as-of is the present, and a jump of the machine's clock between two runs of a home.

A run far ahead of the last one, or before it, is refused unless it is forced: rows that it lands would be known at a
wrong instant, and stay hidden until then. ``HOME/clock.json`` holds the last run's clock. A forced run ahead counts
only once a second run agrees with it, so a run that returns to the true time needs no force. ``clock_repair`` then
mends what the run ahead left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from dagster_project.errors import ConfigurationError
from dagster_project.files import read_state, write_json
from dagster_project.home import Home

SKEW = timedelta(minutes=15)
"""Tolerated difference of two clocks; an as-of so close to now is the present."""

LONGEST_PAUSE = timedelta(days=31)
"""Longest time without a run that needs no ``--force``: machines are switched off for weeks, not for months."""

EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""No run can be older than this program: an earlier clock was reset."""


def is_past(home: Home, as_of: datetime | None, now: datetime) -> bool:
    """True if a decision as of this instant may be neither published nor sent; in a rehearsal no as-of is past.

    Raises:
        ConfigurationError: the instant lies in the future.
    """
    if as_of is None or home.kind == "replay":
        return False
    refuse_future(as_of, now)
    return not home.is_rehearsal and as_of < now - SKEW


def refuse_future(as_of: datetime, now: datetime) -> None:
    """Refuse an as-of in the future.

    Raises:
        ConfigurationError: the instant lies in the future.
    """
    if as_of > now + SKEW:
        raise ConfigurationError(
            f"as-of {as_of:%Y-%m-%d %H:%M} UTC lies in the future (it is {now:%Y-%m-%d %H:%M}); name a past instant"
        )


@dataclass(frozen=True)
class _Seen:
    """Clock of the last run that is believed, and that of a forced run ahead of it, which is not believed yet."""

    last: AwareDatetime
    ahead: AwareDatetime | None = None


def check_clock(home: Home, now: datetime, *, force: bool = False) -> None:
    """Compare the present with the home's last run, and remember it; a replay home may have been put aside for months.

    Raises:
        ConfigurationError: the clock jumped, and ``force`` is not set.
    """
    if home.kind == "replay":
        return
    if now < EARLIEST:
        raise ConfigurationError(f"the clock says {now:%Y-%m-%d %H:%M} UTC, before this program was made; set it")
    seen = _read(home)
    if seen is None:
        _remember(home, _Seen(now))
    elif now < seen.last - SKEW:
        if not force:
            raise ConfigurationError(_jumped(now, seen.last, "before"))
        _remember(home, _Seen(now))
    elif now > seen.last + LONGEST_PAUSE and not _agrees(seen.ahead, now):
        if not force:
            raise ConfigurationError(_jumped(now, seen.last, "after"))
        _remember(home, _Seen(seen.last, now))
    else:
        _remember(home, _Seen(max(seen.last, now)))


def _agrees(ahead: datetime | None, now: datetime) -> bool:
    return ahead is not None and ahead - SKEW <= now <= ahead + LONGEST_PAUSE


def _jumped(now: datetime, last: datetime, side: str) -> str:
    days = abs(now - last) / timedelta(days=1)
    return (
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, {days:.1f} days {side} the last run of this home"
        f" ({last:%Y-%m-%d %H:%M}); nothing was read or sent. Set the clock; if it is right, say so with"
        " `feedback-control run --force`"
    )


def _read(home: Home) -> _Seen | None:
    """The last run; None if there was none, or its note is damaged."""
    seen = read_state(_memory(home), _Seen, "the clock is compared with this run's from now on")
    # An instant before this program is no run's.
    return seen if seen and min(seen.last, seen.ahead or seen.last) >= EARLIEST else None


def _remember(home: Home, seen: _Seen) -> None:
    ahead = seen.ahead.isoformat() if seen.ahead else None
    write_json(_memory(home), {"last": seen.last.isoformat(), "ahead": ahead})


def _memory(home: Home) -> Path:
    return home.root / "clock.json"
