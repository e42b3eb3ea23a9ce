"""Who is measured: the gateway on either driver, nginx, the byte pump, and nothing at all; and the simulators behind them.

All do the same work: a chat request to the simulator and its answer back. The gateway does it with everything on that its users have
on: key check, scan, patch of the model, deadlines, metrics, access log to a file. nginx has everything off: `proxy_pass`, kept
connections, no log.

A subject has a route for each kind of upstream: `http1` (plaintext), `tls`, `paced` (plaintext, events 20 ms apart). The gateway has one more,
`translated`: the upstream of `http1`, which it speaks Anthropic's dialect to.
"""

import hashlib
import json
import os
import re
import secrets
import select
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import machine, meters

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = ("io_uring", "epoll")
ROUTES = ("http1", "tls", "paced")
# Behind the simulator of another route.
TRANSLATED = {"translated": "http1"}
STREAM_EVENTS = 50
GAP_MS = 20


@dataclass
class Route:
    """Where the load driver sends its requests."""

    url: str
    model: str = "sim-fast"
    key: str | None = None


@dataclass
class Subject:
    name: str
    routes: dict
    # By route, because a pump has one process for each upstream.
    pids: dict = field(default_factory=dict)


@dataclass
class Binaries:
    gateway: Path
    loadtest: Path
    pump: Path

    @staticmethod
    def build(profile):
        """Builds what is measured. The first build of `dist` takes minutes."""
        for package, target in (("ringway", ["--bins", "--example", "pump"]), ("ringway-loadtest", ["--bins"])):
            subprocess.run(
                ["cargo", "build", "--quiet", "--profile", profile, "--package", package, *target], cwd=ROOT, check=True
            )
        folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        folder = folder / ("debug" if profile == "dev" else profile)
        return Binaries(folder / "ringway", folder / "ringway-loadtest", folder / "examples" / "pump")


class Simulators:
    """One per kind of upstream."""

    def __init__(self, children, binaries):
        self.origins, self.pids, self.stats = {}, [], {}
        for route in ROUTES:
            command = [binaries.loadtest, "sim", "--fast", "--fast-chunks", STREAM_EVENTS, "--json"]
            if route == "tls":
                command += ["--tls-throwaway", children.folder / "tls", "--http2"]
            if route == "paced":
                command += ["--fast-gap-ms", GAP_MS]
            child = children.start(command, machine.LOAD_CPU, f"sim-{route}.log", stdout=subprocess.PIPE)
            self.origins[route] = json_line(child, f"the simulator ({route})")["endpoint"].removesuffix("/v1")
            self.pids.append(child.pid)
            self.stats[route] = meters.SimStats(self.origins[route])
        for route, other in TRANSLATED.items():
            self.stats[route] = self.stats[other]

    def direct(self):
        """The way without anything in between. The driver speaks no TLS: beside relays to `tls`, plaintext is what they have in common."""
        origins = {**self.origins, "tls": self.origins["http1"]}
        return Subject("direct", {route: Route(origin + "/v1") for route, origin in origins.items()})


def json_line(child, what, seconds=30):
    if not select.select([child.stdout], [], [], seconds)[0]:
        raise machine.Unavailable(f"{what} does not start within {seconds} s")
    line = child.stdout.readline()
    if not line:
        raise machine.Unavailable(f"{what} does not start")
    return json.loads(line)


class Gateway:
    """A running gateway of one shard. `subject` is what the rows measure."""

    def __init__(self, children, binaries, simulators, driver):
        self.folder = children.folder / f"ringway-{driver}-{secrets.token_hex(4)}"
        self.folder.mkdir()
        key = "rw-" + secrets.token_urlsafe(32)
        self.log = self.folder / "access.log"
        config = self.folder / "ringway.toml"
        config.write_text(gateway_config(simulators, key, self.log, driver, children.folder / "tls" / "ca.pem"))
        operator_log = f"{self.folder.name}.log"
        self.child = children.start(
            [binaries.gateway, "serve", "--config", config],
            machine.GATEWAY_CPU,
            operator_log,
            stdout=subprocess.DEVNULL,
        )
        found = machine.await_line(children.folder / operator_log, self.child, r"serves (http://\S+) on (\w+)")
        if found.group(2) != driver:
            raise machine.Unavailable(f"asked for {driver}, the gateway runs on {found.group(2)}")
        routes = {route: Route(found.group(1), f"bench-{route}", key) for route in (*ROUTES, *TRANSLATED)}
        self.subject = Subject(f"ringway {driver}", routes, dict.fromkeys(routes, self.child.pid))

    def forget_log(self):
        """Millions of lines would fill the disk; what is gone before it is written back costs it nothing."""
        os.truncate(self.log, 0)


def gateway_config(simulators, key, log, driver, ca_file):
    text = f"""
[server]
listen = ["127.0.0.1:0"]
shards = 1
driver = "{driver}"
[admin]
listen = "127.0.0.1:0"
[access_log]
to = "{log}"
[[keys]]
name = "bench"
hash = "sha256:{hashlib.sha256(key.encode()).hexdigest()}"
"""
    for route, other in TRANSLATED.items():
        text += f"""
[providers.{route}]
kind = "anthropic"
base_url = "{simulators.origins[other]}/v1"
credential = "sk-simulated"
pool = {{ connections_max = 64, http1_connections_max = 16384 }}
[[models]]
name = "bench-{route}"
deployments = ["{route}/sim-fast-2026-11-21"]
"""
    for route, origin in simulators.origins.items():
        # The limits on connections are raised so that 4,096 requests at a time meet no queue of ours: nginx has none either.
        text += f"""
[providers.{route}]
kind = "openai-compatible"
base_url = "{origin}/v1"
credential = "sk-simulated"
{f'ca_file = "{ca_file}"' if route == "tls" else ""}
pool = {{ connections_max = 64, http1_connections_max = 16384 }}
[[models]]
name = "bench-{route}"
deployments = ["{route}/sim-fast-2026-11-21"]
"""
    return text


def start_pumps(children, binaries, simulators, driver):
    subject = Subject(f"pump {driver}", {})
    for route in ("http1", "paced"):
        command = [binaries.pump, "--upstream", simulators.origins[route].removeprefix("http://"), "--driver", driver]
        child = children.start(command, machine.GATEWAY_CPU, f"pump-{driver}.log", stdout=subprocess.PIPE)
        subject.routes[route] = Route(f"http://{json_line(child, f'the pump on {driver}')['address']}/v1")
        subject.pids[route] = child.pid
    return subject


def start_nginx(children, simulators):
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        raise machine.Unavailable("nginx is missing (Debian: apt install nginx-light)")
    ports = {route: free_port() for route in ROUTES}
    config = children.folder / "nginx.conf"
    config.write_text(nginx_config(children.folder, simulators, ports))
    child = children.start(
        [program, "-c", config, "-e", children.folder / "nginx.err"],
        machine.GATEWAY_CPU,
        "nginx.log",
        stdout=subprocess.DEVNULL,
    )
    for port in ports.values():
        await_port(child, port, children.folder / "nginx.err")
    routes = {route: Route(f"http://127.0.0.1:{port}/v1") for route, port in ports.items()}
    return Subject("nginx", routes, dict.fromkeys(ROUTES, child.pid))


def nginx_config(folder, simulators, ports):
    """One worker. Bodies stay in memory, upstream connections are kept, streams are not buffered."""
    servers = ""
    for route, port in ports.items():
        address = re.sub(r"^https?://", "", simulators.origins[route])
        servers += f"""
  upstream {route} {{ server {address}; keepalive 8192; keepalive_requests 1000000000; keepalive_timeout 600s; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass {"https" if route == "tls" else "http"}://{route};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_ssl_session_reuse on;
      proxy_buffering off;
    }}
  }}"""
    temporary = "\n  ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
worker_processes 1;
daemon off;
master_process off;
worker_rlimit_nofile {machine.OPEN_FILES // 4};
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  {temporary}
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 20m;
  client_body_buffer_size 256k;
{servers}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(child, port, log, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise machine.Unavailable(f"nginx did not start: {log.read_text(errors='replace').strip()[-500:]}")


class IdleCrowd:
    """Connections that made one request each, one after the other, and then stay open."""

    def __init__(self, route, count):
        machine.raise_open_files()
        host, port, path = re.fullmatch(r"http://([^:/]+):(\d+)(/.*)", route.url).groups()
        body = json.dumps({"model": route.model, "messages": [{"role": "user", "content": "Hello"}]})
        request = (
            f"POST {path}/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {route.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()
        self.sockets = []
        try:
            for _ in range(count):
                client = socket.create_connection((host, int(port)), timeout=20)
                self.sockets.append(client)
                client.sendall(request)
                answer = b""
                while not answer.endswith(b"}"):
                    piece = client.recv(64 * 1024)
                    if not piece:
                        raise machine.Unavailable(f"an idle connection was closed after {len(self.sockets)} of {count}")
                    answer += piece
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise machine.Unavailable(f"an idle connection's request was refused: {answer[:100]!r}")
        except BaseException:
            self.close()
            raise

    def close(self):
        for client in self.sockets:
            client.close()
