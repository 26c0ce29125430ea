"""Configured targets: the entries of ``targets`` in the playbook, each with its actuator.

A target that the home's kind may not act on (``automation/borders.py``) is never built. An entry that cannot be used is
``broken``, with the reason, and stops no other. docs/control_systems.md has every kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dagster_project.automation.actuators.app_store import AppStoreSettings
from dagster_project.automation.actuators.argo_cd import ArgoCdSettings
from dagster_project.automation.actuators.argo_rollouts import ArgoRolloutsSettings
from dagster_project.automation.actuators.base import Actuator, Desired
from dagster_project.automation.actuators.codedeploy import CodeDeploySettings
from dagster_project.automation.actuators.elbv2 import ElbV2Settings
from dagster_project.automation.actuators.envoy import EnvoySettings
from dagster_project.automation.actuators.flagd_file import FlagdFileSettings
from dagster_project.automation.actuators.gateway_route import GatewayRouteSettings
from dagster_project.automation.actuators.github_workflow import GitHubWorkflowSettings
from dagster_project.automation.actuators.google_play import GooglePlaySettings
from dagster_project.automation.actuators.growthbook import GrowthBookSettings
from dagster_project.automation.actuators.haproxy import HAProxySettings
from dagster_project.automation.actuators.kubernetes import DeploymentSettings
from dagster_project.automation.actuators.launchdarkly import LaunchDarklySettings
from dagster_project.automation.actuators.local import LocalControlSettings
from dagster_project.automation.actuators.settings import TargetSettings
from dagster_project.automation.actuators.traefik_file import TraefikFileSettings
from dagster_project.automation.actuators.unleash import UnleashSettings
from dagster_project.automation.actuators.webhook import WebhookTargetSettings
from dagster_project.automation.borders import refusal_of
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

KINDS: Mapping[str, type[TargetSettings]] = {
    settings.model_fields["kind"].default: settings
    for settings in (
        AppStoreSettings,
        ArgoCdSettings,
        ArgoRolloutsSettings,
        CodeDeploySettings,
        DeploymentSettings,
        ElbV2Settings,
        EnvoySettings,
        FlagdFileSettings,
        GatewayRouteSettings,
        GitHubWorkflowSettings,
        GooglePlaySettings,
        GrowthBookSettings,
        HAProxySettings,
        LaunchDarklySettings,
        LocalControlSettings,
        TraefikFileSettings,
        UnleashSettings,
        WebhookTargetSettings,
    )
}
"""Settings by kind; a new actuator is added to this tuple."""


@dataclass(frozen=True)
class Target:
    """A configured target; ``broken`` is the reason why it cannot be used, and then there is no actuator."""

    name: str
    settings: TargetSettings | None
    actuator: Actuator | None
    broken: str = ""


def load_target(home: Home, name: str, entry: Mapping[str, Any]) -> Target:
    """One entry of the playbook's ``targets``, ready to use or broken."""
    kind = str(entry.get("kind"))
    if kind not in KINDS:
        return Target(name, None, None, f"targets.{name}.kind: '{kind}' is none of {', '.join(sorted(KINDS))}")
    try:
        settings = KINDS[kind].model_validate({**entry, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(str(part) for part in ("targets", name, *first["loc"]))
        return Target(name, None, None, f"{setting}: {first['msg']}")
    if refused := refusal_of(home, f"target {name}", settings.environment, settings.where(home)):
        return Target(name, settings, None, refused)
    try:
        return Target(name, settings, settings.build(home))
    except ConfigurationError as error:
        return Target(name, settings, None, f"targets.{name}.{error}")


def desired_problem(settings: TargetSettings, desired: Mapping[str, Any]) -> str:
    """What is wrong with a desired state for this kind of target; empty if nothing is."""
    form: type[Desired] = settings.DESIRED
    try:
        form.model_validate(desired)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return ""
