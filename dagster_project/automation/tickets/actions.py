"""Actions on a ticket: create, update, resolve; the ledger stores them by name."""

from __future__ import annotations

from enum import StrEnum

from dagster_project.automation.ledger.intents import Intent
from dagster_project.automation.ticket import Ticket


class Action(StrEnum):
    """The write that an intent makes to the ticket."""

    CREATE = "create"
    UPDATE = "update"
    RESOLVE = "resolve"


PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.RESOLVE: "resolved"}
"""The past tense of each action, for reports and for events in the lake."""


def action_for(delivered: Intent | None, wanted: Ticket) -> Action:
    """The action that brings the destination from the last confirmed intent to the wanted ticket."""
    if delivered is None:
        return Action.CREATE
    return Action.RESOLVE if wanted.is_final else Action.UPDATE
