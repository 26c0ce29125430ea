"""Game day: the whole chain rehearsed in a staging home of its own, hop by hop, each with a deadline.

The incident is the simulated shop's bad release (``shop``). It goes through the real landing, classifier, decision,
planning, ticket, approval, act, verification and undoing. The playbook is the installation's own, with approvals asked
for and with staging targets: ``NAME-staging`` stands in for target ``NAME``, and a ``local`` target is a file of the
game day's home. Any other production target is refused before anything is played.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import yaml

from dagster_project import lake
from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal
from dagster_project.automation.mitigation.approvals import Counted, Vote
from dagster_project.automation.mitigation.execution import Author
from dagster_project.automation.mitigation.export import export_plans
from dagster_project.automation.mitigation.mitigate import MitigationReport, Turn, mitigate
from dagster_project.automation.mitigation.plans import KIND, Plan
from dagster_project.automation.tickets.push import push
from dagster_project.decisioning.decide import decide
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.published import read_mart
from dagster_project.enrichment.labeling import label_new
from dagster_project.enrichment.takeover import take_over_model
from dagster_project.errors import ConfigurationError, FeedbackControlError, said_of
from dagster_project.files import write_text
from dagster_project.home import Home
from dagster_project.ingestion.landing import land
from dagster_project.ingestion.provenance import sources_of
from dagster_project.simulation import controls
from dagster_project.simulation.shop.shop import ShopTruth, play_on, read_shop, write_shop
from dagster_project.simulation.shop.story import PRODUCT, Story

Progress = Callable[[str], None]

DAYS = 56
APPROVERS = ("game-day-1", "game-day-2")
_ISSUE, _PLATFORM, _VERSION = "checkout_failure", "android", "5.2.0"
_TWIN = "-staging"
_PLAYED_HOURS = 12


class MissedError(FeedbackControlError):
    """A hop was not reached."""


@dataclass(frozen=True)
class Hop:
    """One hop of the chain: what was expected, what was seen, and by what; ``took`` and ``limit`` are seconds."""

    name: str
    expected: str
    actual: str
    evidence: str
    passed: bool
    took: float
    limit: float


@dataclass
class GameDay:
    """One rehearsal in a new staging home."""

    home: Home
    playbook: Home
    now: datetime
    progress: Progress
    hops: list[Hop] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A day is left to play on; the decision sees nothing of the future.
        self.present = self.now.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
        self._began = time.monotonic()
        self.shop: ShopTruth | None = None
        self.plan: Plan | None = None
        self.control_before: Mapping[str, Any] = {}

    @property
    def passed(self) -> bool:
        """True if every hop was reached in time."""
        return all(hop.passed for hop in self.hops)

    # ---------- hops that every scenario has

    def set_up(self) -> None:
        """Make the home with its playbook, control system and shop.

        Raises:
            ConfigurationError: a target of the playbook is for production, and has no staging twin.
        """
        text = staging_playbook(self.playbook)
        self.home.marked("staging")
        write_text(self.home.root / "playbook.yml", text)
        self.progress("simulating the shop and its bad release")
        self.shop = write_shop(self._folder, until=self.present, days=DAYS)
        controls.set_up(self.home, Story.ending(self.present, DAYS))
        self.control_before = self.control()
        take_over_model(self.home, self.progress)

    def receive(self) -> None:
        """Land the exports, and label them."""
        with self.hop("received", "every row of the exports is in the lake", 300) as seen:
            rows = self._landed()
            seen(f"{rows} rows of feedback", "lake/feedback")
        with self.hop("labelled", "every piece of feedback has a label", 900) as seen:
            label_new(self.home, progress=self.progress)
            labels = lake.scan(self.home, "labels").select("feedback_id").unique().collect().height
            expect(labels >= rows, f"{labels} of {rows}")
            seen(f"{labels} labels", "lake/labels")

    def decide(self, as_of: datetime | None = None) -> None:
        """Decide as of the shop's present."""
        decide(self.home, as_of=as_of or self.present, progress=self.progress)

    def find_issue(self) -> str:
        """The issue of the bad release."""
        with self.hop("issue", f"{_ISSUE} on {_PLATFORM} {_VERSION} is open", 300) as seen:
            self.decide()
            columns = ("issue_id", "issue_type", "suspect_version", "status", "priority", "product")
            rows = [row for row in read_mart(self.home, "fct_issues", columns).iter_rows(named=True)]
            wanted = (_ISSUE, _VERSION, "open", PRODUCT)
            named = ("issue_type", "suspect_version", "status", "product")
            found = [row for row in rows if tuple(row[name] for name in named) == wanted]
            expect(bool(found), f"{len(rows)} issues, none of it")
            seen(f"{found[0]['priority']} {found[0]['issue_id']}", "fct_issues")
        return str(found[0]["issue_id"]) if found else ""

    def find_plan(self, issue_id: str) -> Plan | None:
        """The plan for the issue."""
        with self.hop("plan", "one plan waits for an approval, its pre-flights are clear", 120) as seen:
            report = self.mitigate()
            plans = [Plan.of(one) for one in self.proposals() if one.subject_id == issue_id]
            expect(len(plans) == 1, f"{len(plans)} plans; {'; '.join(report.problems) or 'no problem was told'}")
            expect(plans[0].is_clear, "; ".join(one.answer for one in plans[0].preflights if one.passed is False))
            self.plan = plans[0]
            seen(f"{self.plan.short_id}: {self.plan.title}", "ledger, lake/plan_events")
        return self.plan

    def find_ticket(self, issue_id: str) -> None:
        """The ticket, which shows the plan."""
        with self.hop("ticket", "the local tracker has it, with the plan's hash", 120) as seen:
            push(self.home, now=self.present, destinations=load_destinations(self.home), progress=self.progress)
            texts = {path.name: path.read_text(encoding="utf-8") for path in self.home.tickets.glob("FC-*.md")}
            found = [name for name, text in texts.items() if issue_id in text]
            expect(len(found) == 1, f"{len(found)} tickets name the issue")
            if self.plan:
                expect(self.plan.short_id in texts[found[0]], f"{found[0]} does not name plan {self.plan.short_id}")
            seen(found[0], str(self.home.tickets))

    def approve(self, expected: str = "in_force") -> None:
        """People approve, with personal tokens; the act follows at once."""
        with self.hop("approval and act", f"the plan is {expected.replace('_', ' ')} after it", 60) as seen:
            state = "no plan"
            for person in APPROVERS:
                counted = self.vote(person)
                state = str(counted.proposal.state) if counted.proposal else counted.said
                if state != "proposed":
                    break
            expect(state == expected, state)
            seen(state, "ledger")

    def effect_is_seen(self) -> None:
        """The control system, read as the shop reads it."""
        with self.hop("effect", "the control system, read as the application reads it, has the state", 10) as seen:
            now = self.control()
            expect(now != self.control_before, "nothing changed")
            lines = controls.changes(read_shop(self._folder)[0].story, now)
            seen("; ".join(lines), str(self.home.control))

    def verify(self) -> None:
        """The hours after the act: complaints and errors are back."""
        with self.hop("verified", f"after {_PLAYED_HOURS} hours the act is judged effective", 900) as seen:
            self.play(_PLAYED_HOURS)
            self.mitigate()
            (row,) = self._effects()
            expect(row["effect"] == "effective", str(row["effect"]))
            names = ("count_before", "exposure_before", "count_after", "exposure_after")
            before, all_before, after, all_after = (row[name] or 0 for name in names)
            said = f"{before:g} of {all_before:g} before, {after:g} of {all_after:g} after"
            seen(f"{row['effect_metric']}: {said}", "fct_mitigations")
        with self.hop("trend back", "nearer to the usual than to an unchanged failure", 1) as seen:
            after, usual, unchanged = (row[name] for name in ("count_after", "usual_after", "unchanged_after"))
            said = f"{after:g}; usual {usual:.1f}, unchanged {unchanged:.1f}"
            expect(abs(after - usual) < abs(unchanged - after), said)
            seen(said, "fct_mitigations")

    def undo(self) -> None:
        """The rollback of the rollback: the very state before."""
        with self.hop("undone", "the control system is as it was before, word for word", 60) as seen:
            (proposal,) = [one for one in self.proposals() if self.plan and one.proposal_id == self.plan.plan_id]
            with self._turn() as turn:
                after = turn.undo(proposal, Author(APPROVERS[0], "game day"))
            expect(after.state == "undone", f"{after.state}: {after.reason}")
            expect(self.control() == self.control_before, "it differs")
            seen("undone", str(self.home.control))

    def nothing_acts(self, why: str) -> None:
        """No plan is in force, and the control system is as it was."""
        with self.hop("nothing acts", why, 300) as seen:
            self.mitigate()
            acted = [one.proposal_id[:8] for one in self.proposals() if one.applied]
            expect(not acted, f"acted: {', '.join(acted)}")
            with suppress(FileNotFoundError):
                expect(self.control() == self.control_before, "the control system changed")
            seen(f"{len(self.proposals())} plans, none in force", "ledger")

    # ---------- the pieces

    def play(self, hours: int) -> None:
        """Play the shop on under its control system, land, label and decide."""
        played, _ = read_shop(self._folder)
        self.shop = play_on(self._folder, hours, controls.state_of(self.home, played.story))
        self.present, self._began = self.shop.until, time.monotonic()
        self._landed()
        label_new(self.home, progress=self.progress)
        self.decide()

    def clock(self) -> datetime:
        """The shop's present, and the time that the rehearsal has taken since."""
        return self.present + timedelta(seconds=time.monotonic() - self._began)

    def mitigate(self, later: timedelta = timedelta()) -> MitigationReport:
        """One mitigation turn at the shop's present."""
        return mitigate(self.home, now=self.clock() + later, progress=self.progress)

    def vote(self, person: str) -> Counted:
        """One person's vote for the plan."""
        expect(self.plan is not None, "there is no plan to approve")
        assert self.plan is not None
        with self._turn() as turn:
            return turn.cast(Vote(True, self.plan.short_id, person, "game day", "rehearsal"))

    def proposals(self) -> list[Proposal]:
        """Every plan of the game day."""
        return self.ledger.proposals.all(KIND)

    def events(self) -> list[str]:
        """What happened to the plan."""
        return [one.event for one in self.ledger.proposals.events(self.plan.plan_id)] if self.plan else []

    def control(self) -> Mapping[str, Any]:
        """The control system as it is."""
        content: Mapping[str, Any] = yaml.safe_load(self.home.control.read_text(encoding="utf-8"))
        return content

    @property
    def ledger(self) -> Ledger:
        """The ledger of the game day's home."""
        return Ledger.of(self.home, now=self.clock())

    @property
    def _folder(self) -> Any:
        return self.home.root / "game_day"

    def _landed(self) -> int:
        assert self.shop is not None
        land(self.home, sources_of(self.home, self.shop.sources), now=self.now, progress=self.progress)
        feedback = lake.scan(self.home, "feedback").select("feedback_id").unique().collect().height
        expect(feedback == self.shop.rows["feedback"], f"{feedback} of {self.shop.rows['feedback']} rows of feedback")
        return feedback

    def _effects(self) -> list[dict[str, Any]]:
        columns = ("plan_id", "effect", "effect_metric", "count_before", "exposure_before", "count_after")
        more = ("exposure_after", "unchanged_after", "usual_after")
        rows = read_mart(self.home, "fct_mitigations", (*columns, *more)).iter_rows(named=True)
        found = [row for row in rows if self.plan and row["plan_id"] == self.plan.plan_id]
        expect(len(found) == 1, f"{len(found)} rows of the plan in fct_mitigations")
        return found

    @contextmanager
    def _turn(self) -> Iterator[Turn]:
        turn = Turn(self.home, self.ledger, load_playbook(self.home.playbook), self.clock(), self.progress)
        try:
            yield turn
        finally:
            turn.close()
            export_plans(self.home, self.ledger)

    @contextmanager
    def hop(self, name: str, expected: str, limit: float) -> Iterator[Callable[[str, str], None]]:
        """A hop, which is missed if it raises or takes too long; what follows a missed hop is not tried."""
        began, told = time.monotonic(), ["", ""]

        def seen(actual: str, evidence: str) -> None:
            told[:] = [actual, evidence]

        self.progress(f"hop {name}: {expected}")
        missed = ""
        try:
            yield seen
        except Exception as error:
            missed = said_of(error)
        took = time.monotonic() - began
        late = "" if took <= limit else f"; took {took:.0f} s"
        self.hops.append(Hop(name, expected, (missed or told[0]) + late, told[1], not missed and not late, took, limit))
        if missed:
            raise MissedError(f"hop {name}: {missed}")


def expect(holds: bool, otherwise: str) -> None:
    """Miss the hop unless something holds."""
    if not holds:
        raise MissedError(otherwise)


def staging_playbook(home: Home) -> str:
    """The playbook of a home as a game day plays it: staging targets, approvals asked for, two approvers.

    Raises:
        ConfigurationError: a target that a mitigation uses is for production, and has no staging twin.
    """
    load_playbook(home.playbook)
    content = yaml.safe_load(home.playbook.read_text(encoding="utf-8"))
    targets = content.get("targets") or {}
    for name, mitigation in (content.get("mitigations") or {}).items():
        mitigation["do"]["target"] = _staging(targets, mitigation["do"]["target"], name)
        mitigation["mode"] = "approve"
    used = {one["do"]["target"] for one in (content.get("mitigations") or {}).values()}
    content["targets"] = {name: targets[name] for name in sorted(used)}
    content["approvers"] = {name: {} for name in APPROVERS}
    return yaml.safe_dump(content, sort_keys=False)


def _staging(targets: Mapping[str, Any], name: str, mitigation: str) -> str:
    twin = name if name.endswith(_TWIN) else f"{name}{_TWIN}"
    if twin in targets and targets[twin].get("environment") == "staging":
        return twin
    if targets[name].get("environment") == "staging" or targets[name]["kind"] == "local":
        return name
    raise ConfigurationError(
        f"mitigations.{mitigation} acts on target {name}, which is for production: a game day refuses it. Add a target"
        f" {twin} with `environment: staging` to the playbook"
    )
