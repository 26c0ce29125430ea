"""Base of actuators that speak to a Kubernetes API server: connection, and the conditional patch.

A write is a JSON patch whose first operation tests ``metadata.resourceVersion``: the server refuses it if the object
has changed since it was read, if only its status. The object is then read again, and patched again if what counts is
still the same.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from dagster_project.automation.actuators.base import Reading
from dagster_project.automation.actuators.conditional import expect
from dagster_project.automation.actuators.http import HttpActuator, segment, status_of
from dagster_project.automation.actuators.read_back import ReadBack
from dagster_project.automation.actuators.settings import VARIABLE, HttpTargetSettings
from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import Deferred, DeliveryError, Rejected
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home

_REFUSED_TEST = (409, 422)  # a failed `test` is 422 (Invalid); a race inside the server is 409
_TRIES = 3
_A_WHILE = timedelta(seconds=10)


class KubernetesSettings(HttpTargetSettings):
    """Options of both kinds; ``ca_file`` is the cluster's certificate authority, where no public one signed."""

    PLACE: ClassVar[tuple[str, ...]] = ("base_url", "namespace")

    namespace: str = "default"
    ca_file: Path | None = None
    token_env: str = Field("KUBERNETES_TOKEN", pattern=VARIABLE)

    def transport(self, home: Home) -> httpx.BaseTransport | None:
        """The transport that trusts the cluster's own authority; the file is relative to the home.

        Raises:
            ConfigurationError: the file has no certificate.
        """
        if self.ca_file is None:
            return None
        file = home.root / self.ca_file.expanduser()
        try:
            return httpx.HTTPTransport(verify=ssl.create_default_context(cafile=str(file)))
        except OSError as error:  # ssl's own errors are such
            raise ConfigurationError(f"ca_file: {file} cannot be used ({error.strerror or error})") from None


class Camel(BaseModel):
    """Part of an object, spelled as Kubernetes does."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Meta(Camel):
    """Metadata of an object, as far as it is read."""

    name: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    annotations: dict[str, str] = {}
    owner_references: list[dict[str, Any]] = []


class KubernetesActuator(ReadBack, HttpActuator):
    """Objects of one kind in one namespace; ``COLLECTION`` is its path up to ``namespaces``, and its plural."""

    COLLECTION: ClassVar[tuple[str, str]]

    def __init__(self, settings: KubernetesSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        secret = Secret(settings.token_env, "the token of a service account")
        super().__init__(settings, secret, transport=transport)
        self._namespace = settings.namespace

    def _path(self, item: str) -> str:
        prefix, plural = self.COLLECTION
        return f"{self._inside(prefix)}/{plural}/{segment(item)}"

    def _inside(self, prefix: str) -> str:
        return f"{prefix}/namespaces/{segment(self._namespace)}"

    def _patch(self, now: Reading, changes: Sequence[Mapping[str, Any]]) -> None:
        """Patch the object unless what counts has changed; a change of its status alone is tried again."""
        expected = now
        for _ in range(_TRIES):
            test = {"op": "test", "path": "/metadata/resourceVersion", "value": now.version}
            try:
                self._http.write("PATCH", self._path(now.item), [test, *changes], object)
                return
            except DeliveryError as error:
                if status_of(error) not in _REFUSED_TEST:
                    raise
                error_said, tested = str(error), now.version
            now = self.read(now.item)
            expect(now, expected)
            if now.version == tested:
                raise DeliveryError(Rejected(f"the patch of {now.item} is refused: {error_said}"))
        raise DeliveryError(Deferred(f"{now.item} changes all the time", _A_WHILE))

    def _headers(self, body: bytes) -> Mapping[str, str]:
        return {**super()._headers(body), **({"Content-Type": "application/json-patch+json"} if body else {})}
