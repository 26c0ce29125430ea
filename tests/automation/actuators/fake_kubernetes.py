"""An API server of Kubernetes in this process: a Deployment with its ReplicaSets, and an HTTPRoute with its endpoints.

JSON patches are applied as RFC 6902 says, with ``test`` on the resourceVersion, which every write changes.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.automation.unreliable import Unreliable

TOKEN = "kube-planted-aa31"
APPS = "/apis/apps/v1/namespaces/prod"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/prod/endpointslices"


def template(version: str) -> dict[str, Any]:
    """The pod template of a version."""
    labels = {"app": "shop"}
    container = {"name": "shop", "image": f"registry.acme.example/shop:{version}", "env": [{"name": "V", "value": "1"}]}
    return {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": {"containers": [container]}}


def _replica_set(revision: int, version: str, owner: str = "uid-1") -> dict[str, Any]:
    made = template(version)
    made["metadata"]["labels"]["pod-template-hash"] = f"hash{revision}"
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    meta = {"name": f"shop-{revision}-{owner}", "annotations": annotations, "ownerReferences": [{"uid": owner}]}
    return {"metadata": meta, "spec": {"template": made, "replicas": 3}}


def _deployment() -> dict[str, Any]:
    meta = {"name": "shop", "uid": "uid-1", "resourceVersion": "100", "generation": 5}
    status = {"observedGeneration": 5, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    return {"metadata": meta, "spec": {"replicas": 3, "template": template("5.2.0")}, "status": status}


def _route() -> dict[str, Any]:
    rules = [
        {"backendRefs": [{"name": "stable", "port": 80, "weight": 90}, {"name": "canary", "port": 80, "weight": 10}]},
        {"backendRefs": [{"name": "canary", "port": 80}]},
    ]
    accepted = {"type": "Accepted", "status": "True", "observedGeneration": 3}
    meta = {"name": "checkout", "resourceVersion": "200", "generation": 3}
    rules[1]["backendRefs"].append({"name": "stable", "port": 80})
    return {"metadata": meta, "spec": {"rules": rules}, "status": {"parents": [{"conditions": [accepted]}]}}


@dataclass
class FakeKubernetes(Unreliable):
    """One namespace."""

    deployment: dict[str, Any] = field(default_factory=_deployment)
    route: dict[str, Any] = field(default_factory=_route)
    ready: dict[str, bool] = field(default_factory=lambda: {"stable": True, "canary": True})
    sets: list[dict[str, Any]] = field(
        default_factory=lambda: [
            _replica_set(3, "5.1.0"),
            _replica_set(4, "5.2.0"),
            _replica_set(9, "5.1.0", owner="uid-of-another"),
        ]
    )
    status_changes: int = 0
    """How often the status changes just before a patch arrives."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the API server does."""
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"kind": "Status", "message": "Unauthorized", "code": 401})
        path = request.url.path
        if path == f"{APPS}/replicasets":
            return httpx.Response(200, json={"items": self.sets})
        if path == SLICES:
            name = request.url.params["labelSelector"].partition("=")[2]
            endpoints = [{"conditions": {"ready": self.ready[name]}}] if name in self.ready else None
            return httpx.Response(200, json={"items": [{"endpoints": endpoints}]})
        there = {f"{APPS}/deployments/shop": self.deployment, f"{ROUTES}/checkout": self.route}.get(path)
        if there is None:
            return httpx.Response(404, json={"kind": "Status", "message": f"{path} not found", "code": 404})
        if request.method == "GET":
            return httpx.Response(200, json=there)
        assert request.headers["content-type"] == "application/json-patch+json"
        return self.unreliably(request, lambda: self._patch(there, json.loads(request.content)))

    def state(self) -> dict[str, Any]:
        """What is specified."""
        return copy.deepcopy({"deployment": self.deployment["spec"], "route": self.route["spec"]})

    def tamper(self) -> None:
        """A person deploys another version, and shifts traffic."""
        self.deployment["spec"]["template"] = template("5.3.0")
        self.route["spec"]["rules"][0]["backendRefs"][0]["weight"] = 50
        for one in (self.deployment, self.route):
            self._touch(one)

    def _touch(self, one: dict[str, Any]) -> None:
        one["metadata"]["resourceVersion"] = str(int(one["metadata"]["resourceVersion"]) + 1)

    def _patch(self, one: dict[str, Any], changes: list[dict[str, Any]]) -> httpx.Response:
        if self.status_changes:
            self.status_changes -= 1
            self._touch(one)
        test, *others = changes
        assert (test["op"], test["path"]) == ("test", "/metadata/resourceVersion")
        if test["value"] != one["metadata"]["resourceVersion"]:
            return httpx.Response(422, json={"kind": "Status", "reason": "Invalid", "message": "the test failed"})
        for change in others:
            *way, last = change["path"].strip("/").split("/")
            place: Any = one
            for step in way:
                place = place[int(step) if isinstance(place, list) else step]
            assert change["op"] == "add" or last in place
            place[last] = copy.deepcopy(change["value"])
        if one["spec"].get("paused") is False:
            del one["spec"]["paused"]  # as `omitempty` does
        self._touch(one)
        return httpx.Response(200, json=one)
