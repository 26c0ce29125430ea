"""Envoy, by its admin interface: weights of the clusters of a route that has a `runtime_key_prefix`.

An item is the last part of that prefix: `shop` for `routing.traffic_split.shop`. What is set here lies in the admin
layer of the runtime, until Envoy starts again. A state has, for each cluster of the route, its weight in force and its
override in the admin layer, so that an undo removes an override that was not there before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

import httpx
from pydantic import Field

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State
from dagster_project.automation.actuators.conditional import set_state
from dagster_project.automation.actuators.http import HttpActuator
from dagster_project.automation.actuators.settings import HttpTargetSettings
from dagster_project.automation.actuators.traffic import insist, receiver_healthy, refuse_unknown, split_seen
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home


class EnvoyState(Desired):
    """Weights by the name of a cluster, in proportion to their sum; what is not named stays as it is."""

    weights: dict[str, Annotated[int, Field(ge=0, le=4_294_967_295)]]


class EnvoySettings(HttpTargetSettings):
    """A ``kind: envoy`` target; ``base_url`` is the admin interface, ``prefix`` what keys of routes begin with."""

    DESIRED: ClassVar[type[Desired]] = EnvoyState

    kind: Literal["envoy"] = "envoy"
    prefix: str = "routing.traffic_split"
    settle_seconds: float = Field(1, ge=0, le=3600)
    sample_seconds: float = Field(5, gt=0, le=60)

    def build(self, home: Home) -> Envoy:
        """The actuator."""
        return Envoy(self)


class Envoy(HttpActuator):
    """The admin interface of one Envoy, which knows no secret: it must be reachable only from this machine."""

    def __init__(self, settings: EnvoySettings, *, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(settings, None, transport=transport)
        self._prefix, self._sample = settings.prefix, settings.sample_seconds

    def read(self, item: str) -> Reading:
        """Weight in force and override of each cluster of the route."""
        config, _ = self._http.read("/config_dump", dict[str, Any])
        runtime, _ = self._http.read("/runtime", dict[str, Any])
        layer = runtime["layers"].index(self._admin_layer(config))
        clusters: dict[str, Any] = {}
        for name, configured in self._configured(config, item).items():
            entry = runtime["entries"].get(self._key(item, name), {})
            override = entry["layer_values"][layer] if entry else ""
            clusters[name] = {"weight": int(entry.get("final_value") or configured), "override": override or None}
        return Reading(item, {"clusters": clusters}, url=f"{self._base_url}/runtime")

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if the named clusters have the wanted weights."""
        clusters = reading.state["clusters"]
        return all(clusters.get(name, {}).get("weight") == weight for name, weight in desired["weights"].items())

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Override the weights that differ; refused while a cluster that would receive traffic has no healthy host."""
        wanted = _with(before, desired)

        def write(now: Reading) -> None:
            insist(self._receivers(wanted))
            self._set(now, wanted)

        return set_state(self.read, write, before, wanted)

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Set the overrides as they were; those that were not there are removed."""
        return set_state(self.read, lambda now: self._set(now, before.state), applied, before.state)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That each cluster that would receive traffic has a healthy host."""
        return (self._receivers(_with(reading, desired)),)

    def effect(self, item: str, desired: State) -> bool | None:
        """Count each cluster's requests for ``sample_seconds``, by `/stats`, and compare them with the weights."""
        clusters = self.read(item).state["clusters"]
        weights = {name: one["weight"] for name, one in clusters.items()} | desired["weights"]
        first = self._counted(weights)
        time.sleep(self._sample)
        return split_seen(weights, {name: count - first[name] for name, count in self._counted(weights).items()})

    def _set(self, now: Reading, wanted: State) -> None:
        """One request with every override that differs; an empty value removes one."""
        overrides = {
            self._key(now.item, name): wanted["clusters"][name]["override"] or ""
            for name, one in now.state["clusters"].items()
            if one["override"] != wanted["clusters"][name]["override"]
        }
        self._http.write("POST", f"/runtime_modify?{urlencode(overrides)}", {}, bytes)

    def _receivers(self, wanted: State) -> Preflight:
        receivers = {name for name, one in wanted["clusters"].items() if one["weight"] > 0}
        answer, _ = self._http.read("/clusters", dict[str, Any], format="json")
        up = {
            cluster["name"]
            for cluster in answer.get("cluster_statuses", ())
            if any(_is_healthy(host["health_status"]) for host in cluster.get("host_statuses", ()))
        }
        return receiver_healthy(receivers, receivers - up, passed=receivers <= up)

    def _counted(self, clusters: Mapping[str, int]) -> dict[str, int]:
        answer, _ = self._http.read("/stats", dict[str, Any], format="json", filter=r"^cluster\..*\.upstream_rq_total$")
        found = {one["name"]: int(one["value"]) for one in answer["stats"] if "name" in one}
        return {name: found.get(f"cluster.{name}.upstream_rq_total", 0) for name in clusters}

    def _configured(self, config: Any, item: str) -> dict[str, int]:
        """Configured weights of the clusters of the route with this key."""
        key = f"{self._prefix}.{item}"
        splits = [one for one in _objects(config) if one.get("runtime_key_prefix") == key and "clusters" in one]
        weights = {str(cluster["name"]): int(cluster.get("weight", 0)) for one in splits for cluster in one["clusters"]}
        if not weights:
            raise DeliveryError(Rejected(f"no route of Envoy has weighted clusters with runtime_key_prefix {key}"))
        return weights

    def _admin_layer(self, config: Any) -> str:
        named = [str(one["name"]) for one in _objects(config) if "admin_layer" in one and "name" in one]
        if not named:
            reason = "Envoy's layered_runtime has no admin_layer, so nothing can be set there"
            raise DeliveryError(Rejected(reason, whole_destination=True))
        return named[0]

    def _key(self, item: str, cluster: str) -> str:
        return f"{self._prefix}.{item}.{cluster}"


def _with(reading: Reading, desired: State) -> dict[str, Any]:
    """The state with what is desired in it; a weight that is in force already needs no override."""
    clusters = dict(reading.state["clusters"])
    refuse_unknown(reading.item, desired["weights"], clusters)
    for name, weight in desired["weights"].items():
        if clusters[name]["weight"] != weight:
            clusters[name] = {"weight": weight, "override": str(weight)}
    return {"clusters": clusters}


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a document."""
    if isinstance(content, dict):
        yield content
    for part in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _objects(part)


def _is_healthy(status: Mapping[str, Any]) -> bool:
    """True for a host that gets traffic: each check that fails is a field of its own."""
    failed = any(value is True for name, value in status.items() if name.startswith(("failed_", "excluded_")))
    return not failed and status.get("eds_health_status", "HEALTHY") in ("HEALTHY", "UNKNOWN", "DEGRADED")
