"""Webhook: any control system, behind one address of the team's own that tells a state and sets it.

    GET  base_url?item=ITEM     {"state": {...}, "version": "...", "url": "..."}; 404 if there is no such item
    POST base_url               {"item", "state", "expected", "version", "note"}: set ``state`` if it is ``expected``
        200 the same as GET     it is set, or was already
        202 {"url": "..."}      it waits for an approval there
        409                     it is no longer ``expected``

Both are signed by Standard Webhooks; the id of a POST follows from its content, so that a receiver may drop a
repeated one. ``state`` is whole: what the playbook does not name is sent as it was read. docs/control_systems.md has
a receiver.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_project.automation.actuators.base import AwaitingApproval, Conflict, Desired, Preflight, Reading, State
from dagster_project.automation.actuators.http import HttpActuator, status_of
from dagster_project.automation.actuators.read_back import WholeState
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Unknown
from dagster_project.automation.standard_webhooks import PREFIX, signed_headers
from dagster_project.home import Home


class AnyState(Desired):
    """Whatever the receiver understands; what is not named stays as it is."""

    model_config = ConfigDict(extra="allow", frozen=True)


class WebhookTargetSettings(HttpTargetSettings):
    """A ``kind: webhook`` target; ``base_url`` is the whole address."""

    DESIRED: ClassVar[type[Desired]] = AnyState

    kind: Literal["webhook"] = "webhook"
    secret_env: str = Field("CONTROL_WEBHOOK_SECRET", pattern=VARIABLE)

    @property
    def place(self) -> str:
        """Its host, and a hash of the whole address, which may hold a secret."""
        return f"webhook {urlsplit(self.base_url).netloc} {hashlib.sha256(self.base_url.encode()).hexdigest()[:12]}"

    def build(self, home: Home) -> WebhookControl:
        """The actuator."""
        return WebhookControl(self)


class _Told(BaseModel):
    state: dict[str, Any]
    version: str = ""
    url: str = ""


class _Waits(BaseModel):
    url: str = Field(pattern=r"^https?://")


class WebhookControl(WholeState, HttpActuator):
    """Items of a control system behind one address."""

    def __init__(self, settings: WebhookTargetSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.secret_env, f"the secret shared with the receiver, {PREFIX}…,")
        super().__init__(settings, secret, transport=transport)

    def read(self, item: str) -> Reading:
        """What the receiver tells."""
        told = self._http.read("", _Told, item=item)[0]
        return Reading(item, told.state, told.version, told.url)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """None: what can be refused, the receiver refuses."""
        return ()

    def _with(self, state: State, desired: State) -> dict[str, Any]:
        return merged(state, desired)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        body = {"item": now.item, "state": wanted, "expected": now.state, "version": now.version, "note": note}
        try:
            answer = self._http.write("POST", "", body, bytes)
        except DeliveryError as error:
            if status_of(error) == 409:
                raise Conflict(f"the receiver refused the change of {now.item}: {error}") from None
            raise
        self._look(now.item, answer)

    def _look(self, item: str, answer: bytes) -> None:
        """Wait where the receiver says where; any other answer is settled by reading."""
        try:
            content = json.loads(answer or b"{}")
        except ValueError:
            raise DeliveryError(Unknown("answered, but not with JSON; check base_url")) from None
        if isinstance(content, dict) and "state" not in content:
            try:
                raise AwaitingApproval(f"the receiver waits for an approval of {item}", _Waits(**content).url)
            except ValidationError:
                return

    def _headers(self, body: bytes) -> Mapping[str, str]:
        if not self._secret:
            return {}
        message_id = "msg_" + hashlib.sha256(body).hexdigest()[:32]
        return signed_headers(self._secret, message_id, body)


def merged(state: State, desired: State) -> dict[str, Any]:
    """The state with what is desired in it, object by object."""
    both = {
        name: merged(state[name], value)
        for name, value in desired.items()
        if isinstance(value, Mapping) and isinstance(state.get(name), Mapping)
    }
    return {**state, **desired, **both}
