"""Node.js as the folders with a package.json install it: clients need a newer one than Debian's and many machines have."""

import os
import platform
import re
import subprocess

ARCHITECTURE = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]


def node(folder):
    """The one below the folder's node_modules."""
    return folder / "node_modules" / f"node-linux-{ARCHITECTURE}" / "bin" / "node"


def run_tests(folder, file, environment, at=None, limit_s=100):
    """Runs one file under Node's own test runner, with the engine of `folder`; returns how many passed, failed, were skipped."""
    command = [node(folder), "--test", "--test-reporter=tap", file]
    environment = {"PATH": os.environ["PATH"], **environment}
    run = subprocess.run(command, cwd=at or folder, env=environment, capture_output=True, text=True, timeout=limit_s)
    counts = {name: int(count) for name, count in re.findall(r"^# (pass|fail|skipped) (\d+)$", run.stdout, re.M)}
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert counts["fail"] == 0
    return counts
