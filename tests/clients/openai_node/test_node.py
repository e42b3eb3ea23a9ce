"""Runs openai.test.mjs under Node's own test runner."""

import os
import platform
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
# Where the client is installed: another version of it has a folder of its own.
CLIENT = Path(os.environ.get("OPENAI_NODE_CLIENT", HERE))


def node():
    """The Node.js that package.json asks for: the client needs a newer one than Debian's and many machines have."""
    arch = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
    return HERE / "node_modules" / f"node-linux-{arch}" / "bin" / "node"


def test_openai_for_node(ringway, simulate):
    provider = simulate("a")
    gateway = ringway(
        providers={"a": provider},
        models={"sim-small": ["a/sim-small"], "sim-embedding": ["a/sim-embedding"], "a/*": ["a/*"]},
    )
    direct = os.environ.get("RINGWAY_TARGET") == "direct"
    environment = {
        "PATH": os.environ["PATH"],
        "OPENAI_BASE_URL": gateway.api,
        "OPENAI_API_KEY": gateway.key,
        "SIM_CONTROL": f"{provider.origin}/sim",
        "FAULT": gateway.model_of("a", "fault:"),
        "DIRECT": "1" if direct else "0",
    }
    command = [node(), "--test", "--test-reporter=tap", "openai.test.mjs"]
    run = subprocess.run(command, cwd=CLIENT, env=environment, capture_output=True, text=True, timeout=100)
    counts = {name: int(count) for name, count in re.findall(r"^# (pass|fail|skipped) (\d+)$", run.stdout, re.M)}
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert counts["fail"] == 0 and counts["pass"] >= 12 - 3 * direct
