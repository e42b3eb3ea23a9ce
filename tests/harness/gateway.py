"""Ringway itself as a child process, configured, ready, and looked after until it has ended."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import signal
import socket
from pathlib import Path

from .children import Child, binary, free_port
from .control import UnixConnection, ask
from .metrics import Metrics
from .simulator import Simulator
from .waiting import wait_for

DRIVER = os.environ.get("RINGWAY_DRIVER", "auto")


class Gateway:
    """A running Ringway.

    `url` is its origin, `api` what an SDK wants as its base URL, `key` a key that it accepts.
    """

    def __init__(self, folder, config, key, credential, port, tls):
        self.folder = folder
        self.config_path = folder / "ringway.toml"
        self.config = config
        self.key = key
        self.credential = credential
        self.port = port
        self.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}"
        self.api = f"{self.url}/v1"
        self.tls = tls
        self.exit_codes = {0}
        self.panics_expected = 0
        self.child = None

    @classmethod
    def start(cls, folder, providers, models, shards=1, tls=None, driver=DRIVER, environment=None, **sections):
        """Writes a configuration, starts the process and waits until it says that it is ready.

        `providers` maps names to simulators, or to dicts with the keys of [providers.NAME], in which `at` may be a simulator.
        `models` maps names to lists of deployments, or to dicts with the keys of [[models]]. `tls` is a pair of files. Every
        other argument is a section of the configuration: `server={"body_bytes_max": 4096}`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True)
        key, credential = f"rw-{secrets.token_urlsafe(32)}", f"sk-canary-{secrets.token_urlsafe(24)}"
        for _ in range(3):
            port = free_port()
            config = Config(folder, port, key, shards, driver, tls, sections)
            config.providers, config.models = providers, models
            gateway = cls(folder, config, key, credential, port, tls)
            gateway.write_config()
            if gateway._launch(environment):
                return gateway
        raise AssertionError(f"Ringway did not start:\n{gateway.child.stderr}")

    def write_config(self, text=None):
        """Writes the configuration file anew, from `config` or as given."""
        self.config_path.write_text(text if text is not None else self.config.toml())

    def _launch(self, environment):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(self.folder / "notify"))
        notify.settimeout(0.05)
        self.spawn({"NOTIFY_SOCKET": str(self.folder / "notify"), **(environment or {})})
        messages = []

        def ready():
            with contextlib.suppress(TimeoutError):
                messages.extend(notify.recv(4096).decode().splitlines())
            return "READY=1" in messages or not self.child.running()

        wait_for("READY=1 from Ringway", ready)
        notify.close()
        (self.folder / "notify").unlink()
        if self.child.running():
            return True
        assert "another process" in self.child.stderr, self.child.stderr
        return False

    def spawn(self, environment=None):
        """Starts the process and does not wait for it."""
        command = [binary("ringway"), "serve", "--config", self.config_path]
        inherited = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
        own = {"TEST_CREDENTIAL": self.credential, "RUST_BACKTRACE": "1"}
        self.child = Child(command, self.folder, {**inherited, **own, **(environment or {})})

    def restart(self):
        """Starts it again, under the same configuration, after it has ended."""
        assert not self.child.running()
        assert self._launch(None), self.child.stderr[-4000:]

    def model_of(self, provider, model):
        """What a client asks for to get any model of a provider, where the models have a row `"a/*": ["a/*"]`."""
        return f"{provider}/{model}"

    def admin(self, path):
        """Status and body of the admin listener."""
        status, _, body = ask(UnixConnection(self.folder / "admin.sock"), "GET", path)
        return status, body.decode()

    def metrics(self):
        status, text = self.admin("/metrics")
        assert status == 200, text
        return Metrics(text)

    def metric(self, name, **labels):
        return self.metrics().value(name, **labels)

    def wait_metric(self, name, holds, **labels):
        """Waits until `holds(value)`; returns the value."""
        seen = []

        def look():
            seen.append(self.metric(name, **labels))
            return holds(seen[-1])

        wait_for(f"{name} {labels or ''} as wanted", look)
        return seen[-1]

    def access_log(self):
        """The access log's lines so far. The last one may be half written: it counts when its end is there."""
        path = self.folder / "access.log"
        whole, _, _ = path.read_bytes().rpartition(b"\n") if path.exists() else (b"", b"", b"")
        return [json.loads(line) for line in whole.splitlines()]

    def wait_log(self, what, holds):
        """Waits for an access-log line for which `holds(line)`; returns the first."""
        return wait_for(f"an access-log line: {what}", lambda: next(filter(holds, self.access_log()), None))

    def descriptors(self):
        """How many it has open now."""
        return len(list(Path(f"/proc/{self.child.pid}/fd").iterdir()))

    def resident_bytes(self):
        """Anonymous and file pages now in memory."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def reload(self):
        """Asks for a reload and waits for its outcome: True if the new configuration is in force."""
        outcomes = ("ringway_config_reloads_total", "ringway_config_reload_failures_total")
        before = [self.metric(name) for name in outcomes]
        self.child.signal(signal.SIGHUP)
        wait_for("an outcome of the reload", lambda: [self.metric(name) for name in outcomes] != before)
        return self.metric(outcomes[0]) > before[0]

    def finish(self):
        """Stops it, and holds it to what every run of it promises."""
        if self.child.running():
            panics = self.metric("ringway_panics_total")
            assert panics == self.panics_expected, f"{panics} panics:\n{self.child.stderr[-4000:]}"
            figures = self.metrics().text
            self.child.signal(signal.SIGTERM)
            code = self.child.wait()
            assert code in self.exit_codes, f"exit code {code}:\n{self.child.stderr[-4000:]}"
        else:
            figures = ""
        written = {path.name: path.read_text(errors="replace") for path in self.folder.glob("*") if path.is_file()}
        # The one file that may name a key, by its hash, is the one the test wrote.
        written.pop("ringway.toml", None)
        written["metrics"] = figures
        for name, text in written.items():
            for secret in (self.key, self.credential):
                assert secret not in text, f"a secret was written to {name}"


class Config:
    """The configuration as values; `toml()` writes the file."""

    def __init__(self, folder, port, key, shards, driver, tls, sections):
        self.server = {"listen": [f"127.0.0.1:{port}"], "shards": shards, "driver": driver}
        if tls:
            self.server["tls"] = {"cert_file": str(tls[0]), "key_file": str(tls[1])}
        self.sections = {
            "admin": {"listen": f"unix:{folder}/admin.sock"},
            "access_log": {"to": f"{folder}/access.log"},
            **sections,
        }
        self.server |= self.sections.pop("server", {})
        self.keys = {"test": key}
        self.providers = {}
        self.models = {}

    def toml(self):
        parts = [table("server", self.server)]
        parts += [table(name, entries) for name, entries in self.sections.items()]
        for name, key in self.keys.items():
            digest = hashlib.sha256(key.encode()).hexdigest()
            parts.append(table("[keys]", {"name": name, "hash": f"sha256:{digest}"}))
        for name, provider in self.providers.items():
            parts.append(table(f"providers.{name}", provider_entries(provider)))
        for name, model in self.models.items():
            model = model if isinstance(model, dict) else {"deployments": model}
            parts.append(table("[models]", {"name": name, **model}))
        return "\n".join(parts)


def provider_entries(provider):
    provider = {"at": provider} if isinstance(provider, Simulator) else dict(provider)
    simulator = provider.pop("at", None)
    entries = {"kind": "openai", "credential": "${env:TEST_CREDENTIAL}"}
    if simulator:
        entries["base_url"] = simulator.endpoint
        if simulator.ca_file:
            entries["ca_file"] = str(simulator.ca_file)
        elif simulator.http2:
            entries["http"] = "http2"
    # None takes a key away.
    return {key: value for key, value in (entries | provider).items() if value is not None}


def table(name, entries):
    lines = [f"[{name}]", *(f"{key} = {value_text(value)}" for key, value in entries.items()), ""]
    return "\n".join(lines)


def value_text(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {value_text(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(value_text, value)) + "]"
    # JSON's strings, numbers and booleans are TOML's.
    return json.dumps(str(value) if isinstance(value, Path) else value)


class Direct:
    """Stands in for the gateway when a client test is tried against the simulator alone: what holds there has to hold
    through the gateway as well."""

    def __init__(self, simulator):
        self.url, self.api, self.key = simulator.origin, simulator.endpoint, "sk-direct"

    @classmethod
    def start(cls, folder, providers, models, **options):
        provider = next(iter(providers.values()))
        return cls(provider["at"] if isinstance(provider, dict) else provider)

    def model_of(self, provider, model):
        return model

    def finish(self):
        pass
