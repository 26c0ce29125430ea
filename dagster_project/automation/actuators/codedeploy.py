"""AWS CodeDeploy: a running deployment stopped, with CodeDeploy's own rollback to what was there before.

An item is ``APPLICATION/DEPLOYMENT-GROUP``. Stopping makes CodeDeploy deploy the last good revision again; that runs
for minutes and is read again later. Undoing it deploys the revision of the state before, which is the bad one, on
purpose. A deployment that has ended cannot be stopped. There is no conditional write: the group is read just before
and after, and a stop names the deployment that was read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from dagster_project.automation.actuators.aws import AwsActuator, AwsSettings
from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State, canonical
from dagster_project.automation.outcomes import DeliveryError, NotSent, Rejected, Unknown
from dagster_project.home import Home

_RUNNING = ("Created", "Queued", "InProgress", "Baking", "Ready")
_ENDED_BADLY = ("Failed", "Stopped")


class HaltState(Desired):
    """The running deployment stopped and rolled back."""

    halted: Literal[True]


class CodeDeploySettings(AwsSettings):
    """A ``kind: codedeploy`` target."""

    SERVICE: ClassVar[str] = "codedeploy"
    DESIRED: ClassVar[type[Desired]] = HaltState

    kind: Literal["codedeploy"] = "codedeploy"

    def build(self, home: Home) -> CodeDeploy:
        """The actuator."""
        return CodeDeploy(self)


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Named(_Camel):
    deployment_id: str


class _Group(_Camel):
    last_attempted_deployment: _Named | None = None
    last_successful_deployment: _Named | None = None
    alarm_configuration: dict[str, Any] = {}


class _GroupAnswer(_Camel):
    deployment_group_info: _Group


class _Deployment(_Camel):
    deployment_id: str
    status: str
    revision: dict[str, Any] = {}
    rollback_info: dict[str, Any] = {}

    @property
    def is_running(self) -> bool:
        return self.status in _RUNNING

    @property
    def rolls_back(self) -> str:
        """The deployment that this one rolls back; empty if it is none of that kind."""
        return str(self.rollback_info.get("rollbackTriggeringDeploymentId", ""))


class _DeploymentAnswer(_Camel):
    deployment_info: _Deployment


_Answer = TypeVar("_Answer", bound=BaseModel)


class CodeDeploy(AwsActuator):
    """The deployment groups of one region."""

    SIGNED_AS = "codedeploy"
    READS = 5

    def read(self, item: str) -> Reading:
        """The revision that was to be deployed last, and whether that was halted; a rollback is no such will."""
        _, latest = self._latest(item)
        meant = self._deployment(latest.rolls_back) if latest.rolls_back else latest
        state = {"revision": meant.revision, "halted": bool(latest.rolls_back) or meant.status in _ENDED_BADLY}
        url = f"https://console.aws.amazon.com/codesuite/codedeploy/deployments/{latest.deployment_id}"
        return Reading(item, state, latest.deployment_id, url)

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the deployment was stopped, or rolled back since."""
        return bool(reading.state["halted"])

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That something runs and can go back, and that no alarm would block the way back."""
        group, deployment = self._latest(item)
        last_good = group.last_successful_deployment
        goes = deployment.is_running and last_good is not None
        answer = f"goes back to what {last_good.deployment_id} deployed" if last_good else "nothing was deployed before"
        if not deployment.is_running:
            answer = f"nothing runs: {deployment.deployment_id} has ended as {deployment.status}"
        rows = [Preflight("previous_version", goes, answer)]
        alarms = group.alarm_configuration
        if alarms.get("enabled"):
            names = ", ".join(one.get("name", "") for one in alarms.get("alarms", ()))
            rows.append(Preflight("no_other_approval", None, f"while an alarm rings, the rollback is blocked: {names}"))
        return rows

    def effect(self, item: str, desired: State) -> bool | None:
        """Whether the rollback has arrived on the instances; None while it runs."""
        _, deployment = self._latest(item)
        if deployment.is_running:
            return None
        return bool(deployment.rolls_back) and deployment.status == "Succeeded"

    def _make(self, now: Reading, desired: State, note: str) -> None:
        self._call("StopDeployment", {"deploymentId": now.version, "autoRollbackEnabled": True})

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        if wanted["halted"]:
            raise DeliveryError(Rejected(f"{now.item} was halted before as well; deploy what you want there"))
        application, group = _parts(now.item)
        body = {"applicationName": application, "deploymentGroupName": group, "revision": wanted["revision"]}
        self._call("CreateDeployment", {**body, "description": note[:256]})

    def _latest(self, item: str) -> tuple[_Group, _Deployment]:
        application, name = _parts(item)
        asked = {"applicationName": application, "deploymentGroupName": name}
        group = self._get("GetDeploymentGroup", asked, _GroupAnswer).deployment_group_info
        if group.last_attempted_deployment is None:
            raise DeliveryError(Rejected(f"nothing was ever deployed to {item}"))
        return group, self._deployment(group.last_attempted_deployment.deployment_id)

    def _deployment(self, deployment_id: str) -> _Deployment:
        return self._get("GetDeployment", {"deploymentId": deployment_id}, _DeploymentAnswer).deployment_info

    def _get(self, action: str, body: Mapping[str, Any], expected: type[_Answer]) -> _Answer:
        try:
            return expected.model_validate_json(self._ask(*self._request(action, body)))
        except ValidationError:
            reason = f"answered to {action}, but not in the form of CodeDeploy; check base_url"
            raise DeliveryError(NotSent(reason)) from None

    def _call(self, action: str, body: Mapping[str, Any]) -> None:
        answer = self._tell(*self._request(action, body))
        try:
            json.loads(answer or b"{}")
        except ValueError:
            raise DeliveryError(Unknown(f"answered to {action}, but not with JSON; check base_url")) from None

    def _request(self, action: str, body: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
        content = canonical(body).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"CodeDeploy_20141006.{action}"}
        return content, self._signed(headers, content, datetime.now(UTC))


def _parts(item: str) -> tuple[str, str]:
    application, _, group = item.partition("/")
    if not group:
        raise DeliveryError(Rejected(f"'{item}' is no item of CodeDeploy: APPLICATION/DEPLOYMENT-GROUP"))
    return application, group
