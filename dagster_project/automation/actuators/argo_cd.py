"""Argo CD: an application rolled back to a deployment of its history, or its auto-sync paused.

An item is an application's name. A rollback is refused while auto-sync is on, because the next sync would undo it: the
pre-flight ``no_auto_sync`` says so, and what to do instead, which is a revert in Git, or a pause of auto-sync as a
mitigation of its own (``set: {auto_sync: false}``). A rollback runs for a while; as long as any operation runs, nothing
is sent. There is no conditional write: the application is read just before and after.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State
from dagster_project.automation.actuators.http import HttpActuator, segment
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import Deferred, DeliveryError, Rejected
from dagster_project.home import Home

_SHORT = 7
"""Characters of a commit that name it."""


class ArgoCdState(Desired):
    """Either a version to go back to (a commit, a tag, a chart's version), or auto-sync on or off."""

    version: str | None = None
    auto_sync: bool | None = None

    @model_validator(mode="after")
    def _is_one(self) -> ArgoCdState:
        if (self.version is None) is (self.auto_sync is None):
            raise ValueError("set either version or auto_sync; each is a mitigation of its own")
        return self


class ArgoCdSettings(HttpTargetSettings):
    """A ``kind: argo_cd`` target."""

    DESIRED: ClassVar[type[Desired]] = ArgoCdState

    kind: Literal["argo_cd"] = "argo_cd"
    token_env: str = Field("ARGOCD_TOKEN", pattern=VARIABLE)

    def build(self, home: Home) -> ArgoCd:
        """The actuator."""
        return ArgoCd(self)


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Deployment(_Camel):
    id: int
    revision: str = ""
    revisions: list[str] = []
    source: dict[str, Any] = {}
    sources: list[dict[str, Any]] = []

    @property
    def names(self) -> list[str]:
        """All that this deployment is known by: commits, tags, chart versions."""
        sources = [self.source, *self.sources]
        return [one for one in (self.revision, *self.revisions, *(s.get("targetRevision", "") for s in sources)) if one]

    def is_version(self, version: str) -> bool:
        """True if the version names it; a commit by its first characters as well."""
        exact = any(name.removeprefix("v") == version.removeprefix("v") for name in self.names)
        return exact or (len(version) >= _SHORT and any(name.startswith(version) for name in self.names))


class _Operation(BaseModel):
    phase: str = ""


class _Status(_Camel):
    history: list[_Deployment] = []
    operation_state: _Operation = _Operation()


class _Spec(_Camel):
    sync_policy: dict[str, Any] | None = None


class _Application(BaseModel):
    spec: _Spec
    status: _Status = _Status()
    operation: dict[str, Any] | None = None

    @property
    def is_busy(self) -> bool:
        return self.operation is not None or self.status.operation_state.phase in ("Running", "Terminating")


class ArgoCd(ReadBack, HttpActuator):
    """The applications of one Argo CD."""

    READS = 10

    def __init__(self, settings: ArgoCdSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.token_env, "a token of an account that may sync")
        super().__init__(settings, secret, transport=transport)

    def read(self, item: str) -> Reading:
        """What was deployed last, and the sync policy."""
        return self._reading(item, self._application(item))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the version is deployed, or auto-sync is as wanted."""
        if version := desired.get("version"):
            return any(_Deployment(id=0, revision=name).is_version(version) for name in reading.state["deployed"])
        return _syncs(reading.state["sync_policy"]) is bool(desired["auto_sync"])

    def dry_run(self, item: str, desired: State, before: Reading) -> None:
        """Let Argo CD validate the rollback."""
        if version := desired.get("version"):
            self._roll_back(item, self._find(self._application(item), item, version), dry_run=True)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That the version was deployed before, and that auto-sync would not refuse or undo the rollback."""
        if not (version := desired.get("version")):
            return ()
        known = [one for one in self._application(item).status.history if one.is_version(version)]
        has = f"deployment {known[-1].id} of {item}" if known else f"the history of {item} has no {version}"
        answer = "auto-sync is off"
        if on := _syncs(reading.state["sync_policy"]):
            answer = (
                f"auto-sync is on, so Argo CD refuses a rollback: revert {reading.state['deployed'][0]} in Git,"
                f" or pause auto-sync first, by a mitigation with `set: {{auto_sync: false}}`"
            )
        return (Preflight("previous_version", bool(known), has), Preflight("no_auto_sync", not on, answer))

    def _make(self, now: Reading, desired: State, note: str) -> None:
        if version := desired.get("version"):
            application = self._idle(now.item)
            self._roll_back(now.item, self._find(application, now.item, version))
        else:
            policy = dict(now.state["sync_policy"] or {})
            policy["automated"] = (policy.get("automated") or {}) | {"enabled": True} if desired["auto_sync"] else None
            self._set_policy(now.item, policy)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        if now.state["sync_policy"] != wanted["sync_policy"]:
            self._set_policy(now.item, wanted["sync_policy"])
        if now.state["deployed"] != wanted["deployed"]:
            application = self._idle(now.item)
            fitting = [one for one in application.status.history if one.names == wanted["deployed"]]
            if not fitting:
                raise DeliveryError(Rejected(f"the history of {now.item} has no {wanted['deployed'][0]} any more"))
            self._roll_back(now.item, fitting[-1])

    def _roll_back(self, item: str, deployment: _Deployment, *, dry_run: bool = False) -> None:
        body = {"name": item, "id": deployment.id, "dryRun": dry_run}
        self._http.send("POST", f"{self._path(item)}/rollback", body)

    def _set_policy(self, item: str, policy: dict[str, Any] | None) -> None:
        """Replace the automated part, which is all that is ever changed; null removes it."""
        automated = (policy or {}).get("automated")
        patch = json.dumps({"spec": {"syncPolicy": {"automated": automated}}})
        self._http.send("PATCH", self._path(item), {"name": item, "patch": patch, "patchType": "merge"})

    def _find(self, application: _Application, item: str, version: str) -> _Deployment:
        known = [one for one in application.status.history if one.is_version(version)]
        if not known:
            raise DeliveryError(Rejected(f"the history of {item} has no {version}; it was never deployed there"))
        return known[-1]

    def _idle(self, item: str) -> _Application:
        application = self._application(item)
        if application.is_busy:
            raise DeliveryError(Deferred(f"Argo CD is at work on {item}", timedelta(seconds=30)))
        return application

    def _application(self, item: str) -> _Application:
        return self._http.read(self._path(item), _Application)[0]

    def _reading(self, item: str, application: _Application) -> Reading:
        if not application.status.history:
            raise DeliveryError(Rejected(f"{item} was never deployed by Argo CD"))
        last = application.status.history[-1]
        state = {"deployed": last.names, "sync_policy": application.spec.sync_policy or None}
        return Reading(item, state, str(last.id), f"{self._base_url}/applications/{segment(item)}")

    def _path(self, item: str) -> str:
        return f"/api/v1/applications/{segment(item)}"


def _syncs(policy: dict[str, Any] | None) -> bool:
    """True if the policy syncs by itself; ``enabled: false`` is newer than the presence of ``automated``."""
    automated = (policy or {}).get("automated")
    return automated is not None and automated.get("enabled") is not False
