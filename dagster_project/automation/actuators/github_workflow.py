"""GitHub Actions: a version deployed by a workflow of the team's own, by dispatch.

An item is a deployment environment of the repository; its state is what GitHub's latest successful deployment there
says. The workflow takes the inputs ``environment``, ``version`` and ``plan``, deploys, and records a deployment whose
``ref``, or ``version`` in whose payload, is the version (docs/control_systems.md has one). ``plan`` is a hash of what
is to be done, and stands in the run's name: by it a run is found again whose dispatch gave no id or lost its answer,
so that none is started twice. A run that an environment's protection rules hold is waited for, with its link.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field, ValidationError

from dagster_project.automation.actuators.base import AwaitingApproval, Desired, Preflight, Reading, State, canonical
from dagster_project.automation.actuators.conditional import after_writing
from dagster_project.automation.actuators.http import HttpActuator, segment
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected, Unknown
from dagster_project.home import Home

_RECENT = 30
"""Deployments and runs that are looked through."""
_HELD = ("waiting", "action_required")
"""Status of a run that waits for an approval of GitHub's."""


class WorkflowState(Desired):
    """The version to deploy: a tag, a branch or a commit."""

    version: str


class GitHubWorkflowSettings(HttpTargetSettings):
    """A ``kind: github_workflow`` target; ``inputs`` go to the workflow beside the three of ours, 25 in all."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "repository", "workflow")
    DESIRED: ClassVar[type[Desired]] = WorkflowState

    kind: Literal["github_workflow"] = "github_workflow"
    base_url: str = "https://api.github.com"
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    workflow: str = Field(pattern=r"^[\w.-]+$")
    ref: str = "main"
    inputs: dict[str, str] = Field({}, max_length=22)
    token_env: str = Field("GITHUB_TOKEN", pattern=VARIABLE)

    def build(self, home: Home) -> GitHubWorkflow:
        """The actuator."""
        return GitHubWorkflow(self)


class _Deployment(BaseModel):
    id: int
    ref: str
    sha: str = ""
    payload: dict[str, Any] | str | None = None
    description: str | None = None

    @property
    def version(self) -> str:
        """The version that it says."""
        said = self.payload.get("version") if isinstance(self.payload, dict) else None
        return str(said or self.ref)


class _Status(BaseModel):
    state: str


class _Run(BaseModel):
    id: int
    html_url: str
    display_title: str = ""
    status: str | None = None
    conclusion: str | None = None


class _Started(BaseModel):
    workflow_run_id: int


class _Runs(BaseModel):
    workflow_runs: list[_Run]


class GitHubWorkflow(ReadBack, HttpActuator):
    """One workflow of one repository."""

    READS = 10

    def __init__(self, settings: GitHubWorkflowSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.token_env, "a token that may run workflows and read deployments")
        super().__init__(settings, secret, transport=transport)
        self._settings = settings
        self._repository = f"/repos/{settings.repository}"
        self._workflow = f"{self._repository}/actions/workflows/{settings.workflow}"

    def read(self, item: str) -> Reading:
        """The version and the commit of the latest successful deployment."""
        segment(item)  # an empty name would ask for every environment
        for one in self._deployments(item):
            if self._state_of(one) in ("success", "inactive"):
                url = f"{self._base_url}{self._repository}/deployments/{one.id}"
                return Reading(item, {"version": one.version, "sha": one.sha}, str(one.id), url)
        raise DeliveryError(Rejected(f"{self._settings.repository} has no successful deployment to {item}"))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the version is deployed; a commit by its first seven characters or more."""
        version, sha = str(desired["version"]), str(reading.state["sha"])
        return reading.state["version"] == version or (len(version) >= 7 and sha.startswith(version))

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That the version was deployed there before, and that no deployment is under way."""
        deployments = self._deployments(item)
        wanted = str(desired["version"])
        before = any(one.version == wanted and self._state_of(one) in ("success", "inactive") for one in deployments)
        answer = f"deployed to {item} before" if before else f"none of the last {_RECENT} deployments to {item} is it"
        rows = [Preflight("previous_version", before or None, answer)]
        if deployments and (going := self._state_of(deployments[0])) in ("queued", "in_progress", "pending", "waiting"):
            rows.append(Preflight("no_auto_sync", False, f"deployment {deployments[0].id} of it is {going}"))
        return rows

    def _make(self, now: Reading, desired: State, note: str) -> None:
        self._run(now.item, str(desired["version"]), note)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        self._run(now.item, str(wanted["version"]), note)

    def _run(self, item: str, version: str, note: str) -> None:
        """Start the workflow unless a run for the same plan is there; wait a while for its end."""
        plan = hashlib.sha256(canonical([item, version, note]).encode()).hexdigest()[:12]
        name = f"the run of {self._settings.workflow} for {item}"
        started = 0 if (run := self._find(plan)) else self._dispatch(item, version, plan)
        for _ in range(self.READS):
            run = after_writing(lambda: self._find(plan, started))
            if run and run.status in (*_HELD, "completed"):
                break
            time.sleep(self.PAUSE)
        if run is None:
            raise DeliveryError(Unknown(f"dispatched; {name} is not listed yet"))
        if run.status in _HELD:
            raise AwaitingApproval(f"GitHub holds {name}", run.html_url)
        if run.status != "completed":
            raise DeliveryError(Unknown(f"{name} goes on: {run.html_url}"))
        if run.conclusion != "success":
            raise DeliveryError(Rejected(f"{name} ended as {run.conclusion}; run it again there: {run.html_url}"))
        if not self.shows(after_writing(lambda: self.read(item)), {"version": version}):
            told = f"GitHub has no successful deployment of {version} to it; let the workflow record one"
            raise DeliveryError(Rejected(f"{name} ended well, but {told}: {run.html_url}"))

    def _dispatch(self, item: str, version: str, plan: str) -> int:
        """The id of the run that was started; 0 where GitHub does not tell it (204)."""
        inputs = {**self._settings.inputs, "environment": item, "version": version, "plan": plan}
        body = {"ref": self._settings.ref, "inputs": inputs, "return_run_details": True}
        answer = self._http.write("POST", f"{self._workflow}/dispatches", body, bytes)
        try:
            return _Started.model_validate_json(answer).workflow_run_id if answer else 0
        except ValidationError:
            raise DeliveryError(Unknown("answered to the dispatch, but not as GitHub does; check base_url")) from None

    def _find(self, plan: str, started: int = 0) -> _Run | None:
        """The run that was started, or the latest with the plan's hash in its name."""
        runs = self._http.read(f"{self._workflow}/runs", _Runs, event="workflow_dispatch", per_page=_RECENT)[0]
        return next((run for run in runs.workflow_runs if run.id == started or plan in run.display_title), None)

    def _deployments(self, item: str) -> list[_Deployment]:
        path = f"{self._repository}/deployments"
        return self._http.read(path, list[_Deployment], environment=item, per_page=_RECENT)[0]

    def _state_of(self, deployment: _Deployment) -> str:
        path = f"{self._repository}/deployments/{deployment.id}/statuses"
        statuses = self._http.read(path, list[_Status], per_page=1)[0]
        return statuses[0].state if statuses else "pending"

    def _headers(self, body: bytes) -> Mapping[str, str]:
        github = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        return {**super()._headers(body), **github}
