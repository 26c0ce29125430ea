"""Reader of ``destinations.yml``, which lists the destinations of tickets and events.

    version: 1
    destinations:
      - kind: local                # a folder of Markdown files; folder defaults to HOME/tickets
      - kind: github
        repository: acme/shop      # the token comes from the environment variable named by token_env (GITHUB_TOKEN)
      - kind: pagerduty
        priorities: [P1]           # the integration key comes from routing_key_env (PAGERDUTY_ROUTING_KEY)

The file is looked for in the home, then in the repository root; without one, tickets go to the local folder only.
``name`` identifies a destination in the ledger, and every marker follows from it: under a new name, or at a new place,
it is refused until a person accepts it (``tickets/memory.py``). docs/destinations.md has every kind; each also takes
``priorities``, ``mode``, ``reopen``, ``template`` and ``fields`` (settings.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

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
from dagster_project.automation.destinations.settings import DestinationSettings, Policy
from dagster_project.automation.destinations.slack import SlackSettings
from dagster_project.automation.destinations.webhook import WebhookSettings
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.errors import ConfigurationError
from dagster_project.home import REPOSITORY, Home

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
    """The configured destinations, ready to use; by default the local tracker alone.

    An entry that cannot be used is ``broken``, with the reason, and stops no other.

    Raises:
        ConfigurationError: the file as a whole cannot be read; the message names it.
    """
    found = next((path for path in (home.root / FILE_NAME, REPOSITORY / FILE_NAME) if path.is_file()), None)
    if found is None:
        return [_built(LocalSettings(name="local"), home, ("local",), Policy())]
    entries = _entries(found)
    names = tuple(_name(entry, number) for number, entry in enumerate(entries))
    return [_loaded(found, number, entry, names, home) for number, entry in enumerate(entries)]


def _entries(path: Path) -> list[Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return DestinationsFile.model_validate(content).destinations
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); check its rights") from None
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_first_problem(error, content)}") from None


def _name(entry: Any, number: int) -> str:
    """The name that an entry has, or would have."""
    said = entry.get("name") or entry.get("kind") if isinstance(entry, dict) else None
    return said if isinstance(said, str) and said else f"destinations.{number}"


def _loaded(path: Path, number: int, entry: Any, names: tuple[str, ...], home: Home) -> ConfiguredDestination:
    """One entry of the file, or a stand-in that says what is wrong with it."""
    try:
        settings: DestinationSettings = _ENTRY.validate_python(entry)
        if names.count(settings.name) > 1:
            raise ConfigurationError(f"two destinations are named '{settings.name}'; give one of them another name")
        return _built(settings, home, names, settings)
    except ValidationError as error:
        reason = _first_problem(error, entry, f"destinations.{number}")
    except ConfigurationError as error:
        reason = str(error)
    except Exception as error:  # whatever a destination raises when it is made: the others go on
        reason = f"destinations.{number}: {type(error).__name__}: {' '.join(str(error).split())}; check its settings"
    reason = f"{path}: {reason}"
    return ConfiguredDestination(_Broken(names[number], reason), beside=names, broken=reason)


def _built(settings: Any, home: Home, names: tuple[str, ...], policy: Policy) -> ConfiguredDestination:
    return ConfiguredDestination(settings.build(home), policy, settings.place, names)


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
