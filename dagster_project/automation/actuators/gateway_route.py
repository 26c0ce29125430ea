"""Kubernetes Gateway API: weights of the backends of an HTTPRoute.

An item is an HTTPRoute's name. Weights are proportional, 0 to 1,000,000, and count 1 where none is written; a backend
that several rules name is set in each. The rules are set by a JSON patch that tests the resourceVersion. The backends
that get traffic must have a ready endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State
from dagster_project.automation.actuators.kubernetes_api import Camel, KubernetesActuator, KubernetesSettings, Meta
from dagster_project.automation.actuators.traffic import insist
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.home import Home


class RouteState(Desired):
    """Weights by the name of a backend; what is not named stays as it is."""

    weights: dict[str, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(min_length=1)


class GatewayRouteSettings(KubernetesSettings):
    """A ``kind: gateway_route`` target."""

    DESIRED: ClassVar[type[Desired]] = RouteState

    kind: Literal["gateway_route"] = "gateway_route"

    def build(self, home: Home) -> GatewayRoute:
        """The actuator."""
        return GatewayRoute(self, transport=self.transport(home))


class _Rule(Camel):
    backend_refs: list[dict[str, Any]] = Field(default=[])


class _Spec(Camel):
    rules: list[_Rule] = Field(default=[])


class _Parent(Camel):
    conditions: list[dict[str, Any]] = Field(default=[])


class _Status(Camel):
    parents: list[_Parent] = Field(default=[])


class _Route(Camel):
    metadata: Meta
    spec: _Spec
    status: _Status = _Status()


class _Slice(Camel):
    endpoints: list[dict[str, Any]] | None = None


class _Slices(Camel):
    items: list[_Slice]


class GatewayRoute(KubernetesActuator):
    """The HTTPRoutes of one namespace."""

    COLLECTION: ClassVar[tuple[str, str]] = ("/apis/gateway.networking.k8s.io/v1", "httproutes")

    def read(self, item: str) -> Reading:
        """The backends of each rule."""
        route = self._route(item)
        state = {"rules": [rule.backend_refs for rule in route.spec.rules]}
        return Reading(item, state, route.metadata.resource_version, self._base_url + self._path(item))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if each named backend has its weight in every rule."""
        there = list(_backends(reading.state["rules"]))
        named = desired["weights"]
        fits = all(_weight(one) == named[one["name"]] for one in there if one["name"] in named)
        return fits and {*named} <= {one["name"] for one in there}

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That each rule leaves traffic to somebody, and that those who get it are ready."""
        rules = _with(reading, desired)["rules"]
        if any(rule and not sum(_weight(one) for one in rule) for rule in rules):
            return (Preflight("receiver_healthy", False, "a rule would have no backend with weight"),)
        receivers = sorted({one["name"] for rule in rules for one in rule if _weight(one) and _is_service(one)})
        down = [name for name in receivers if not self._ready(name)]
        answer = f"no ready endpoint: {', '.join(down)}" if down else f"ready: {', '.join(receivers)}"
        return (Preflight("receiver_healthy", not down, answer),)

    def effect(self, item: str, desired: State) -> bool | None:
        """Whether every gateway has accepted the route as it is now."""
        route = self._route(item)
        accepted = [one for parent in route.status.parents for one in parent.conditions if one["type"] == "Accepted"]
        if not accepted or any(one.get("observedGeneration", 0) < route.metadata.generation for one in accepted):
            return None
        return all(one["status"] == "True" for one in accepted) and self.shows(self.read(item), desired)

    def _is_left(self, reading: Reading, before: Reading, desired: State) -> bool:
        return reading.state == _with(before, desired)

    def _make(self, now: Reading, desired: State, note: str) -> None:
        wanted = _with(now, desired)
        for row in self.preflights(now.item, desired, now):
            insist(row)
        self._write(now, wanted, note)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        rules = enumerate(zip(now.state["rules"], wanted["rules"], strict=True))
        self._patch(
            now,
            [
                {"op": "replace", "path": f"/spec/rules/{number}/backendRefs", "value": to}
                for number, (old, to) in rules
                if old != to
            ],
        )

    def _ready(self, service: str) -> bool:
        path = f"{self._inside('/apis/discovery.k8s.io/v1')}/endpointslices"
        label = f"kubernetes.io/service-name={service}"
        slices = self._http.read(path, _Slices, labelSelector=label)[0].items
        endpoints = [one for part in slices for one in part.endpoints or ()]
        return any(one.get("conditions", {}).get("ready") is not False for one in endpoints)

    def _route(self, item: str) -> _Route:
        return self._http.read(self._path(item), _Route)[0]


def _with(reading: Reading, desired: State) -> dict[str, Any]:
    """The rules with the weights in them."""
    weights, rules = desired["weights"], reading.state["rules"]
    there = {one["name"] for one in _backends(rules)}
    if missing := sorted({*weights} - there):
        raise DeliveryError(Rejected(f"{reading.item} has no backend {missing[0]}; it has {', '.join(sorted(there))}"))
    return {"rules": [[_set(one, weights.get(one["name"])) for one in rule] for rule in rules]}


def _set(backend: dict[str, Any], weight: int | None) -> dict[str, Any]:
    return backend if weight in (None, _weight(backend)) else {**backend, "weight": weight}


def _weight(backend: dict[str, Any]) -> int:
    return int(backend.get("weight", 1))


def _is_service(backend: dict[str, Any]) -> bool:
    return backend.get("kind", "Service") == "Service" and "namespace" not in backend


def _backends(rules: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    return (one for rule in rules for one in rule)
