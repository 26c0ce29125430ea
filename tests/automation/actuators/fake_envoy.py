"""Envoy's admin interface in this process, which answers as Envoy 1.40 was seen to answer; and unreliable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests.automation.unreliable import Unreliable

KEY = "routing.traffic_split.shop"


@dataclass
class FakeEnvoy(Unreliable):
    """One route, `shop`, with two weighted clusters."""

    configured: dict[str, int] = field(default_factory=lambda: {"stable": 90, "canary": 10})
    overrides: dict[str, str] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    admin_layer: bool = True
    counted: dict[str, int] = field(default_factory=lambda: {"stable": 0, "canary": 0})
    traffic: dict[str, int] = field(default_factory=dict)
    """Requests that each cluster gets between two looks at the counters."""

    def reload(self) -> None:
        """A restart: the admin layer is empty again."""
        self.overrides.clear()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as Envoy does."""
        self.requests.append(request)
        match request.method, request.url.path:
            case "GET", "/config_dump":
                return httpx.Response(200, json=self._config())
            case "GET", "/runtime":
                return httpx.Response(200, json={"layers": ["deployed", "by hand"], "entries": self._entries()})
            case "GET", "/clusters":
                return httpx.Response(200, json={"cluster_statuses": [self._cluster(one) for one in self.configured]})
            case "GET", "/stats":
                for name, requests in self.traffic.items():
                    self.counted[name] += requests
                found = [{"name": f"cluster.{name}.upstream_rq_total", "value": n} for name, n in self.counted.items()]
                return httpx.Response(200, json={"stats": [*found, {"histograms": {}}]})
            case "POST", "/runtime_modify":
                return self.unreliably(request, lambda: self._modify(request.url.query.decode()))
        return httpx.Response(404, text="invalid path. admin commands are:")

    def _modify(self, query: str) -> httpx.Response:
        for key, value in parse_qsl(query, keep_blank_values=True):
            self.overrides[key] = value
            if not value:
                del self.overrides[key]
        return httpx.Response(200, text="OK\n", headers={"content-type": "text/html; charset=UTF-8"})

    def _entries(self) -> dict[str, Any]:
        return {key: {"final_value": one, "layer_values": ["", one]} for key, one in self.overrides.items()}

    def _cluster(self, name: str) -> dict[str, Any]:
        failed = {"failed_active_health_check": True} if name in self.down else {}
        host = {"health_status": {"eds_health_status": "HEALTHY", **failed}}
        return {"name": name, "host_statuses": [host]}

    def _config(self) -> dict[str, Any]:
        kind = "admin_layer" if self.admin_layer else "static_layer"
        layers = [{"name": "deployed", "static_layer": {}}, {"name": "by hand", kind: {}}]
        clusters = [{"name": name, "weight": weight} for name, weight in self.configured.items()]
        route = {"route": {"weighted_clusters": {"runtime_key_prefix": KEY, "clusters": clusters}}}
        return {"configs": [{"bootstrap": {"layered_runtime": {"layers": layers}}}, {"routes": [route]}]}
