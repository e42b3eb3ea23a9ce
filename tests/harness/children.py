"""Child processes whose output is kept, and which end with their test."""

import os
import random
import socket
import subprocess
import threading
from pathlib import Path
from signal import SIGTERM

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROFILE = os.environ.get("RINGWAY_PROFILE", "release")


def binary(name):
    """The path of a binary that tests/run has built, or that RINGWAY_BIN_DIR holds."""
    folder = Path(os.environ.get("RINGWAY_BIN_DIR", TARGET / PROFILE))
    path = folder / name
    assert path.exists(), f"{path} is missing: build it with `cargo build --release --workspace`"
    return str(path)


class Child:
    """A process with its standard output and error in files."""

    def __init__(self, command, folder, environment=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.command = [str(part) for part in command]
        self.stdout_path = folder / "stdout"
        self.stderr_path = folder / "stderr"
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=folder
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def signal(self, which):
        self.process.send_signal(which)

    def wait(self, limit_s=30):
        """Its exit code."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.command[0]} is still running after {limit_s} s:\n{self.stderr[-4000:]}"
            ) from None

    def stop(self, which=SIGTERM):
        """Ends it, by force if it does not end otherwise."""
        if self.running():
            self.signal(which)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def free_port():
    """A port that nobody listens on and that no outgoing connection is given by chance.

    Ports of the ephemeral range could be taken by any connect between this look and the bind of the process that is told
    to use it, so one below that range is drawn.
    """
    for _ in range(200):
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port was found")


def in_threads(count, work):
    """Runs `work(0)` ... `work(count - 1)` at the same time; returns their results, raises the first error."""
    results, errors = [None] * count, []

    def run(index):
        try:
            results[index] = work(index)
        except BaseException as error:  # It is raised again below.
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
