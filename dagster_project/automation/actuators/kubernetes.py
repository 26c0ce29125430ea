"""Kubernetes: a Deployment set back to the template of an earlier revision, or its rollout paused.

An item is a Deployment's name. There is no rollback verb in apps/v1: earlier templates are in the ReplicaSets that
the Deployment owns, by their annotation ``deployment.kubernetes.io/revision``. The template is set by a JSON patch
that tests the resourceVersion. Pausing halts a rollout where it is; pods of both versions stay up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, ReleaseState, State
from dagster_project.automation.actuators.images import has_version
from dagster_project.automation.actuators.kubernetes_api import Camel, KubernetesActuator, KubernetesSettings, Meta
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
"""Label that Kubernetes adds to the template of a ReplicaSet."""


class DeploymentSettings(KubernetesSettings):
    """A ``kind: kubernetes`` target."""

    DESIRED: ClassVar[type[Desired]] = ReleaseState

    kind: Literal["kubernetes"] = "kubernetes"

    def build(self, home: Home) -> KubernetesDeployment:
        """The actuator."""
        return KubernetesDeployment(self, transport=self.transport(home))


class _Spec(Camel):
    template: dict[str, Any]
    paused: bool = False
    replicas: int = 1


class _Status(Camel):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0


class _Deployment(Camel):
    metadata: Meta
    spec: _Spec
    status: _Status = _Status()


class _ReplicaSet(Camel):
    metadata: Meta
    spec: _Spec

    @property
    def revision(self) -> int:
        return int(self.metadata.annotations.get(_REVISION, 0))

    @property
    def template(self) -> dict[str, Any]:
        """The template as the Deployment had it."""
        meta = dict(self.spec.template.get("metadata", {}))
        meta["labels"] = {name: value for name, value in meta.get("labels", {}).items() if name != _HASH}
        return {**self.spec.template, "metadata": meta}


class _ReplicaSets(Camel):
    items: list[_ReplicaSet]


class KubernetesDeployment(KubernetesActuator):
    """The Deployments of one namespace."""

    COLLECTION: ClassVar[tuple[str, str]] = ("/apis/apps/v1", "deployments")

    def read(self, item: str) -> Reading:
        """The template, and whether the rollout is paused."""
        deployment = self._deployment(item)
        state = {"template": deployment.spec.template, "paused": deployment.spec.paused}
        return Reading(item, state, deployment.metadata.resource_version, self._base_url + self._path(item))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the template is of the version, and the rollout paused or not."""
        version, halted = desired.get("version"), desired.get("halted")
        fits = version is None or has_version(_images(reading.state["template"]), version)
        return fits and (halted is None or reading.state["paused"] is halted)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That a revision with the version is there, and that a paused rollout would not hold it back."""
        if not (version := desired.get("version")):
            return ()
        known = self._revision_of(self._deployment(item), version)
        has = f"revision {known.revision} of {item}" if known else f"no ReplicaSet of {item} has version {version}"
        rows = [Preflight("previous_version", known is not None, has)]
        if reading.state["paused"] and desired.get("halted") is None:
            rows.append(Preflight("no_auto_sync", False, f"the rollout of {item} is paused: nothing would be replaced"))
        return rows

    def effect(self, item: str, desired: State) -> bool | None:
        """Whether the pods are of the version: all are replaced, and available."""
        deployment = self._deployment(item)
        if desired.get("version") is None:
            return None
        status, wanted = deployment.status, deployment.spec.replicas
        if status.observed_generation < deployment.metadata.generation:
            return None  # the controller has not seen the change
        counts = (status.replicas, status.updated_replicas, status.available_replicas)
        return has_version(_images(deployment.spec.template), desired["version"]) and counts == (wanted,) * 3

    def _make(self, now: Reading, desired: State, note: str) -> None:
        wanted = dict(now.state)
        if desired.get("halted") is not None:
            wanted["paused"] = desired["halted"]
        version = desired.get("version")
        if version and not has_version(_images(now.state["template"]), version):
            known = self._revision_of(self._deployment(now.item), version)
            if known is None:
                raise DeliveryError(Rejected(f"no ReplicaSet of {now.item} has version {version}"))
            wanted["template"] = known.template
        self._write(now, wanted, note)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        changes: list[dict[str, Any]] = []
        if now.state["template"] != wanted["template"]:
            changes.append({"op": "replace", "path": "/spec/template", "value": wanted["template"]})
        if now.state["paused"] is not wanted["paused"]:
            changes.append({"op": "add", "path": "/spec/paused", "value": wanted["paused"]})
        self._patch(now, changes)

    def _revision_of(self, deployment: _Deployment, version: str) -> _ReplicaSet | None:
        """The newest revision of the Deployment with that version."""
        path = f"{self._inside('/apis/apps/v1')}/replicasets"
        all_sets = self._http.read(path, _ReplicaSets)[0].items
        uid = deployment.metadata.uid
        own = [one for one in all_sets if any(owner.get("uid") == uid for owner in one.metadata.owner_references)]
        fitting = [one for one in own if has_version(_images(one.spec.template), version)]
        return max(fitting, key=lambda one: one.revision, default=None)

    def _deployment(self, item: str) -> _Deployment:
        return self._http.read(self._path(item), _Deployment)[0]


def _images(template: State) -> list[str]:
    return [container.get("image", "") for container in template.get("spec", {}).get("containers", ())]
