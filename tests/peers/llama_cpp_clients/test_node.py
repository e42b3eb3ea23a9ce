"""Runs llama.test.mjs under Node's own test runner, with the clients of clients/node_sdks."""

from pathlib import Path

from harness.children import ROOT
from harness.node import run_tests

SDKS = ROOT / "tests" / "clients" / "node_sdks"
CLIENTS, QUESTIONS, WAYS = 9, 2, 2


def test_the_clients_for_node(gateway, direct):
    answer = {
        "PROMPT": direct.prompt,
        "TEXT": direct.text,
        "INPUT": str(direct.usage[0]),
        "OUTPUT": str(direct.usage[1]),
    }
    environment = {"BASE_URL": gateway.url, "KEY": gateway.key, "CLIENTS": str(SDKS / "clients.mjs"), **answer}
    test = Path(__file__).with_name("llama.test.mjs")
    # One client gets schemas by a tool, which this model cannot be made to call.
    assert run_tests(SDKS, test, environment) == {"pass": CLIENTS * QUESTIONS * WAYS - WAYS, "fail": 0, "skipped": WAYS}
