"""Rehearsals that were played: the list that each game day adds to, and what was not rehearsed lately."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HISTORY = "history.jsonl"
QUARTER = timedelta(days=92)


def rehearsals(folder: Path) -> list[dict[str, Any]]:
    """Every rehearsal in a folder of reports, oldest first; a line that is damaged is left out."""
    try:
        lines = (folder / HISTORY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def not_rehearsed(folder: Path, mitigations: Collection[str], now: datetime) -> list[str]:
    """Those of these mitigations that no game day has passed with in the last quarter."""
    lately = {
        one["mitigation"]
        for one in rehearsals(folder)
        if one["passed"] and datetime.fromisoformat(one["began_at"]) > now - QUARTER
    }
    return sorted(set(mitigations) - lately)
