"""One Ringway for all cases of a module: it has to survive every one of them, and go on to serve others."""

from types import SimpleNamespace

import pytest

from harness.gateway import Gateway
from harness.simulator import Simulator
from peers.exchange import answered, chat


@pytest.fixture(scope="module")
def _target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("target")
    provider = Simulator.start("a", folder / "sim")
    server = {"head_timeout_ms": 2000, "body_timeout_ms": 2000}
    gateway = Gateway.start(folder / "ringway", {"a": provider}, {"m": ["a/m"]}, server=server)
    yield SimpleNamespace(gateway=gateway, provider=provider)
    gateway.finish()
    provider.stop()


@pytest.fixture
def target(_target):
    """The gateway and its provider. After each case others are answered, and nothing reached the provider unlogged."""
    yield _target
    gateway, provider = _target.gateway, _target.provider
    answered(chat(gateway, "m"))
    gateway.wait_metric("ringway_in_flight", lambda value: value == 0)
    seen = provider.stats().requests
    gateway.wait_log("every request that the provider saw", lambda _: logged_attempts(gateway) >= seen)
    assert gateway.metric("ringway_panics_total") == 0


def logged_attempts(gateway):
    return sum(line["attempts"] for line in gateway.access_log())
