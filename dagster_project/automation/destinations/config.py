"""Reader of ``destinations.yml``, which lists the destinations of tickets and events.

    version: 1
    destinations:
      - kind: local                # a folder of Markdown files; folder defaults to HOME/tickets
      - kind: github
        repository: acme/shop      # the token comes from the environment variable named by token_env (GITHUB_TOKEN)
      - kind: pagerduty
        priorities: [P1]           # the integration key comes from routing_key_env (PAGERDUTY_ROUTING_KEY)

The file is the home's own; without one, tickets go to the local folder only. A destination that the home's kind may not
write to (``borders.py``) is never built. ``name`` identifies a destination in the ledger, and every marker follows from
it: under a new name, or at a new place, it is refused until a person accepts it (``tickets/memory.py``).
docs/destinations.md has every kind; each also takes ``priorities``, ``mode``, ``reopen``, ``template``, ``fields`` and
``environment`` (settings.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from dagster_project.automation.destinations.borders import refusal
from dagster_project.automation.destinations.configured import ConfiguredDestination
from dagster_project.automation.destinations.event_file import EventFileSettings
from dagster_project.automation.destinations.github import GitHubSettings
from dagster_project.automation.destinations.jira import JiraSettings
from dagster_project.automation.destinations.local import LocalSettings
from dagster_project.automation.destinations.mail import MailSettings
from dagster_project.automation.destinations.opsgenie import OpsgenieSettings
from dagster_project.automation.destinations.pagerduty import PagerDutySettings
from dagster_project.automation.destinations.request_tracker import RequestTrackerSettings
from dagster_project.automation.destinations.servicenow import ServiceNowSettings
from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.destinations.slack import SlackSettings
from dagster_project.automation.destinations.webhook import WebhookSettings
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.errors import ConfigurationError, yaml_problem
from dagster_project.home import Home
from dagster_project.outgoing import excerpt

FILE_NAME = "destinations.yml"

Settings = Annotated[
    LocalSettings
    | EventFileSettings
    | GitHubSettings
    | JiraSettings
    | MailSettings
    | OpsgenieSettings
    | PagerDutySettings
    | RequestTrackerSettings
    | ServiceNowSettings
    | SlackSettings
    | WebhookSettings,
    Field(discriminator="kind"),
]


class DestinationsFile(BaseModel):
    """The whole of ``destinations.yml``; each entry is checked by itself, so that a wrong one stops no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    destinations: list[Any]


_ENTRY: TypeAdapter[Any] = TypeAdapter(Settings)


class _Broken:
    """Stand-in for an entry of destinations.yml that cannot be used."""

    settle_seconds = 0.0

    def __init__(self, name: str, reason: str) -> None:
        self.name, self._reason = name, reason

    def create(self, ticket: Ticket) -> ExternalTicket:
        """Refuse."""
        raise DeliveryError(Rejected(self._reason, whole_destination=True))

    def update(self, external_id: str, ticket: Ticket) -> ExternalTicket:
        """Refuse."""
        return self.create(ticket)

    resolve = update


def load_destinations(home: Home) -> list[ConfiguredDestination]:
    """The configured destinations that this home may write to, ready to use; by default the local tracker alone.

    An entry that cannot be used is ``broken``, with the reason, and stops no other. A rehearsal that may write to none
    of them writes to its local tracker. Whatever leaves a home passes here: nothing else builds a destination.
    ``refused_destinations`` has the others.

    Raises:
        ConfigurationError: the file as a whole cannot be read; the message names it.
    """
    checked = _checked(home)
    names = tuple(one.name for one in checked)
    allowed = [one for one in checked if isinstance(one, _Wrong) or not _refusal(home, one)]
    if checked and not allowed and home.is_rehearsal and not refusal(home, own := LocalSettings(name="local")):
        allowed = [own]
    return [_loaded(home, one, names) for one in allowed]


def refused_destinations(home: Home) -> list[str]:
    """The configured destinations that this home may not write to: one line each, with the reason.

    Raises:
        ConfigurationError: as ``load_destinations``.
    """
    known = [one for one in _checked(home) if not isinstance(one, _Wrong)]
    return [reason for one in known if (reason := _refusal(home, one))]


def _refusal(home: Home, settings: Settings) -> str:
    try:
        return refusal(home, settings)
    except OSError as error:  # a folder that cannot be looked at
        return f"{settings.name}: {error.strerror}; check its settings"


def _entries(path: Path) -> list[Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return DestinationsFile.model_validate(content).destinations
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {yaml_problem(error)}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); check its rights") from None
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_first_problem(error, content)}") from None


def _name(entry: Any, number: int) -> str:
    """The name that an entry has, or would have."""
    said = entry.get("name") or entry.get("kind") if isinstance(entry, dict) else None
    return said if isinstance(said, str) and said else f"destinations.{number}"


@dataclass(frozen=True)
class _Wrong:
    """An entry of the file that cannot be used."""

    name: str
    reason: str


def _checked(home: Home) -> Sequence[Settings | _Wrong]:
    """The settings of each entry, or what is wrong with it."""
    path = home.root / FILE_NAME
    if not path.is_file():
        return [LocalSettings(name="local")]
    entries = _entries(path)
    names = [_name(entry, number) for number, entry in enumerate(entries)]
    return [_check(path, number, entry, names) for number, entry in enumerate(entries)]


def _check(path: Path, number: int, entry: Any, names: Sequence[str]) -> Settings | _Wrong:
    try:
        settings: Settings = _ENTRY.validate_python(entry)
    except ValidationError as error:
        return _Wrong(names[number], f"{path}: {_first_problem(error, entry, f'destinations.{number}')}")
    except Exception as error:  # whatever the check of a setting raises
        return _Wrong(names[number], f"{path}: destinations.{number}: {_unforeseen(error)}")
    if names.count(settings.name) > 1:
        twice = f"two destinations are named '{settings.name}'; give one of them another name"
        return _Wrong(names[number], f"{path}: {twice}")
    return settings


def _loaded(home: Home, settings: Settings | _Wrong, names: tuple[str, ...]) -> ConfiguredDestination:
    """A destination, or a stand-in that says what is wrong with it."""
    if isinstance(settings, _Wrong):
        return ConfiguredDestination(_Broken(settings.name, settings.reason), beside=names, broken=settings.reason)
    try:
        return ConfiguredDestination(settings.build(home), _policy(home, settings), settings.place, names)
    except ConfigurationError as error:
        reason = str(error)
    except Exception as error:  # whatever a destination raises when it is made: the others go on
        reason = f"{settings.name}: {_unforeseen(error)}"
    reason = f"{home.root / FILE_NAME}: {reason}"
    return ConfiguredDestination(_Broken(settings.name, reason), beside=names, broken=reason)


def _unforeseen(error: Exception) -> str:
    return f"{type(error).__name__}: {excerpt(error)}; check its settings"


def _policy(home: Home, settings: Settings) -> Policy:
    """The settings with the path of their template, which is relative to the home."""
    if settings.template is None:
        return settings
    return settings.model_copy(update={"template": home.root / settings.template.expanduser()})


def _first_problem(error: ValidationError, content: Any, where: str = "") -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    setting = ".".join([*([where] if where else []), *(str(part) for part in first["loc"])])
    if where and not isinstance(content, dict):
        return f"{where}: an entry is a `kind` with its settings"
    if first["type"] == "extra_forbidden" and first["loc"][-1] in ("token", "password", "api_key"):
        return f"{setting}: no secrets in this file; put it in an environment variable and name that in token_env"
    if first["type"] == "extra_forbidden":
        return f"{setting}: there is no such setting; remove it or mend its name"
    if not isinstance(content, dict):
        return "there must be `version: 1` and a list `destinations`"
    return f"{setting}: {first['msg']}" if setting else first["msg"]
