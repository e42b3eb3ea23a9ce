"""Runs sdks.test.mjs under Node's own test runner, with providers of every dialect."""

from pathlib import Path

from harness.node import run_tests
from harness.pixel import PNG

HERE = Path(__file__).parent


def test_the_clients_for_node(gateway, provider):
    environment = {"BASE_URL": gateway.url, "KEY": gateway.key, "SIM_CONTROL": f"{provider.origin}/sim", "PNG": PNG}
    assert run_tests(HERE, "sdks.test.mjs", environment)["pass"] == 9 * 9
