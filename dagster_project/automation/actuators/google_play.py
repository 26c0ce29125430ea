"""Google Play: a staged release of a track halted, or resumed.

An item is a track (``production``). An update of a track replaces all its releases, so every release that is there is
sent again, word for word. All happens in an *edit*, which Play refuses to commit if another was committed since it
was opened: that is the condition of the write. People who have the release keep it: to halt is tier 2, and never a
rollback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, Field

from dagster_project.automation.actuators.base import Conflict, Desired, Preflight, Reading, State
from dagster_project.automation.actuators.conditional import expect
from dagster_project.automation.actuators.http import HttpActuator, changing_nothing, segment, status_of
from dagster_project.automation.actuators.read_back import WholeState
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.actuators.tokens import GoogleTokens
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home

_SCOPE = "https://www.googleapis.com/auth/androidpublisher"
_STALE = (400, 409)
"""Answers of Play to the commit of an edit that another has overtaken."""


class TrackState(Desired):
    """The staged release halted or resumed; ``version`` names one, by its name or a version code."""

    halted: bool
    version: str | None = None


class GooglePlaySettings(HttpTargetSettings):
    """A ``kind: google_play`` target; the secret is the key file of a service account, as one line of JSON."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "package")
    DESIRED: ClassVar[type[Desired]] = TrackState

    kind: Literal["google_play"] = "google_play"
    base_url: str = "https://androidpublisher.googleapis.com"
    package: str = Field(pattern=r"^[A-Za-z][\w.]*$")
    account_env: str = Field("GOOGLE_PLAY_SERVICE_ACCOUNT", pattern=VARIABLE)

    def build(self, home: Home) -> GooglePlay:
        """The actuator."""
        return GooglePlay(self)


class _Edit(BaseModel):
    id: str


class _Track(BaseModel):
    releases: list[dict[str, Any]] = []


class GooglePlay(WholeState, HttpActuator):
    """The tracks of one app."""

    def __init__(self, settings: GooglePlaySettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.account_env, "the JSON key file of a service account, on one line,")
        super().__init__(settings, secret, transport=transport)
        self._tokens = GoogleTokens(secret, _SCOPE, transport)
        self._edits = f"/androidpublisher/v3/applications/{settings.package}/edits"

    def read(self, item: str) -> Reading:
        """Every release of the track."""
        with self._edit() as edit:
            return self._reading(item, edit)

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the staged release is halted, or goes on."""
        staged = _staged(reading.state["releases"], desired.get("version"))
        return bool(staged) and all(one["status"] == _status(desired) for one in staged)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That there is a staged release, and what new users get instead."""
        staged = _staged(reading.state["releases"], desired.get("version"))
        if not staged:
            which = desired.get("version") or "staged release"
            return (Preflight("previous_version", False, f"track {item} has no {which} that is going out in stages"),)
        rest = [_name(one) for one in reading.state["releases"] if one.get("status") == "completed"]
        answer = f"new users get {', '.join(rest) or 'nothing'}; those who have {_name(staged[0])} keep it"
        return (Preflight("previous_version", bool(rest), answer),)

    def _with(self, state: State, desired: State) -> dict[str, Any]:
        staged = _staged(state["releases"], desired.get("version"))
        if not staged:
            raise DeliveryError(Rejected("the track has no such release that is going out in stages"))
        changed = [{**one, "status": _status(desired)} if one in staged else one for one in state["releases"]]
        return {"releases": changed}

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        with self._edit() as edit:
            expect(self._reading(now.item, edit), now)
            with changing_nothing():
                self._http.write("PUT", self._track(now.item, edit), {"track": now.item, **wanted}, _Track)
            try:
                self._http.write("POST", f"{self._edits}/{edit}:commit", {}, _Edit)
            except DeliveryError as error:
                if status_of(error) in _STALE:
                    raise Conflict(f"Google Play refused the change of {now.item}: {error}") from None
                raise

    @contextmanager
    def _edit(self) -> Iterator[str]:
        """A new edit, thrown away at the end; a committed one is gone already."""
        with changing_nothing():
            edit = segment(self._http.write("POST", self._edits, {}, _Edit).id)
        try:
            yield edit
        finally:
            with suppress(DeliveryError):
                self._http.write_content("DELETE", f"{self._edits}/{edit}", b"", bytes)

    def _reading(self, item: str, edit: str) -> Reading:
        releases = self._http.read(self._track(item, edit), _Track)[0].releases
        return Reading(item, {"releases": releases}, url="https://play.google.com/console")

    def _track(self, item: str, edit: str) -> str:
        return f"{self._edits}/{edit}/tracks/{segment(item)}"

    def _headers(self, body: bytes) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._tokens.value()}"}


def _status(desired: State) -> str:
    return "halted" if desired["halted"] else "inProgress"


def _staged(releases: Sequence[dict[str, Any]], version: str | None) -> list[dict[str, Any]]:
    """The releases that go out in stages or are halted; of that version, if one is named."""
    staged = [one for one in releases if one.get("status") in ("inProgress", "halted")]
    return [one for one in staged if version in (None, one.get("name"), *one.get("versionCodes", ()))]


def _name(release: Mapping[str, Any]) -> str:
    return str(release.get("name") or "/".join(release.get("versionCodes", ())))
