"""Fixtures that start Ringway and simulated providers, for every suite below this folder."""

import os

import pytest

from harness.certificates import Certificates
from harness.gateway import Direct, Gateway
from harness.simulator import Simulator


def pytest_configure(config):
    config.stash_direct = os.environ.get("RINGWAY_TARGET") == "direct"


def pytest_collection_modifyitems(config, items):
    """Without --long nothing long runs; against the simulator alone, nothing that only a gateway can do."""
    long = os.environ.get("RINGWAY_LONG") == "1"
    for item in items:
        if item.get_closest_marker("long") and not long:
            item.add_marker(pytest.mark.skip(reason="tests/run --long"))
        if config.stash_direct and item.get_closest_marker("gateway_only"):
            item.add_marker(pytest.mark.skip(reason="needs the gateway"))


def pytest_report_header():
    target = os.environ.get("RINGWAY_TARGET", "ringway")
    return f"target: {target}, driver: {os.environ.get('RINGWAY_DRIVER', 'auto')}"


@pytest.fixture
def simulate(tmp_path):
    """Starts simulated providers: `simulate("a", script=...)`."""
    running = []

    def start(name="a", **options):
        simulator = Simulator.start(name, tmp_path / f"sim-{name}", **options)
        running.append(simulator)
        return simulator

    yield start
    for simulator in running:
        simulator.stop()


@pytest.fixture
def ringway(request, tmp_path):
    """Starts Ringway: `ringway(providers={"a": simulator}, models={"m": ["a/m"]})`. See harness.gateway for the rest.

    When the test ends the process is stopped, and it must have drained, must not have caught a panic, and must have
    written no secret anywhere.
    """
    running = []

    def start(**options):
        kind = Direct if request.config.stash_direct else Gateway
        gateway = kind.start(tmp_path / f"ringway-{len(running)}", **options)
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        gateway.finish()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A throw-away certificate authority, and a certificate for localhost and 127.0.0.1."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))
