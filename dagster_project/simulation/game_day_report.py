"""Report of game days: one page per rehearsal, and the list of all, by which a check knows what was rehearsed when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from dagster_project.files import write_text
from dagster_project.rehearsed import HISTORY, rehearsals
from dagster_project.simulation.game_day import GameDay


def write_report(folder: Path, day: GameDay, scenario: str, planted: str, began: datetime) -> Path:
    """Write the page of a rehearsal, and add it to the list; returns the page."""
    entry = {
        "began_at": began.isoformat(),
        "scenario": scenario,
        "planted": planted,
        "passed": day.passed,
        "mitigation": day.plan.mitigation if day.plan else None,
        "hops": [asdict(hop) for hop in day.hops],
    }
    past = rehearsals(folder)
    write_text(folder / HISTORY, "".join(json.dumps(one) + "\n" for one in [*past, entry]))
    page = folder / f"{began:%Y%m%dT%H%M%SZ}-{scenario}{'-' + planted if planted else ''}.md"
    text = "\n".join(_lines(day, scenario, planted, began, past)) + "\n"
    write_text(page, text.replace(str(day.home.root), "HOME"))
    return page


def _lines(day: GameDay, scenario: str, planted: str, began: datetime, past: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f"# Game day: {scenario}{f', with {planted} planted' if planted else ''}"
    yield ""
    ended = "Every hop was reached." if day.passed else "Failed."
    yield f"{began:%Y-%m-%d %H:%M} UTC, in {day.home.root.name}. {ended}"
    yield ""
    yield "| hop | reached | expected | actual | evidence | seconds | at most |"
    yield "| --- | --- | --- | --- | --- | ---: | ---: |"
    for hop in day.hops:
        cells = (hop.name, "yes" if hop.passed else "no", hop.expected, hop.actual, hop.evidence)
        shown = (" ".join(one.replace("|", "/").split()) for one in cells)
        yield f"| {' | '.join(shown)} | {hop.took:.0f} | {hop.limit:.0f} |"
    earlier = [one for one in past if one["scenario"] == scenario][-10:]
    if earlier:
        yield from ("", "## Before", "", "| when | passed | hops reached | seconds |", "| --- | --- | ---: | ---: |")
        for one in earlier:
            hops = one["hops"]
            seconds, reached = sum(hop["took"] for hop in hops), sum(hop["passed"] for hop in hops)
            yield f"| {one['began_at'][:16]} | {'yes' if one['passed'] else 'no'} | {reached} | {seconds:.0f} |"
