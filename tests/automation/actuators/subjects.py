"""One subject per kind of control system: the simulated system, its settings, and what the contract does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from dagster_project.automation.actuators.base import Preflight
from dagster_project.automation.actuators.config import KINDS
from dagster_project.home import Home
from tests.automation.actuators import (
    fake_app_store,
    fake_argo_cd,
    fake_argo_rollouts,
    fake_aws,
    fake_control_webhook,
    fake_github_actions,
    fake_google_play,
    fake_growthbook,
    fake_kubernetes,
    fake_launchdarkly,
)


@dataclass(frozen=True)
class Subject:
    """A kind of target; ``wrong`` is a secret of the right form that the system does not accept."""

    kind: str
    fake: Callable[[], Any]
    secret: tuple[str, str]
    item: str
    desired: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    wrong: str = "wrong-0123456789"
    others: tuple[tuple[str, str], ...] = ()
    """Further variables that must be set."""

    @property
    def secrets(self) -> tuple[tuple[str, str], ...]:
        """Every variable that must be set."""
        return (self.secret, *self.others)

    def actuator(self, target: Callable[[httpx.Request], httpx.Response], **changed: Any) -> Any:
        """The actuator, with the simulated system in place of a network."""
        entry = {"name": "target", "kind": self.kind, **self.settings, **changed}
        settings = KINDS[self.kind].model_validate(entry)
        built = type(settings.build(Home.locate(Path("unused"))))
        return built(settings, transport=httpx.MockTransport(target))  # type: ignore[call-arg]


_AWS: dict[str, Any] = {"settings": {"region": "eu-central-1"}, "others": (("AWS_ACCESS_KEY_ID", fake_aws.ACCESS),)}
_KUBERNETES: dict[str, Any] = {
    "fake": fake_kubernetes.FakeKubernetes,
    "secret": ("KUBERNETES_TOKEN", fake_kubernetes.TOKEN),
    "settings": {"base_url": "https://kube.acme.example:6443", "namespace": "prod"},
}
_ROLLOUTS: dict[str, Any] = {
    "fake": fake_argo_rollouts.FakeArgoRollouts,
    "secret": ("ROLLOUTS_TOKEN", fake_argo_rollouts.TOKEN),
    "settings": {"base_url": fake_argo_rollouts.SERVER, "namespace": "prod", "token_env": "ROLLOUTS_TOKEN"},
}
_ARGO_CD: dict[str, Any] = {
    "fake": fake_argo_cd.FakeArgoCd,
    "secret": ("ARGOCD_TOKEN", fake_argo_cd.TOKEN),
    "settings": {"base_url": fake_argo_cd.SERVER},
}

SUBJECTS = [
    Subject(
        "launchdarkly",
        fake_launchdarkly.FakeLaunchDarkly,
        ("LAUNCHDARKLY_TOKEN", fake_launchdarkly.TOKEN),
        "new-checkout",
        {"enabled": False},
        {"project": "shop"},
    ),
    Subject(
        "growthbook",
        fake_growthbook.FakeGrowthBook,
        ("GROWTHBOOK_TOKEN", fake_growthbook.TOKEN),
        "new-checkout",
        {"enabled": False},
        {"client_key": "sdk-1"},
    ),
    Subject("argo_rollouts", item="shop", desired={"halted": True}, label="abort", **_ROLLOUTS),
    Subject("argo_rollouts", item="shop", desired={"version": "5.1.0"}, label="undo", **_ROLLOUTS),
    Subject("argo_cd", item="shop", desired={"version": "5.1.0"}, **_ARGO_CD),
    Subject("argo_cd", item="shop", desired={"auto_sync": True}, label="auto_sync", **_ARGO_CD),
    Subject("kubernetes", item="shop", desired={"version": "5.1.0"}, **_KUBERNETES),
    Subject("kubernetes", item="shop", desired={"halted": True}, label="pause", **_KUBERNETES),
    Subject("gateway_route", item="checkout", desired={"weights": {"canary": 0, "stable": 100}}, **_KUBERNETES),
    Subject(
        "github_workflow",
        fake_github_actions.FakeGitHubActions,
        ("GITHUB_TOKEN", fake_github_actions.TOKEN),
        "production",
        {"version": "5.1.0"},
        {"repository": "acme/shop", "workflow": "roll-back.yml", "inputs": {"reason": "feedback-control"}},
    ),
    Subject(
        "codedeploy",
        fake_aws.FakeCodeDeploy,
        ("AWS_SECRET_ACCESS_KEY", fake_aws.SECRET),
        "shop/prod",
        {"halted": True},
        **_AWS,
    ),
    Subject(
        "elbv2",
        fake_aws.FakeElbV2,
        ("AWS_SECRET_ACCESS_KEY", fake_aws.SECRET),
        fake_aws.LISTENER,
        {"weights": {"canary": 0, fake_aws.STABLE: 100}},
        **_AWS,
    ),
    Subject(
        "elbv2",
        fake_aws.FakeElbV2,
        ("AWS_SECRET_ACCESS_KEY", fake_aws.SECRET),
        fake_aws.RULE,
        {"weights": {"canary": 0}},
        label="rule",
        **_AWS,
    ),
    Subject(
        "google_play",
        fake_google_play.FakeGooglePlay,
        ("GOOGLE_PLAY_SERVICE_ACCOUNT", fake_google_play.account()),
        "production",
        {"halted": True},
        {"package": "example.shop"},
    ),
    Subject(
        "app_store",
        fake_app_store.FakeAppStore,
        ("APP_STORE_KEY", fake_app_store.line()),
        "1234",
        {"halted": True},
        {"issuer_id": "issuer-1", "key_id": "KEY1"},
    ),
    Subject(
        "webhook",
        fake_control_webhook.FakeControl,
        ("CONTROL_WEBHOOK_SECRET", fake_control_webhook.SECRET),
        "pools/north",
        {"drained": True, "limits": {"rps": 10}},
        {"base_url": "https://ops.acme.example/control"},
        wrong="whsec_" + "d3Jvbmct" * 5,
    ),
]


def subject_of(kind: str, label: str = "") -> Subject:
    """The subject of a kind."""
    return next(one for one in SUBJECTS if (one.kind, one.label) == (kind, label))


def built(kind: str, target: Any, label: str = "", **settings: Any) -> Any:
    """The actuator of a kind, with a simulated system."""
    return subject_of(kind, label).actuator(target, **settings)


def row(rows: Iterable[Preflight], name: str) -> Preflight:
    """The one pre-flight of that name."""
    (found,) = (one for one in rows if one.name == name)
    return found
