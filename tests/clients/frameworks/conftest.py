"""Frameworks that bring a client of their own for each API, in front of Ringway with providers of every dialect behind it.

There are many tests and none of them leaves anything behind, so that a gateway serves all that meet one kind of provider.
"""

import base64

import pytest

from harness.gateway import Gateway
from harness.pairs import KINDS, served_by
from harness.pixel import PNG
from harness.simulator import Simulator


@pytest.fixture(scope="session", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def simulator(kind, tmp_path_factory):
    simulator = Simulator.start("provider", tmp_path_factory.mktemp("provider"))
    yield simulator
    invalid = simulator.stats().invalid
    simulator.stop()
    assert not invalid


@pytest.fixture(scope="session")
def gateway(simulator, kind, tmp_path_factory):
    gateway = Gateway.start(tmp_path_factory.mktemp("ringway") / "run", **served_by(simulator, kind))
    yield gateway
    gateway.finish()


@pytest.fixture
def provider(simulator):
    yield simulator
    simulator.heal()


@pytest.fixture
def picture():
    return base64.b64decode(PNG)
