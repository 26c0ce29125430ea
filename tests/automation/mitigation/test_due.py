"""Work due: a turn is asked for when there is something to do, and only then; a turn that failed is asked for again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta

import polars as pl
import pytest

from dagster_project import lake
from dagster_project.automation.ledger.proposals import Happening, ProposalState
from dagster_project.automation.mitigation.due import is_overdue, turn_due
from dagster_project.automation.mitigation.mitigate import mitigate
from dagster_project.automation.mitigation.plans import Wanted
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.lake_tables import schema_of
from tests.automation.mitigation.support import FLAG, Stage


def publish(stage: Stage, wanted: Iterable[Wanted]) -> None:
    """Publish what the decision asks for, with its outbound rows."""
    rows = list(wanted)
    stage.decide(rows, issues={FLAG.issue_id: "open"})
    stage.home.outbound.mkdir(exist_ok=True)
    lines = "".join(json.dumps(asdict(one)) + "\n" for one in rows)
    (stage.home.outbound / "out_mitigations.jsonl").write_text(lines, encoding="utf-8")


def due(stage: Stage, **wait: float) -> str:
    """The reason for a turn, after a wait."""
    stage.now += timedelta(**wait)
    return turn_due(stage.home, stage.ledger, load_playbook(stage.home.playbook), stage.now)


def turn(stage: Stage) -> list[str]:
    """A whole turn; its problems."""
    return mitigate(stage.home, now=stage.now, ledger=stage.ledger).problems


@pytest.fixture
def decided(stage: Stage) -> Stage:
    """A stage whose decision was published and carried as far as it goes."""
    assert due(stage) == ""
    publish(stage, [FLAG])
    assert due(stage) == "no turn is complete yet, or the last one stopped"
    assert turn(stage) == []
    return stage


def test_a_turn_is_due_once_for_each_decision(decided: Stage) -> None:
    assert due(decided, minutes=1) == ""
    publish(decided, [replace(FLAG, priority="P2")])
    assert due(decided) == "the decision asks for something else"
    assert turn(decided) == []
    assert due(decided) == ""


def test_reminders_and_the_expiry_of_a_plan_are_due_at_their_time(decided: Stage) -> None:
    assert due(decided, minutes=29) == ""
    assert due(decided, minutes=2).endswith("people are to be reminded")
    turn(decided)
    assert decided.events() == ["proposed", "reminded"]
    assert due(decided) == ""
    assert due(decided, hours=8).endswith("it expires")
    turn(decided)
    assert decided.states()[0] == "expired"


def test_what_is_held_is_read_again_every_five_minutes(decided: Stage) -> None:
    decided.vote("dana")
    turn(decided)
    assert due(decided, minutes=4) == ""
    assert due(decided, minutes=1).endswith("what it holds is to be read again")
    turn(decided)
    assert due(decided) == ""


def test_a_turn_that_failed_in_part_is_due_again(decided: Stage) -> None:
    decided.vote("dana")
    decided.home.control.write_text("{", encoding="utf-8")
    assert turn(decided)
    assert due(decided) == "no turn is complete yet, or the last one stopped"


def test_a_turn_that_died_is_due_again(decided: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("dagster_project.automation.mitigation.mitigate.export_plans", killed)
        turn(decided)
    assert due(decided) == "no turn is complete yet, or the last one stopped"


def test_an_act_that_was_begun_and_left_is_due_at_once(decided: Stage) -> None:
    (plan,) = decided.proposals()
    proposals = decided.ledger.proposals
    approved = proposals.move(plan, ProposalState.APPROVED, Happening("approved", decided.now, "dana", "cli"))
    assert approved
    assert due(decided, minutes=4) == ""
    assert due(decided, minutes=1).endswith("it is approved and waits for its act")
    decided.ledger.switch.stop("kim", "freeze", decided.now)
    assert due(decided) == ""  # nothing could be done
    decided.ledger.switch.resume("kim", "", decided.now)
    proposals.begin(approved, Happening("begun", decided.now))
    assert due(decided).endswith("an act is under way")


def test_a_vote_in_a_comment_is_due_until_a_turn_has_counted_it(decided: Stage) -> None:
    for number, said in enumerate(("looks bad", f"/approve {decided.plans()[0].short_id} checked")):
        row = {
            **dict.fromkeys(schema_of("ticket_events")),
            "event_id": f"c{number}",
            "issue_id": FLAG.issue_id,
            "destination": "local",
            "event": "comment",
            "actor": "dana",
            "value": said,
            "occurred_at": decided.now,
            "known_at": decided.now + timedelta(seconds=30),
        }
        lake.append(decided.home, "ticket_events", pl.DataFrame([row], schema=schema_of("ticket_events")))
        assert due(decided, minutes=number) == ("a vote has arrived" if number else "")
    turn(decided)
    assert decided.states() == ["in_force"]
    assert due(decided) == ""


def test_a_turn_comes_once_a_day_without_any_work(stage: Stage) -> None:
    publish(stage, [])
    turn(stage)
    assert due(stage, hours=23) == ""
    assert due(stage, hours=1) == "a day has passed"


def test_a_plan_is_overdue_once_everybody_was_asked(decided: Stage) -> None:
    (plan,) = decided.proposals()
    playbook = load_playbook(decided.home.playbook)
    assert not is_overdue(plan, playbook, decided.now + timedelta(minutes=89))  # 60 for dana, then 30 for kim
    assert is_overdue(plan, playbook, plan.created_at + timedelta(minutes=90))
    held = replace(plan, state=ProposalState.IN_FORCE)
    assert not is_overdue(held, playbook, decided.now + timedelta(days=9))
    stuck = replace(plan, state=ProposalState.APPLYING)
    assert is_overdue(stuck, playbook, plan.updated_at + timedelta(hours=1))
