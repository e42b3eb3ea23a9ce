"""Runs openai.test.mjs under Node's own test runner."""

import os
from pathlib import Path

from harness.node import run_tests

HERE = Path(__file__).parent
# Where the client is installed: another version of it has a folder of its own.
CLIENT = Path(os.environ.get("OPENAI_NODE_CLIENT", HERE))


def test_openai_for_node(ringway, simulate):
    provider = simulate("a")
    gateway = ringway(
        providers={"a": provider},
        models={"sim-small": ["a/sim-small"], "sim-embedding": ["a/sim-embedding"], "a/*": ["a/*"]},
    )
    direct = os.environ.get("RINGWAY_TARGET") == "direct"
    environment = {
        "OPENAI_BASE_URL": gateway.api,
        "OPENAI_API_KEY": gateway.key,
        "SIM_CONTROL": f"{provider.origin}/sim",
        "FAULT": gateway.model_of("a", "fault:"),
        "DIRECT": "1" if direct else "0",
    }
    counts = run_tests(HERE, "openai.test.mjs", environment, at=CLIENT)
    assert counts["pass"] >= 12 - 3 * direct
