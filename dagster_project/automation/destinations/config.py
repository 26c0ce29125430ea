"""Reader of ``destinations.yml``, which lists the destinations of tickets and events.

    version: 1
    destinations:
      - kind: local                # a folder of Markdown files; folder defaults to HOME/tickets
      - kind: github
        repository: acme/shop      # the token comes from the environment variable named by token_env (GITHUB_TOKEN)
      - kind: pagerduty
        priorities: [P1]           # the integration key comes from routing_key_env (PAGERDUTY_ROUTING_KEY)

The file is the home's own; without one, tickets go to the local folder only. A destination that the home's kind may not
write to (``borders.py``) is never built.
``name`` identifies a destination in the ledger: keep it when other settings change, or every ticket is opened anew
under the new name. docs/destinations.md has every kind; each also takes ``priorities``, ``mode``, ``reopen``,
``template``, ``fields`` and ``environment`` (settings.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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
from dagster_project.automation.destinations.slack import SlackSettings
from dagster_project.automation.destinations.webhook import WebhookSettings
from dagster_project.errors import ConfigurationError, yaml_problem
from dagster_project.home import Home

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
    """The configured destinations that this home may write to, ready to use; by default the local tracker alone.

    A rehearsal that may write to none of them writes to its local tracker. Whatever leaves a home passes here: nothing
    else builds a destination. ``refused_destinations`` has the others.

    Raises:
        ConfigurationError: the file is not YAML, or a setting is wrong; the message names file and setting.
    """
    configured = _settings(home)
    allowed = [settings for settings in configured if not refusal(home, settings)]
    if configured and not allowed and home.is_rehearsal and not refusal(home, own := LocalSettings(name="local")):
        allowed = [own]
    return [ConfiguredDestination(settings.build(home), _placed(home, settings)) for settings in allowed]


def refused_destinations(home: Home) -> list[str]:
    """The configured destinations that this home may not write to: one line each, with the reason.

    Raises:
        ConfigurationError: as ``load_destinations``.
    """
    return [reason for settings in _settings(home) if (reason := refusal(home, settings))]


def _settings(home: Home) -> list[Settings]:
    path = home.root / FILE_NAME
    return read_destinations(path).destinations if path.is_file() else [LocalSettings(name="local")]


def _placed(home: Home, settings: Settings) -> Settings:
    """The settings with the path of their template, which is relative to the home."""
    if settings.template is None:
        return settings
    return settings.model_copy(update={"template": home.root / settings.template.expanduser()})


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
