"""Outbound commands: push (dry run, plan), pull, preview, dead-letters, audit, ledger."""

from __future__ import annotations

import difflib
import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from dagster_project.automation.destinations import (
    ConfiguredDestination,
    load_destinations,
    refused_destinations,
)
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.mitigation.telling import plans_of
from dagster_project.automation.tickets import brief
from dagster_project.automation.tickets.event_delivery import sinks_of
from dagster_project.automation.tickets.issues import read_queue
from dagster_project.automation.tickets.memory import accept_ledger
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import push
from dagster_project.automation.tickets.push_report import Change, PlanKey
from dagster_project.clock import check_clock
from dagster_project.decisioning.published import present_of
from dagster_project.errors import ConfigurationError, FeedbackControlError
from dagster_project.home import Home
from dagster_project.home_kind import read_marker

_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.command("push")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and how texts change; send nothing.")
@click.option("--write-plan", type=click.Path(path_type=Path), help="Also write what would be sent to this file.")
@click.option(
    "--plan", type=click.Path(path_type=Path), help="Send only what this file holds and has not changed since."
)
@click.option("--only", help="Only to the destination of this name.")
@_json
@click.pass_obj
def push_command(
    home: Home, dry_run: bool, write_plan: Path | None, plan: Path | None, only: str | None, as_json: bool
) -> None:
    """Bring the destinations in line with the queue as last decided, each ticket exactly once.

    Exits with 1 if a destination took nothing more (no secret, no connection, a rate limit), or one issue's ticket
    could not be made; everything else is done.
    """
    dry_run = dry_run or write_plan is not None
    keys = _read_plan(plan) if plan else None
    if not dry_run:
        check_clock(home, datetime.now(UTC))
    report = push(
        home,
        now=present_of(home, datetime.now(UTC)),
        destinations=_chosen(home, only),
        dry_run=dry_run,
        plan=keys,
        sinks=sinks_of(_chosen(home, None)),
        progress=lambda line: click.echo(line, err=True),
    )
    if write_plan:
        _write_plan(write_plan, report.changes)
        click.echo(
            f"plan: {write_plan} ({len(report.changes)} changes); apply it with push --plan {write_plan}", err=True
        )
    if as_json:
        shown = {**report.counts, "problems": report.problems, "links": report.links}
        shown["changes"] = [_as_dict(change) for change in report.changes]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    elif dry_run:
        for change in report.changes:
            click.echo(f"{change.destination}: {change.action} {change.issue_id} {change.title}\n{change.diff}\n")
        click.echo(f"{len(report.changes)} changes, nothing sent")
    else:
        said = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count)
        click.echo(said or "nothing to do")
    if _say_refused(home) or report.failures:
        raise SystemExit(1)


@click.command("pull")
@click.option("--only", help="Only from the destination of this name.")
@_json
@click.pass_obj
def pull_command(home: Home, only: str | None, as_json: bool) -> None:
    """Read what people did to our tickets: status, assignee, priority, comments. Nothing is written there.

    The next decision knows of it. An issue whose ticket was rejected ("not a bug") is no incident to baselines from the
    next day on. Exits with 1 if a destination could not be read.
    """
    check_clock(home, datetime.now(UTC))
    report = pull(
        home,
        now=datetime.now(UTC),
        destinations=_chosen(home, only),
        progress=lambda line: click.echo(line, err=True),
    )
    if as_json:
        click.echo(json.dumps({**report.counts, "problems": report.problems}, indent=2, ensure_ascii=False))
    else:
        said = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count)
        click.echo(said or "nothing new")
    if _say_refused(home) or report.problems:
        raise SystemExit(1)


@click.command("preview")
@click.argument("issue_id")
@click.option("--destination", default=None, help="As it would read there  [default: the first].")
@click.pass_obj
def preview_command(home: Home, issue_id: str, destination: str | None) -> None:
    """Print an issue's ticket as a destination would get it."""
    configured = _chosen(home, destination)[0]
    if configured.broken:
        raise ConfigurationError(configured.broken)
    issue = next((one for one in read_queue(home, [issue_id]) if one.issue_id == issue_id), None)
    if issue is None:
        raise ConfigurationError(f"issue {issue_id} is not in the queue; `feedback-control issues --all` lists what is")
    plans = plans_of(_ledger(home), [issue_id]).get(issue_id, [])
    ticket = brief.render(issue, configured.name, configured.policy, plans)
    click.echo(f"{ticket.title}\nlabels: {', '.join(ticket.labels)}")
    for name, value in ticket.fields:
        click.echo(f"{name}: {value}")
    click.echo(f"\n{ticket.body}")


@click.group("dead-letters")
def dead_letters_group() -> None:
    """Rejected or unverifiable writes, which wait for a person."""


@dead_letters_group.command("list")
@_json
@click.pass_obj
def list_command(home: Home, as_json: bool) -> None:
    """List them with owner and reason."""
    letters = [letter.as_dict() for letter in _ledger(home).dead_letters.all()]
    if as_json:
        click.echo(json.dumps(letters, indent=2, ensure_ascii=False))
        return
    for row in letters:
        click.echo(
            f"{row['intent']}  {row['state']}  {row['destination']}  {row['action']}  {row['owner']}  {row['title']}"
        )
        click.echo(f"          {row['reason']}")
    if not letters:
        click.echo("no dead letters")


@dead_letters_group.command("replay")
@click.argument("intent", required=False)
@click.option("--all", "everything", is_flag=True, help="Every rejected one.")
@click.pass_obj
def replay_command(home: Home, intent: str | None, everything: bool) -> None:
    """Retry a rejected intent with the next push, after the cause that it names was fixed."""
    letters = _ledger(home).dead_letters
    if (intent is None) is not everything:
        raise click.UsageError("name an intent (see `dead-letters list`), or give --all")
    chosen = letters.all() if intent is None else [letters.find(intent)]
    click.echo(f"{letters.replay(chosen, datetime.now(UTC))} will be sent by the next push")


@dead_letters_group.command("settle")
@click.argument("intent")
@click.option("--arrived", help="It is there: its id in the tool.")
@click.option("--url", default="", help="... and its address.")
@click.option("--not-arrived", is_flag=True, help="It is not there: send it again.")
@click.pass_obj
def settle_command(home: Home, intent: str, arrived: str | None, url: str, not_arrived: bool) -> None:
    """Record whether a held intent reached its tool; it is not sent again before."""
    if (arrived is None) is not not_arrived:
        raise click.UsageError("say either --arrived ID or --not-arrived")
    letters = _ledger(home).dead_letters
    letter = letters.find(intent)
    if not letters.settle(letter, None if arrived is None else (arrived, url), datetime.now(UTC)):
        raise ConfigurationError(
            f"{letter.short_id} is {letter.intent.state.value}, not held: there is nothing to settle"
        )
    click.echo("it will be sent by the next push" if arrived is None else f"taken as {arrived}")


outbox_group = click.Group("outbox", dead_letters_group.commands, hidden=True, help="The old name of dead-letters.")


@click.group("audit")
def audit_group() -> None:
    """The audit log: who did what to which ticket, on what grounds."""


@audit_group.command("verify")
@click.option("--expect", help="A hash that an earlier verification printed: it must still be on the chain.")
@_json
@click.pass_obj
def verify_command(home: Home, expect: str | None, as_json: bool) -> None:
    """Walk along the log's chain of hashes; exits with 1 where a row was changed, added or taken out.

    The chain covers payloads and attempts, and its end is compared with HOME/ledger.head.
    """
    found = _ledger(home).verify_audit(expect)
    if as_json:
        click.echo(
            json.dumps({name: getattr(found, name) for name in ("rows", "end", "holds", "broken_at", "problems")})
        )
    elif found.holds:
        click.echo(f"{found.rows} rows, unbroken; the last hash is {found.end}")
    elif found.broken_at is None and found.knows_expected:
        click.echo(f"{found.rows} rows, unbroken; but:")
    elif found.broken_at is None:
        click.echo(f"the expected hash is not on the chain: rows before it were written anew ({found.rows} rows)")
    else:
        click.echo(
            f"row {found.broken_at} does not fit the one before it: it, or one near it, was changed or taken out"
        )
    for problem in found.problems if not as_json else ():
        click.echo(problem)
    if not found.holds:
        raise SystemExit(1)


@audit_group.command("show")
@click.argument("issue_id")
@_json
@click.pass_obj
def show_command(home: Home, issue_id: str, as_json: bool) -> None:
    """Print the audit rows of an issue (its id, or the beginning of it): when, by whom, on what grounds."""
    ledger = _ledger(home)
    known = _full_id(home, ledger, issue_id)
    rows = ledger.history_of(known)
    if as_json:
        shown = [{**row, "at": row["at"].isoformat(), "detail": json.loads(row["detail"])} for row in rows]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for row in rows:
        sure = "" if row["confidence"] is None else f", {row['confidence']:.0%} sure"
        grounds = f"  ({row['basis']}{sure})" if row["basis"] else ""
        details = json.loads(row["detail"]).items()
        detail = " ".join(f"{name}={value}" for name, value in details if name not in _SUBJECT)
        click.echo(
            f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['destination']}  {row['actor']}  {row['event']}  {detail}{grounds}"
        )
    if not rows:
        click.echo(f"{known} is in the queue, and nothing was sent about it yet")


@click.group("ledger")
def ledger_group() -> None:
    """The ledger against what others remember: its head file, the lake, the destinations."""


@ledger_group.command("status")
@_json
@click.pass_obj
def status_command(home: Home, as_json: bool) -> None:
    """Show whether the ledger is the one that this home remembers; exits with 1 if not, or if a search is due."""
    continuity = _ledger(home).continuity
    epoch, gap = continuity.epoch(), continuity.gap
    waiting = [one.name for one in load_destinations(home) if continuity.unreconciled(one.name)]
    if as_json:
        shown = {"gap": gap, "since": epoch.began_at.isoformat() if epoch else None, "not_reconciled": waiting}
        click.echo(json.dumps({**shown, "places": dict(continuity.places())}))
    elif gap:
        click.echo(
            f"this ledger is {gap.value}: it is not as {home.ledger_head} remembers it; the next push reconciles it"
        )
    elif waiting and epoch:
        click.echo(f"since {epoch.began_at:%Y-%m-%d %H:%M} UTC: {epoch.reason}; not reconciled: {', '.join(waiting)}")
    else:
        click.echo("the ledger is as this home remembers it")
    if gap or waiting:
        raise SystemExit(1)


@ledger_group.command("accept")
@click.argument("destination", required=False)
@click.pass_obj
def accept_command(home: Home, destination: str | None) -> None:
    """Go on: with this ledger as the home's own, or with a DESTINATION under the name and place that it has now.

    Look first at what was opened there: a destination that cannot be searched may get a ticket twice.
    """
    now = datetime.now(UTC)
    if destination is None:
        ledger = Ledger.of(home, actor=_person())
        ledger.ownership.adopt(home.marked().marker, now)
        click.echo(f"accepted; {accept_ledger(home, ledger, now)} tickets were taken over from the lake")
        return
    (chosen,) = _chosen(home, destination)
    _ledger(home).continuity.accept(chosen.name, chosen.place, now)
    click.echo(f"accepted: the next push sends to {chosen.name}")


COMMANDS: tuple[click.Command, ...] = (
    push_command,
    pull_command,
    preview_command,
    dead_letters_group,
    outbox_group,
    audit_group,
    ledger_group,
)
_SUBJECT = ("subject_id", "issue_id")  # rows of older versions have the second


def _full_id(home: Home, ledger: Ledger, issue_id: str) -> str:
    """The one issue, of the ledger or of the queue, whose id begins like this."""
    found = ledger.subjects_beginning(issue_id)
    if issue_id in found:
        return issue_id
    queued = _queued(home)
    found = sorted({*found, *(one for one in queued if one.upper().startswith(issue_id.upper()))} - {""})
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(f"several issues begin with {issue_id} ({', '.join(found[:5])}); give more of the id")
    near = difflib.get_close_matches(
        issue_id.upper(), sorted({*ledger.subjects_beginning(""), *queued}), n=3, cutoff=0.5
    )
    nearest = f"; did you mean {', '.join(near)}?" if near else ";"
    raise UnknownIdError(
        f"unknown id: neither the ledger nor the queue has an issue whose id begins with {issue_id}{nearest}"
        " `feedback-control issues --all` lists the issues"
    )


def _queued(home: Home) -> list[str]:
    try:
        return [issue.issue_id for issue in read_queue(home, resolved=True, problems=[])]
    except FeedbackControlError:  # nothing is published: only the ledger can know it
        return []


class UnknownIdError(FeedbackControlError):
    """An id that nothing has."""


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()}"


def _ledger(home: Home) -> Ledger:
    ledger = Ledger.of(home, actor=_person())
    if marker := read_marker(home.root):
        ledger.ownership.check(marker)
    return ledger


def _chosen(home: Home, name: str | None) -> list[ConfiguredDestination]:
    destinations = load_destinations(home)
    chosen = [configured for configured in destinations if name in (None, configured.name)]
    if not chosen:
        known = ", ".join(configured.name for configured in destinations) or "none"
        raise ConfigurationError(f"there is no destination {name or ''}; destinations.yml has: {known}")
    return chosen


def _say_refused(home: Home) -> bool:
    """Name the destinations that this kind of home may not write to; True if that is a fault of its configuration."""
    refused = refused_destinations(home)
    for line in refused:
        click.echo(line, err=True)
    return bool(refused) and not home.is_rehearsal


def _as_dict(change: Change) -> dict[str, Any]:
    return {
        name: getattr(change, name) for name in ("destination", "issue_id", "action", "payload_hash", "title", "diff")
    }


def _write_plan(path: Path, changes: list[Change]) -> None:
    content = {"version": 1, "changes": [_as_dict(change) for change in changes]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_plan(path: Path) -> set[PlanKey]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {(one["destination"], one["issue_id"], one["action"], one["payload_hash"]) for one in content["changes"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"plan {path} cannot be read ({error}); make one with push --write-plan") from None
