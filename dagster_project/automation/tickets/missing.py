"""Missing tickets: those that the ledger has as open and that are gone from their destination.

Nothing is opened in their place: whoever deleted or overwrote a ticket may have meant it.
"""

from __future__ import annotations

from dagster_project.automation.destinations.base import NamesMissing, TicketDestination
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.tickets.brief import marker_of

_NAMED = 5


def missing_tickets(ledger: Ledger, destination: TicketDestination) -> str:
    """A line that names the missing tickets; empty if there are none, or the destination cannot tell."""
    if not isinstance(destination, NamesMissing):
        return ""
    name, heads = destination.name, ledger.open_heads(destination.name).values()
    gone = destination.missing({one.external_id: marker_of(one.subject_id, name) for one in heads if one.external_id})
    if not gone:
        return ""
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    return (
        f"open tickets that are gone, or overwritten: {', '.join(gone[:_NAMED])}{more}; restore their files, or nobody"
        " there knows of their issues"
    )
