"""Push, plan, preview, dead letters and the audit log from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.local import LocalTracker, list_tickets
from dagster_project.automation.outcomes import DeliveryError, Failure, NotSent, Rejected, Unknown
from dagster_project.automation.ticket import ExternalTicket, TicketChange
from dagster_project.cli.main import main
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, DELIVERY, publish


def cli(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments], catch_exceptions=False)


@pytest.fixture
def decided(home: Home) -> Home:
    publish(home, [CHECKOUT, DELIVERY])
    return home


def test_a_dry_run_shows_and_a_push_sends_once(decided: Home) -> None:
    dry = cli(decided, "push", "--dry-run")
    assert "create ISS-4F0C11AA92 [P1] Checkout failing" in dry.stdout and "2 changes, nothing sent" in dry.stdout
    assert list_tickets(decided.tickets) == []
    assert cli(decided, "push").stdout == "2 created\n"
    again = json.loads(cli(decided, "push", "--json").stdout)
    assert (again["created"], again["unchanged"]) == (0, 2)


def test_a_plan_is_applied_as_it_was_seen(decided: Home, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    cli(decided, "push", "--write-plan", str(plan))
    publish(decided, [CHECKOUT, replace(DELIVERY, feedback_count=999)])  # changed since people looked at it
    applied = json.loads(cli(decided, "push", "--plan", str(plan), "--json").stdout)
    assert (applied["created"], applied["deferred"]) == (1, 1)
    assert "changed since; make a new plan" in applied["problems"][0]
    assert [ticket.title for ticket in list_tickets(decided.tickets)] == [
        "[P1] Checkout failing since Android 5.2.0 (31 May 08:10): coupons refused, order button dead — shop-app"
    ]
    broken = cli(decided, "push", "--plan", str(tmp_path / "none.json"))
    assert broken.exit_code == 2 and "push --write-plan" in broken.stderr


def test_a_preview_is_the_ticket_in_the_destinations_own_words(decided: Home, tmp_path: Path) -> None:
    template = tmp_path / "short.md.j2"
    template.write_text("{{ issue.summary }}\n\nCall {{ issue.owner }}.")
    (decided.root / "destinations.yml").write_text(
        f"version: 1\ndestinations:\n  - kind: local\n    template: {template}\n"
        "    fields: {urgency: \"{{ 1 if issue.priority == 'P1' else 3 }}\"}\n"
    )
    cli(decided, "push")
    assert "urgency: '1'" in (decided.tickets / "FC-1.md").read_text()
    shown = cli(decided, "preview", CHECKOUT.issue_id).stdout
    assert "urgency: 1" in shown and "Call checkout-squad" in shown and "### " not in shown
    template.write_text("{{ issue.sumary }}")
    wrong = cli(decided, "preview", CHECKOUT.issue_id)
    assert wrong.exit_code == 2 and "short.md.j2" in wrong.stderr and "sumary" in wrong.stderr
    assert cli(decided, "preview", "ISS-NONE").exit_code == 2


def failing(monkeypatch: pytest.MonkeyPatch, target: object, outcome: Failure) -> None:
    def create(*_: object) -> ExternalTicket:
        raise DeliveryError(outcome)

    monkeypatch.setattr(target, "create", create)


def test_a_refused_ticket_is_a_dead_letter_with_an_owner_and_is_replayed(
    decided: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing(patch, LocalTracker, Rejected("the field Squad is required; add it to fields"))
        cli(decided, "push")
    letters = json.loads(cli(decided, "dead-letters", "list", "--json").stdout)
    assert {letter["owner"] for letter in letters} == {"checkout-squad", "logistics-desk"}
    assert "add it to fields" in cli(decided, "dead-letters", "list").stdout
    assert "0 created" not in cli(decided, "push").stdout and list_tickets(decided.tickets) == []  # not before tomorrow
    assert cli(decided, "dead-letters", "replay", letters[0]["intent"]).stdout.startswith("1 ")
    assert cli(decided, "dead-letters", "replay", "--all").stdout.startswith("1 ")
    assert cli(decided, "push").stdout == "2 created\n"
    assert cli(decided, "dead-letters", "list").stdout == "no dead letters\n"
    assert cli(decided, "dead-letters", "replay").exit_code == 2
    assert "no dead letter has an id" in cli(decided, "dead-letters", "replay", "zzz").stderr


class Unseen:
    """A tool that takes tickets and tells nothing, like a mailbox."""

    name, settle_seconds = "mailbox", 0.0

    def __init__(self, tracker: LocalTracker) -> None:
        self.create, self.update, self.resolve = tracker.create, tracker.update, tracker.resolve


def test_what_nobody_can_look_up_waits_until_a_person_says_whether_it_arrived(
    decided: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseen = Unseen(LocalTracker(decided.tickets))
    monkeypatch.setattr("dagster_project.cli.outbound.load_destinations", lambda home: [ConfiguredDestination(unseen)])
    with monkeypatch.context() as patch:
        failing(patch, unseen, Unknown("the line went dead"))
        cli(decided, "push")
        assert cli(decided, "push").stdout == "2 rejected\n"
    letters = json.loads(cli(decided, "dead-letters", "list", "--json").stdout)
    assert {letter["state"] for letter in letters} == {"held"}
    assert cli(decided, "dead-letters", "replay", "--all").stdout.startswith("0 ")  # held is never simply sent again
    first, second = (letter["intent"] for letter in letters)
    assert "taken as FC-9" in cli(decided, "dead-letters", "settle", first, "--arrived", "FC-9").stdout
    assert "sent by the next push" in cli(decided, "dead-letters", "settle", second, "--not-arrived").stdout
    assert cli(decided, "dead-letters", "settle", second, "--not-arrived").exit_code == 2
    assert cli(decided, "push").stdout == "1 created, 1 unchanged\n"


def test_the_old_name_of_dead_letters_still_works_and_is_not_shown(decided: Home) -> None:
    assert cli(decided, "outbox", "list").stdout == "no dead letters\n"
    shown = cli(decided, "--help").stdout
    assert "dead-letters" in shown and "outbox" not in shown


def test_the_audit_log_is_shown_and_verified(decided: Home) -> None:
    cli(decided, "push")
    shown = cli(decided, "audit", "show", CHECKOUT.issue_id).stdout
    assert "intent confirmed" in shown and "(P1, regression, 4 signals, 91% sure)" in shown
    assert "subject_id" not in shown and "action=create" in shown
    assert cli(decided, "audit", "show", CHECKOUT.issue_id[:6].lower()).stdout == shown
    end = json.loads(cli(decided, "audit", "verify", "--json").stdout)["end"]
    assert end in cli(decided, "audit", "verify").stdout
    assert cli(decided, "audit", "verify", "--expect", end).exit_code == 0
    assert cli(decided, "audit", "verify", "--expect", "f" * 64).exit_code == 1


def test_the_audit_log_of_an_issue_that_is_not_there_is_an_error(decided: Home) -> None:
    cli(decided, "push")
    unknown = cli(decided, "audit", "show", "NOPE")
    assert unknown.exit_code == 1 and "unknown id" in unknown.stderr and "nothing was sent" not in unknown.stdout
    mistyped = cli(decided, "audit", "show", CHECKOUT.issue_id[:-2] + "0O")
    assert mistyped.exit_code == 1 and f"did you mean {CHECKOUT.issue_id}" in mistyped.stderr
    several = cli(decided, "audit", "show", "ISS-", "--json")
    assert several.exit_code == 2 and CHECKOUT.issue_id in several.stderr and DELIVERY.issue_id in several.stderr


def test_a_destination_that_cannot_be_read_fails_the_pull(decided: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    cli(decided, "push")
    assert cli(decided, "pull").exit_code == 0

    def changes_since(*_: object) -> list[TicketChange]:
        raise DeliveryError(NotSent("no connection"))

    monkeypatch.setattr(LocalTracker, "changes_since", changes_since)
    for arguments in (("pull",), ("pull", "--json")):
        pulled = cli(decided, *arguments)
        assert (pulled.exit_code, "not read: no connection" in pulled.stderr) == (1, True)


def test_a_destination_that_takes_nothing_fails_the_push_and_stops_no_other(
    decided: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSET_TOKEN", raising=False)
    (decided.root / "destinations.yml").write_text(
        "version: 1\ndestinations:\n- {kind: github, repository: a/b, token_env: UNSET_TOKEN}\n- {kind: local}\n"
    )
    pushed = cli(decided, "push")
    assert (pushed.exit_code, "2 created" in pushed.stdout) == (1, True)
    assert "UNSET_TOKEN is not set" in pushed.stderr
    assert cli(decided, "push", "--only", "local").exit_code == 0
