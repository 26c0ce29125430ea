"""A person with an editor, in the folder of the embedded tracker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from tests.automation.support import NOW


@dataclass
class Folder:
    """The embedded tracker's files, and somebody with an editor."""

    root: Path
    now: datetime = NOW

    def act(self, what: str, value: str = "", *, by: str = "jo", number: int = 1) -> None:
        """Change a file as a person does."""
        path = self.root / f"FC-{number}.md"
        text = path.read_text(encoding="utf-8")
        if what == "comment":
            path.write_text(f"{text}\n{value}\n", encoding="utf-8")
            return
        words = {"resolve": "done", "reject": "not a bug", "reopen": "open"}
        name = {"assign": "assignee", "priority": "priority"}.get(what, "status")
        matter = yaml.safe_load(text.split("---\n")[1]) | {name: words.get(what, value), "by": by}
        _, _, rest = text.partition("\n---\n")
        path.write_text(f"---\n{yaml.safe_dump(matter, sort_keys=False)}---\n{rest}", encoding="utf-8")
