"""Votes by comments in tickets: what counts as a command, whose it is, and the whole way from the file to the act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dagster_project.automation.destinations import load_destinations
from dagster_project.automation.mitigation.approvals import votes_in, votes_of_comment
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import push
from tests.automation.mitigation.support import FLAG, Stage
from tests.automation.support import CHECKOUT, publish

HASH = "3fa9c2d1"


@pytest.mark.parametrize(
    ("text", "votes"),
    [
        (f"/approve {HASH}", [(True, HASH, "")]),
        (f"  /approve {HASH}   looks right  ", [(True, HASH, "looks right")]),
        (f"I looked at it.\r\n/refuse {HASH.upper()} wrong flag\r\nSorry.", [(False, HASH.upper(), "wrong flag")]),
        (f"/approve {HASH}\n/refuse abcdef12", [(True, HASH, ""), (False, "abcdef12", "")]),
        (f"> /approve {HASH}", []),  # somebody quotes somebody else
        (f">> /approve {HASH}\nno, thank you", []),
        (f"please /approve {HASH}", []),
        (f"```\n/approve {HASH}\n```", []),
        (f"~~~sh\n/approve {HASH}\n~~~\n/refuse {HASH}", [(False, HASH, "")]),
        (f"```\n/approve {HASH}", []),  # a block that is not closed goes on to the end
        (f"    /approve {HASH}", []),  # a block of code by its indent
        (f"\t/approve {HASH}", []),
        (f"{{code:sh}}\n/approve {HASH}\n{{code}}", []),
        (f"{{quote}}\n/approve {HASH}\n{{quote}}\n/refuse {HASH}", [(False, HASH, "")]),
        (f"<!--\n/approve {HASH}\n-->", []),
        (f"/approve {HASH}xyz", []),  # no hash
        (f"/approve\n{HASH}", []),
        ("/approve", []),
        (f"/approved {HASH}", []),
        ("", []),
    ],
)
def test_a_command_stands_at_the_beginning_of_a_line_that_is_no_quotation(
    text: str, votes: list[tuple[bool, str, str]]
) -> None:
    assert votes_in(text) == votes


def comment(actor: str, text: str = f"/approve {HASH}") -> dict[str, object]:
    return {"event_id": "e1", "destination": "tracker", "actor": actor, "value": text}


def test_a_comment_is_by_whom_the_playbook_says() -> None:
    accounts = {("github", "dana-gh"): "dana", ("tracker", "kim-there"): "kim"}
    (by_kind,) = votes_of_comment(comment("dana-gh"), "github", accounts)
    (by_name,) = votes_of_comment(comment("kim-there"), "github", accounts)
    (by_nobody,) = votes_of_comment(comment("dana"), "github", accounts)  # a name is no account
    assert [one.person for one in (by_kind, by_name, by_nobody)] == ["dana", "kim", "tracker:dana"]
    assert by_kind.key != votes_of_comment({**comment("dana-gh"), "event_id": "e2"}, "github", accounts)[0].key


class Ticket:
    """A person's editor, on the one ticket that there is."""

    def __init__(self, stage: Stage) -> None:
        self.stage, (self.path,) = stage, (stage.home.root / "tickets").glob("FC-1.md")

    def comment(self, by: str, line: str) -> None:
        """Write a line below the brief, and read it in."""
        head, history = self.path.read_text(encoding="utf-8").split("## History")
        kept = [text for text in head.split("\n") if not text.startswith("by:")]
        edited = "\n".join([kept[0], f"by: {by}", *kept[1:]])
        self.path.write_text(f"{edited}{line}\n\n## History{history}", encoding="utf-8")
        self.stage.now += timedelta(minutes=5)
        pull(self.stage.home, now=self.stage.now, destinations=load_destinations(self.stage.home))


@pytest.fixture
def ticket(stage: Stage) -> Ticket:
    """A ticket whose brief shows a plan that waits."""
    wanted = replace(FLAG, issue_id=CHECKOUT.issue_id)
    stage.decide([wanted])
    stage.run()
    publish(stage.home, [CHECKOUT])
    push(stage.home, now=stage.now, destinations=load_destinations(stage.home))
    stage.decide([wanted])
    return Ticket(stage)


def test_an_approval_in_the_ticket_is_read_and_acted_upon(stage: Stage, ticket: Ticket) -> None:
    plan = stage.plans()[0]
    assert f"/approve {plan.short_id}" in ticket.path.read_text(encoding="utf-8")
    stage.run(minutes=1)
    assert stage.states() == ["proposed"]  # the brief itself approves nothing
    ticket.comment("dana", f"/approve {plan.short_id} the flag is new")
    stage.run(minutes=1)
    assert stage.states() == ["in_force"]
    approved = next(one for one in stage.ledger.proposals.events(plan.plan_id) if one.event == "approved")
    assert (approved.actor, approved.channel, approved.reason) == ("dana", "local", "the flag is new")
    stage.run(minutes=15)
    assert stage.events() == ["proposed", "approved", "begun", "applied"]  # read again, it does nothing


def test_a_comment_of_somebody_else_counts_nothing_and_is_on_record(stage: Stage, ticket: Ticket) -> None:
    ticket.comment("mallory", f"/approve {stage.plans()[0].short_id}")
    stage.run(minutes=1)
    stage.run(minutes=1)
    assert stage.states() == ["proposed"]
    assert stage.events() == ["proposed", "vote_not_counted"]


def test_a_refusal_in_the_ticket_ends_the_plan(stage: Stage, ticket: Ticket) -> None:
    ticket.comment("kim", f"/refuse {stage.plans()[0].short_id} another flag did it")
    stage.run(minutes=1)
    assert stage.states() == ["refused"]
    assert stage.proposals()[0].reason == "another flag did it"
