"""Stage of the mitigation tests: a home, its playbook, a local control system, and what the decision asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal
from dagster_project.automation.mitigation.approvals import Counted, Vote
from dagster_project.automation.mitigation.execution import Author
from dagster_project.automation.mitigation.mitigate import MitigationReport, Turn
from dagster_project.automation.mitigation.plans import Plan, Wanted
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.files import write_atomically, write_json
from dagster_project.home import PLAYBOOK, Home
from tests.automation.support import NOW, create_mitigation_marts

FLAG = Wanted(
    issue_id="ISS-1",
    mitigation="flag-off",
    tier=1,
    target="control",
    item="flags/new-checkout",
    desired='{"enabled":false}',
    mode="approve",
    critical=False,
    product="shop",
    issue_type="checkout_failure",
    owner="team-checkout",
    priority="P1",
    verdict="regression",
    signals=3,
    summary="Checkout fails.",
    issue_status="open",
    undo="person",
    verify_metric="errors",
    verify_minutes=60,
    rollback_supported=True,
    confidence=0.95,
    suspect_kind="flag",
    suspect_release_id="new-checkout",
    suspect_flag="new-checkout",
)

ROLLBACK = replace(
    FLAG,
    mitigation="release-rollback",
    tier=3,
    item="releases/android",
    desired='{"version":"5.1.0"}',
    suspect_kind="release",
    suspect_release_id="r-52",
    suspect_version="5.2.0",
    previous_version="5.1.0",
    suspect_flag=None,
)

CONTROL: dict[str, dict[str, Any]] = {
    "flags": {"new-checkout": {"enabled": True, "rollout": 50}, "payment-fallback": {"enabled": False}},
    "traffic": {"checkout": {"weights": {"stable": 90, "canary": 10}}},
    "releases": {"android": {"version": "5.2.0", "halted": False}},
}


@dataclass
class Stage:
    """A home in which mitigations can be played, with one clock."""

    home: Home
    now: datetime = NOW
    said: list[str] = field(default_factory=list)

    @classmethod
    def set_up(cls, home: Home, wanted: Iterable[Wanted] = (FLAG,)) -> Stage:
        """A stage with approvers dana and kim."""
        stage = cls(home)
        stage.write_playbook()
        write_json(home.control, CONTROL)
        stage.decide(wanted)
        return stage

    def write_playbook(self, **changes: Any) -> None:
        """The packaged playbook with approvers, and these settings instead of its own."""
        content = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
        content["approvers"] = {name: {"accounts": {"local": name, "github": f"{name}-gh"}} for name in ("dana", "kim")}
        (self.home.root / "playbook.yml").write_text(yaml.safe_dump({**content, **changes}), encoding="utf-8")

    def decide(
        self,
        wanted: Iterable[Wanted],
        *,
        effects: Mapping[str, str] | None = None,
        issues: Mapping[str, str] | None = None,
    ) -> None:
        """Publish what the decision asks for, the effects of plans, and the status of issues."""
        rows = list(wanted)
        states = {one.issue_id: "open" for one in rows} | dict(issues or {})
        with TemporaryDirectory() as folder:
            path = Path(folder) / "warehouse.duckdb"
            with duckdb.connect(str(path)) as connection:
                create_mitigation_marts(connection)
                for one in rows:
                    values = [getattr(one, each.name) for each in fields(Wanted)]
                    marks = ", ".join("?" for _ in values)
                    connection.execute(f"insert into out_mitigations values ({marks}, now())", values)
                for item in states.items():
                    connection.execute("insert into fct_issues values (?, ?)", list(item))
                for item in (effects or {}).items():
                    connection.execute("insert into fct_mitigations values (?, ?)", list(item))
            content = path.read_bytes()
        write_atomically(self.home.published, lambda file: file.write_bytes(content))

    @property
    def ledger(self) -> Ledger:
        """The home's ledger."""
        return Ledger.of(self.home, now=self.now)

    def turn(self) -> Turn:
        """A turn that has not run."""
        return Turn(self.home, self.ledger, load_playbook(self.home.playbook), self.now, self.said.append)

    def run(self, **wait: float) -> MitigationReport:
        """One turn, after a wait."""
        self.now += timedelta(**wait)
        return self.turn().run()

    def vote(self, person: str, prefix: str | None = None, *, approves: bool = True) -> Counted:
        """A person's vote on the command line."""
        cast = Vote(approves, prefix or self.plans()[-1].plan_id, person, "cli", "because")
        return self.turn().cast(cast)

    def undo(self, proposal: Proposal, person: str = "dana") -> Proposal:
        """A person's undo."""
        return self.turn().undo(proposal, Author(person, "cli"))

    def proposals(self) -> list[Proposal]:
        """Every proposal, oldest first."""
        return self.ledger.proposals.all("mitigation")

    def plans(self) -> list[Plan]:
        """Every plan, oldest first."""
        return [Plan.of(one) for one in self.proposals()]

    def states(self) -> list[str]:
        """The state of every plan."""
        return [one.state.value for one in self.proposals()]

    def events(self, number: int = -1) -> list[str]:
        """The events of one plan."""
        return [one.event for one in self.ledger.proposals.events(self.proposals()[number].proposal_id)]

    def control(self) -> dict[str, dict[str, Any]]:
        """The control system as it is."""
        content: dict[str, dict[str, Any]] = json.loads(self.home.control.read_text(encoding="utf-8"))
        return content

    def change(self, group: str, name: str, **state: Any) -> None:
        """A person changes the control system."""
        content = self.control()
        content[group][name] |= state
        write_json(self.home.control, content)
