"""A simulated provider (`ringway-loadtest sim`) as a child process, with its counters and its script."""

import json
import signal
from types import SimpleNamespace

from .children import Child, binary
from .control import ask, connect
from .waiting import wait_for


class Simulator:
    def __init__(self, name, child, folder, endpoint, tls, http2):
        self.name = name
        self.child = child
        self.endpoint = endpoint
        self.origin = endpoint.removesuffix("/v1")
        self.port = int(self.origin.rsplit(":", 1)[1])
        self.ca_file = folder / "tls" / "ca.pem" if tls else None
        self.http2 = http2

    @classmethod
    def start(cls, name, folder, script="", tls=False, http2=False, tls_files=None, listen="127.0.0.1:0", seed=1):
        """`tls_files` is a `Certificates` to use instead of a throw-away one of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [binary("ringway-loadtest"), "sim", "--listen", listen, "--seed", str(seed), "--json"]
        if tls_files:
            command += ["--tls-cert", tls_files.cert_file, "--tls-key", tls_files.key_file]
        elif tls:
            command += ["--tls-throwaway", folder / "tls"]
        if http2:
            command += ["--http2"]
        if script:
            (folder / "script.toml").write_text(script)
            command += ["--script", folder / "script.toml"]
        child, line = cls._launch(command, folder)
        simulator = cls(name, child, folder, line["endpoint"], tls or bool(tls_files), http2)
        if tls_files:
            simulator.ca_file = tls_files.ca_file
        return simulator

    @staticmethod
    def _launch(command, folder):
        """The process and the line that it prints when it is ready."""
        child = Child(command, folder)

        def ready():
            assert child.running(), child.stderr
            return child.stdout.endswith("\n") and json.loads(child.stdout)

        return child, wait_for("the simulator is ready", ready)

    def kill(self):
        self.child.signal(signal.SIGKILL)
        self.child.wait()

    def restart(self):
        """Starts it again where it was, with its counters at zero. A throw-away authority would be another one."""
        assert not self.child.running()
        command = list(self.child.command)
        command[command.index("--listen") + 1] = f"127.0.0.1:{self.port}"
        self.child.stdout_path.unlink()
        self.child, _ = self._launch(command, self.child.stdout_path.parent)

    def stats(self):
        """The counters, as attributes."""
        return SimpleNamespace(**json.loads(self._ask("GET", "/sim/stats")))

    def wait(self, what, holds):
        """Waits until `holds(stats)`; returns those counters."""

        def look():
            stats = self.stats()
            return stats if holds(stats) else None

        try:
            return wait_for(f"{self.name}: {what}", look)
        except AssertionError as late:
            shown = {name: value for name, value in vars(self.stats()).items() if name != "recent"}
            raise AssertionError(f"{late}; the counters are {shown}") from None

    def script(self, toml):
        """Replaces the script. Connections accepted before keep their `[connection]` rules."""
        self._ask("POST", "/sim/script", toml.encode())

    def fail(self, fault, **matches):
        """From now on every exchange that matches meets this fault."""
        conditions = "".join(f"match.{name} = {json.dumps(value)}\n" for name, value in matches.items())
        self.script(f"[[rule]]\n{conditions}fault = {json.dumps(fault)}\n")

    def heal(self):
        self.script("")

    def reset(self):
        self._ask("POST", "/sim/reset")

    def last_request(self):
        """The newest request, with `headers` as a dict and `json` as its parsed body."""
        seen = SimpleNamespace(**self.stats().recent[-1])
        seen.headers = dict(map(tuple, seen.headers))
        # Only the beginning of a large body is remembered.
        whole = seen.body.startswith("{") and len(seen.body.encode()) == seen.body_bytes
        seen.json = json.loads(seen.body) if whole else None
        return seen

    def _ask(self, method, path, body=None):
        status, _, answer = ask(connect(self.origin), method, path, body)
        assert status == 200, f"{method} {path}: {status} {answer!r}"
        return answer

    def stop(self):
        self.child.stop()
