"""Commands about issues: the queue, one issue explained, and the embedded tracker's tickets."""

from __future__ import annotations

import json
import re
from datetime import datetime

import click
from rich.table import Table

from dagster_project.cli.options import (
    PRIORITY_STYLE,
    chosen_view,
    command_line,
    console,
    json_option,
    plain,
    show_queue,
    view_option,
)
from dagster_project.home import Home


@click.command()
@click.option("--all", "include_resolved", is_flag=True, help="Resolved issues too.")
@view_option
@json_option
@click.pass_obj
def issues(home: Home, include_resolved: bool, as_of: datetime | None, as_json: bool) -> None:
    """The queue: what to act on, most urgent first."""
    from dagster_project.decisioning.explain import queue

    home = chosen_view(home, as_of)
    if as_json:
        click.echo(
            json.dumps(queue(home, include_resolved=include_resolved), indent=2, default=str, ensure_ascii=False)
        )
    else:
        show_queue(home, include_resolved=include_resolved)


@click.command()
@click.argument("subject")
@view_option
@json_option
@click.pass_obj
def explain(home: Home, subject: str, as_of: datetime | None, as_json: bool) -> None:
    """Explain an issue: evidence, severity term by term, every candidate release, what may be done, quotes.

    SUBJECT is an issue's id, or the hash of a plan, of which the beginning is enough while it is unambiguous. An issue
    type, or `playbook`, shows what the playbook holds ready for it, and what each act needs.
    """
    from dagster_project.decisioning.explain import explain as explain_issue
    from dagster_project.decisioning.explain_playbook import explain_playbook, is_about_playbook

    if re.fullmatch("[0-9a-fA-F]+", subject):
        _explain_plan(home, subject, as_json=as_json)
        return
    explanation = (
        explain_playbook(home, subject)
        if is_about_playbook(subject)
        else explain_issue(chosen_view(home, as_of), subject)
    )
    click.echo(explanation.as_json() if as_json else explanation.as_text())


def _explain_plan(home: Home, prefix: str, *, as_json: bool) -> None:
    """Print one plan: what it does, on which evidence, its pre-flights, and what became of it."""
    from dagster_project.automation.ledger.ledger import Ledger
    from dagster_project.automation.mitigation.approvals import find
    from dagster_project.automation.mitigation.telling import as_dict, facts_of, lines_of

    ledger = Ledger.of(home)
    proposal = find(ledger, prefix)
    events = ledger.proposals.events(proposal.proposal_id)
    if as_json:
        evidence = json.loads(proposal.content)["evidence"]
        click.echo(json.dumps({**as_dict(proposal, events), "evidence": evidence}, indent=2, ensure_ascii=False))
        return
    head, *rest = lines_of(proposal, events, command_line(home))
    facts = facts_of(proposal, events)
    click.echo(head)
    click.echo(f"  hash    {proposal.proposal_id}")
    click.echo(f"  issue   {proposal.subject_id}")
    for name, value in facts.evidence:
        click.echo(f"  ground  {name.replace('_', ' ')}: {value}")
    for line in rest:
        click.echo(line)


@click.command()
@json_option
@click.pass_obj
def tickets(home: Home, as_json: bool) -> None:
    """The tickets in the embedded tracker (HOME/tickets)."""
    from dagster_project.automation.destinations.local import list_tickets

    found = list_tickets(home.tickets)
    if as_json:
        click.echo(json.dumps(plain(found), indent=2, default=str, ensure_ascii=False))
        return
    table = Table("ticket", "priority", "status", "owner", "title", title=f"Tickets in {home.tickets}")
    for ticket in found:
        style = PRIORITY_STYLE.get(ticket.priority, "") if ticket.status == "open" else "dim"
        table.add_row(ticket.external_id, ticket.priority, ticket.status, ticket.owner, ticket.title, style=style)
    console().print(table)


COMMANDS = (issues, explain, tickets)
