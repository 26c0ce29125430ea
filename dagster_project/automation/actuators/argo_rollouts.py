"""Argo Rollouts: a rollout aborted, or set back to a version, through the server of its dashboard.

An item is a rollout's name. **Abort** halts: all traffic goes to the stable version, and ``spec.template`` stays at
the bad one, so that a retry, or any change that starts it again, brings it back: ``retry_would_start`` in a reading
says so. **Going back** to a version also sets the template. Undoing an abort is a retry, on purpose. The server
offers no conditional write: the rollout is read just before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, ReleaseState, State
from dagster_project.automation.actuators.conditional import after_writing
from dagster_project.automation.actuators.http import HttpActuator, segment
from dagster_project.automation.actuators.images import has_version, spelled
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home


class ArgoRolloutsSettings(HttpTargetSettings):
    """A ``kind: argo_rollouts`` target; the server asks for no token itself, a proxy before it may."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "namespace")
    DESIRED: ClassVar[type[Desired]] = ReleaseState

    kind: Literal["argo_rollouts"] = "argo_rollouts"
    namespace: str = "default"
    token_env: str | None = Field(None, pattern=VARIABLE)

    def build(self, home: Home) -> ArgoRollouts:
        """The actuator."""
        return ArgoRollouts(self)


class _ReplicaSet(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    revision: int
    stable: bool = False
    images: list[str] = []
    available: int = 0


class _Rollout(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    status: str = ""
    message: str = ""
    replica_sets: list[_ReplicaSet] = []

    @property
    def template(self) -> _ReplicaSet:
        """What ``spec.template`` says: the newest revision."""
        return max(self.replica_sets, key=lambda one: one.revision)

    @property
    def stable(self) -> list[str]:
        return next((sorted(one.images) for one in self.replica_sets if one.stable), [])


class ArgoRollouts(ReadBack, HttpActuator):
    """The rollouts of one namespace."""

    READS = 5

    def __init__(self, settings: ArgoRolloutsSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = (
            Secret(settings.token_env, "the token of the proxy before Argo Rollouts") if settings.token_env else None
        )
        super().__init__(settings, secret, transport=transport)
        self._namespace = settings.namespace

    def read(self, item: str) -> Reading:
        """The images of the template, whether it was aborted, and then what a retry would start."""
        rollout = self._rollout(item)
        template, aborted = sorted(rollout.template.images), rollout.message.startswith("RolloutAborted")
        state: dict[str, Any] = {"template": template, "aborted": aborted}
        if aborted:
            state["retry_would_start"] = template
        page = f"{self._base_url}/rollouts/rollout/{segment(self._namespace)}/{segment(item)}"
        return Reading(item, state, str(rollout.template.revision), page)

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the template is of the version, or if it was aborted or not."""
        if version := desired.get("version"):
            return has_version(reading.state["template"], version)
        return bool(reading.state["aborted"]) is bool(desired.get("halted"))

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That there is something to halt, or to go back to, and what would bring the bad version back."""
        rollout = self._rollout(item)
        template, stable = reading.state["template"], rollout.stable
        if version := desired.get("version"):
            known = [one for one in rollout.replica_sets if has_version(one.images, version)]
            has = f"revision {known[0].revision} has {version}" if known else f"no revision of {item} has {version}"
            return (Preflight("previous_version", bool(known), has),)
        if not desired.get("halted"):
            return ()
        going = template != stable
        answer = f"goes back to {spelled(stable)}" if going else f"nothing to halt: {spelled(template)} is out"
        stays = f"an abort leaves the template at {spelled(template)}: a retry, or a sync from Git, starts it again"
        return (Preflight("previous_version", going, answer), Preflight("no_auto_sync", None, stays))

    def effect(self, item: str, desired: State) -> bool | None:
        """Whether pods of another version than the wanted one are up."""
        rollout = self._rollout(item)
        if version := desired.get("version"):
            up = [one for one in rollout.replica_sets if one.available]
            return all(has_version(one.images, version) for one in up) if up else None
        if not desired.get("halted"):
            return None
        return not any(one.available for one in rollout.replica_sets if not one.stable)

    def _make(self, now: Reading, desired: State, note: str) -> None:
        if version := desired.get("version"):
            self._undo(now.item, lambda images: has_version(images, version), f"version {version}")
            return
        if desired.get("halted") and self._rollout(now.item).stable == now.state["template"]:
            raise DeliveryError(Rejected(f"nothing to halt: {spelled(now.state['template'])} of {now.item} is out"))
        self._act(now.item, "abort" if desired.get("halted") else "retry")

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        """Set template and abort as they were; only a state that was can be wanted."""
        template = wanted["template"]
        if now.state["template"] == template:
            self._act(now.item, "abort" if wanted["aborted"] else "retry")
            return
        self._undo(now.item, lambda images: sorted(images) == template, spelled(template))
        if wanted["aborted"]:  # a template that is set starts
            after_writing(lambda: self._act(now.item, "abort"))

    def _undo(self, item: str, fits: Any, name: str) -> None:
        known = [one.revision for one in self._rollout(item).replica_sets if fits(one.images)]
        if not known:
            raise DeliveryError(Rejected(f"no revision of {item} has {name}; its old ReplicaSets are gone"))
        body = {"rollout": item, "namespace": self._namespace, "revision": str(max(known))}
        self._http.send("PUT", f"{self._path(item)}/undo/{max(known)}", body)

    def _act(self, item: str, verb: str) -> None:
        self._http.send("PUT", f"{self._path(item)}/{verb}", {"name": item, "namespace": self._namespace})

    def _rollout(self, item: str) -> _Rollout:
        rollout = self._http.read(f"{self._path(item)}/info", _Rollout)[0]
        if not rollout.replica_sets:
            raise DeliveryError(Rejected(f"rollout {item} has no ReplicaSet yet"))
        return rollout

    def _path(self, item: str) -> str:
        return f"/api/v1/rollouts/{segment(self._namespace)}/{segment(item)}"
