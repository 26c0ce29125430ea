"""Mitigation commands: plans, votes, undo, the stop switch, approvers, and the report on plans in shadow."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.table import Table

from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ledger.proposals import Proposal
from dagster_project.automation.mitigation.announcing import announce_plans
from dagster_project.automation.mitigation.approvals import Vote, find
from dagster_project.automation.mitigation.execution import Author
from dagster_project.automation.mitigation.export import export_plans
from dagster_project.automation.mitigation.mitigate import Turn
from dagster_project.automation.mitigation.plans import KIND
from dagster_project.automation.mitigation.shadow import shadow_report
from dagster_project.automation.mitigation.telling import as_dict, lines_of
from dagster_project.cli.options import command_line, console, json_option, plain
from dagster_project.clock import check_clock
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.decisioning.published import present_of
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import Home

TOKEN = "FEEDBACK_CONTROL_TOKEN"
_CHANNEL = "command line"

_reason = click.option("--reason", default="", help="Why, for the audit log.")


@click.command("plans")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@json_option
@click.pass_obj
def plans_command(home: Home, everything: bool, as_json: bool) -> None:
    """List the plans of mitigations: what waits for an approval, and what is in force."""
    ledger = _ledger(home)
    proposals = ledger.proposals.all(KIND) if everything else ledger.proposals.live()
    rows = [as_dict(one, ledger.proposals.events(one.proposal_id)) for one in proposals]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if stop := ledger.switch.stopped():
        click.echo(f"acts are stopped by {stop.actor} since {stop.at:%Y-%m-%d %H:%M} UTC: {stop.reason}")
    for row in rows:
        shown = (row["plan"], f"tier {row['tier']}", row["state"], row["issue_id"], row["title"], row["waits_for"])
        console().print("  ".join(shown))
    if not rows:
        click.echo("no plans" if everything else "no plan is open; `feedback-control plans --all` lists every one")


@click.command("approve")
@click.argument("plan_hash", metavar="HASH")
@_reason
@click.pass_obj
def approve_command(home: Home, plan_hash: str, reason: str) -> None:
    """Approve exactly the plan whose hash begins with HASH; once enough people did, it is carried out.

    Who you are is said by the token in $FEEDBACK_CONTROL_TOKEN, which `approvers add` issued. Exits with 1 if the vote
    does not count, or the act failed.
    """
    _vote(home, plan_hash, approves=True, reason=reason)


@click.command("refuse")
@click.argument("plan_hash", metavar="HASH")
@_reason
@click.pass_obj
def refuse_command(home: Home, plan_hash: str, reason: str) -> None:
    """Refuse a plan: it is over, and not made again for this issue."""
    _vote(home, plan_hash, approves=False, reason=reason)


@click.command("undo")
@click.argument("plan_hash", metavar="PLAN")
@click.pass_obj
def undo_command(home: Home, plan_hash: str) -> None:
    """Restore the state from before a plan, word for word. Needs no approval, and works while acts are stopped."""
    with _turn(home) as (turn, ledger):
        proposal = turn.undo(find(ledger, plan_hash), Author(_person(ledger, needed=False), _CHANNEL))
    _show(home, proposal)
    if proposal.state != "undone":
        raise SystemExit(1)


@click.command("mitigate")
@click.argument("issue_id")
@click.option("--action", required=True, help="A mitigation of the playbook.")
@click.pass_obj
def mitigate_command(home: Home, issue_id: str, action: str) -> None:
    """Propose a mitigation for an issue yourself; somebody else has to approve it.

    The rules about evidence hold all the same: text alone changes nothing.
    """
    with _turn(home) as (turn, ledger):
        proposal = turn.propose(issue_id, action, _person(ledger, needed=True))
    _show(home, proposal)


@click.command("stop")
@click.argument("reason")
@click.pass_obj
def stop_command(home: Home, reason: str) -> None:
    """Let no act begin or leave from here on, for REASON. Undoing still works."""
    ledger = _ledger(home)
    ledger.switch.stop(_person(ledger, needed=False), reason, datetime.now(UTC))
    click.echo("acts are stopped; `feedback-control resume` lets them go on")


@click.command("resume")
@_reason
@click.pass_obj
def resume_command(home: Home, reason: str) -> None:
    """Let acts go on. Once there are approvers with tokens, only they can."""
    ledger = _ledger(home)
    ledger.switch.resume(_person(ledger, needed=bool(ledger.access_tokens.names())), reason, datetime.now(UTC))
    click.echo("acts go on with the next turn")


@click.group("approvers")
def approvers_group() -> None:
    """People of the playbook who may approve, and their personal tokens."""


@approvers_group.command("add")
@click.argument("name")
@click.pass_obj
def add_command(home: Home, name: str) -> None:
    """Issue a token for an approver of the playbook; it is shown once, and replaces the one before."""
    if name not in load_playbook(home.playbook).approvers:
        raise ConfigurationError(
            f"{name} is not in `approvers` of {home.playbook}; add them there, where it is reviewed"
        )
    token = _ledger(home).access_tokens.issue(name, datetime.now(UTC))
    click.echo(f"token of {name}, shown this once:", err=True)
    click.echo(token)
    click.echo(f"they set {TOKEN} to it before `approve` or `refuse`", err=True)


@approvers_group.command("remove")
@click.argument("name")
@click.pass_obj
def remove_command(home: Home, name: str) -> None:
    """Let a person's token no longer work."""
    if not _ledger(home).access_tokens.revoke(name, datetime.now(UTC)):
        raise ConfigurationError(f"{name} has no token")
    click.echo(f"the token of {name} no longer works")


@approvers_group.command("list")
@click.pass_obj
def list_command(home: Home) -> None:
    """List the approvers in the order in which they are asked."""
    tokens = _ledger(home).access_tokens.names()
    for name, approver in load_playbook(home.playbook).approvers.items():
        accounts = ", ".join(f"{channel} {account}" for channel, account in approver.accounts.items()) or "no accounts"
        token = f"token since {tokens[name]:%Y-%m-%d}" if name in tokens else "no token"
        click.echo(f"{name}  {token}  {accounts}")


@click.command("shadow-report")
@json_option
@click.pass_obj
def shadow_report_command(home: Home, as_json: bool) -> None:
    """Say what mitigations in shadow would have been worth: acts, how many right, how much earlier than people.

    Right is what people later did themselves: rolled the suspect back, switched its flag off, fixed it. What nobody
    undid, or what cannot be tied to an end, cannot be told.
    """
    lines = shadow_report(home)
    if as_json:
        click.echo(json.dumps(plain(lines), indent=2))
        return
    table = Table(
        *("mitigation", "tier", "acts", "right", "wrong", "cannot be told", "median minutes earlier"),
        title="Had it been on",
    )
    for one in lines:
        earlier = "" if one.minutes_earlier is None else f"{one.minutes_earlier:.0f}"
        counts = (one.tier, one.acts, one.right, one.wrong, one.cannot_be_told)
        table.add_row(one.mitigation, *("" if count is None else str(count) for count in counts), earlier)
    console().print(table)


def _vote(home: Home, plan_hash: str, *, approves: bool, reason: str) -> None:
    with _turn(home) as (turn, ledger):
        person = _person(ledger, needed=True)
        counted = turn.cast(Vote(approves, plan_hash, person, _CHANNEL, reason))
    if counted.refusal or counted.proposal is None:
        raise FeedbackControlError(f"the vote does not count: {counted.said}")
    _show(home, counted.proposal)
    if counted.proposal.state in ("failed", "void", "expired"):
        raise SystemExit(1)


@contextmanager
def _turn(home: Home) -> Iterator[tuple[Turn, Ledger]]:
    """A turn on a person's word; what it did is in the lake afterwards."""
    now = datetime.now(UTC)
    check_clock(home, now)
    ledger = _ledger(home)
    present = present_of(home, now)
    turn = Turn(home, ledger, load_playbook(home.playbook), present, lambda line: click.echo(line, err=True))
    try:
        yield turn, ledger
    finally:
        turn.close()
        export_plans(home, ledger)
        announce_plans(home, ledger, datetime.now(UTC))


def _ledger(home: Home) -> Ledger:
    ledger = Ledger.of(home)
    ledger.ownership.claim(home.marker)
    return ledger


def _person(ledger: Ledger, *, needed: bool) -> str:
    """The person whose token is set; where none is needed, else the account of this machine.

    Raises:
        ConfigurationError: a token is needed and there is none, or it is nobody's.
    """
    token = os.environ.get(TOKEN, "").strip()
    if token and (name := ledger.access_tokens.holder(token)):
        return name
    if token:
        raise ConfigurationError(f"the token in {TOKEN} is nobody's; `feedback-control approvers add NAME` issues one")
    if needed:
        raise ConfigurationError(
            f"set {TOKEN} to your personal token; `feedback-control approvers add NAME` issues one"
        )
    try:
        return f"{getpass.getuser()} (account)"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()} (account)"


def _show(home: Home, proposal: Proposal) -> None:
    ledger = _ledger(home)
    events = ledger.proposals.events(proposal.proposal_id)
    for line in lines_of(ledger.proposals.get(proposal.proposal_id), events, command_line(home)):
        click.echo(line)


COMMANDS: tuple[click.Command, ...] = (
    plans_command,
    approve_command,
    refuse_command,
    undo_command,
    mitigate_command,
    stop_command,
    resume_command,
    shadow_report_command,
    approvers_group,
)
