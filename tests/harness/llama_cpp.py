"""llama.cpp's HTTP server with a small real model as a child process, whatever environment the test itself runs in.

The server lives in the environment of peers/llama_cpp, where importing it does not disturb the packages of the clients that ask it.
"""

from unittest import SkipTest

from .children import ROOT, TARGET, Child, free_port
from .control import ask, connect
from .waiting import wait_for

PYTHON = TARGET / "test-envs" / "llama_cpp" / "bin" / "python"


class LlamaCpp:
    """`origin` is where it listens; `entry` is what [providers.NAME] says of it. Its model is called smollm2."""

    def __init__(self, child, port):
        self.child = child
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.api = f"{self.origin}/v1"
        self.entry = {"kind": "llama-cpp", "base_url": self.api}

    @classmethod
    def start(cls, folder, context_tokens=1024, slots=1):
        """Starts it and does not wait for it. Skips the test where nobody has installed it."""
        if not PYTHON.exists():
            raise SkipTest(f"{PYTHON} is missing: `tests/run llama_cpp` installs llama.cpp and a model")
        port = free_port()
        script = ROOT / "tests" / "peers" / "llama_cpp" / "server.py"
        return cls(Child([PYTHON, script, port, context_tokens, slots], folder), port)

    @classmethod
    def serve(cls, folder):
        """Starts it and waits until the model is loaded."""
        server = cls.start(folder)
        wait_for("the model is loaded", lambda: server.health() == 200)
        return server

    def health(self):
        """Status of its health endpoint; 0 while it does not listen yet."""
        assert self.child.running(), self.child.stderr[-2000:]
        try:
            return ask(connect(self.origin), "GET", "/health")[0]
        except ConnectionError:
            return 0

    def stop(self):
        self.child.stop()
