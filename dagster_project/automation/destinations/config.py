"""Reader of ``destinations.yml``, which lists the destinations of tickets and events.

    version: 1
    destinations:
      - kind: local                # a folder of Markdown files; folder defaults to HOME/tickets
      - kind: github
        repository: acme/shop      # the token comes from the environment variable named by token_env (GITHUB_TOKEN)
      - kind: pagerduty
        priorities: [P1]           # the integration key comes from routing_key_env (PAGERDUTY_ROUTING_KEY)

The file is looked for in the home, then in the repository root; without one, tickets go to the local folder only.
``name`` identifies a destination in the ledger: keep it when other settings change, or every ticket is opened anew
under the new name. docs/destinations.md has every kind; each also takes ``priorities``, ``mode``, ``reopen``,
``template`` and ``fields`` (settings.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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
from dagster_project.automation.destinations.slack import SlackSettings
from dagster_project.automation.destinations.webhook import WebhookSettings
from dagster_project.errors import ConfigurationError, yaml_problem
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
    """The whole of ``destinations.yml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    destinations: list[Settings]

    @model_validator(mode="after")
    def _names_are_unique(self) -> DestinationsFile:
        names = [settings.name for settings in self.destinations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two destinations are named '{twice[0]}'; give one of them another name")
        return self


def load_destinations(home: Home) -> list[ConfiguredDestination]:
    """The configured destinations, ready to use; by default the local tracker alone.

    Raises:
        ConfigurationError: the file is not YAML, or a setting is wrong; the message names file and setting.
    """
    found = next((path for path in (home.root / FILE_NAME, REPOSITORY / FILE_NAME) if path.is_file()), None)
    if found is None:
        return [ConfiguredDestination(LocalSettings(name="local").build(home))]
    return [ConfiguredDestination(settings.build(home), settings) for settings in read_destinations(found).destinations]


def read_destinations(path: Path) -> DestinationsFile:
    """The settings in a file, checked.

    Raises:
        ConfigurationError: as ``load_destinations``.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return DestinationsFile.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {yaml_problem(error)}") from None
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_first_problem(error, content)}") from None


def _first_problem(error: ValidationError, content: Any) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    setting = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and first["loc"][-1] in ("token", "password", "api_key"):
        return f"{setting}: no secrets in this file; put it in an environment variable and name that in token_env"
    if first["type"] == "extra_forbidden":
        return f"{setting}: there is no such setting; remove it or mend its name"
    if not isinstance(content, dict):
        return "there must be `version: 1` and a list `destinations`"
    return f"{setting}: {first['msg']}" if setting else first["msg"]
