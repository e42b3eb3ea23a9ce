"""Drivers to run under, and processes that the harness' own way of starting does not fit."""

import ctypes
import os
import socket

import pytest

from harness.children import Child, binary
from harness.gateway import DRIVER
from harness.waiting import wait_for


def io_uring_works():
    """True if this kernel lets this process set a ring up."""
    parameters = ctypes.create_string_buffer(120)
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(425, 1, parameters)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0


# tests/run goes through the drivers by itself; a run by hand takes both.
DRIVERS = ["epoll", "io_uring"] if DRIVER == "auto" else [DRIVER]


@pytest.fixture(params=DRIVERS)
def driver(request):
    """Each driver; io_uring only where the kernel allows it."""
    if request.param == "io_uring" and not io_uring_works():
        pytest.skip("io_uring is off here")
    return request.param


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.05)
        # Messages as dicts, in order.
        self.messages = []

    def read(self):
        while True:
            try:
                text = self.socket.recv(8192).decode()
            except TimeoutError:
                return self.messages
            self.messages.append(dict(line.split("=", 1) for line in text.splitlines()))

    def wait(self, what, holds):
        """Waits for a message for which `holds(message)`; returns the first."""
        return wait_for(what, lambda: next(filter(holds, self.read()), None))


class Served:
    """`ringway serve` as somebody started it. It is ready when it has said so."""

    def __init__(self, folder, arguments, environment, prefix=(), pass_fds=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.manager = Manager(folder / "notify")
        inherited = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
        environment = {**inherited, "NOTIFY_SOCKET": str(self.manager.path), **environment}
        self.child = Child([*prefix, binary("ringway"), "serve", *arguments], folder, environment)

    def wait_ready(self):
        def ready():
            assert self.child.running(), self.child.stderr
            return any(message.get("READY") == "1" for message in self.manager.read())

        wait_for("READY=1", ready)
        return self

    def printed(self, start):
        """The rest of the line of standard error that begins with this, once it is there."""

        def look():
            lines = self.child.stderr.splitlines()
            return next((line.removeprefix(start).strip() for line in lines if line.startswith(start)), None)

        return wait_for(f"a line that begins with {start!r}", look)


@pytest.fixture
def serve(tmp_path):
    """`serve(arguments, environment)` starts it; it has to end cleanly with the test unless it has ended before."""
    running = []

    def start(arguments, environment=None, **options):
        served = Served(
            tmp_path / f"served-{len(running)}", [str(part) for part in arguments], environment or {}, **options
        )
        running.append(served)
        return served

    yield start
    for served in running:
        if served.child.running():
            assert served.child.stop() == 0, served.child.stderr
