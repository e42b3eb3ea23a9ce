"""One Ringway for all cases of a file: what a case does to it, the next ones would notice."""

from types import SimpleNamespace

import pytest

from harness.gateway import Gateway
from harness.simulator import Simulator
from harness.waiting import wait_for
from peers.bad_input.wire import Wire


def lines_logged(gateway):
    """Counted, not parsed: the last line of a log that is being written may be half there."""
    path = gateway.folder / "access.log"
    return path.read_bytes().count(b"\n") if path.exists() else 0


class Target(SimpleNamespace):
    """A gateway with one simulated provider behind it."""

    def assert_well(self):
        """What holds after every attack: the process lives, a fresh connection is served, nothing reached the provider
        that was not logged, and nothing is still counted as running."""
        assert self.gateway.child.running(), self.gateway.child.stderr[-4000:]
        with Wire(self.gateway) as wire:
            wire.chat()
            answer = wire.answer()
            assert answer.status == 200, answer
        seen = self.provider.stats().requests
        wait_for(f"{seen} requests are in the access log", lambda: lines_logged(self.gateway) >= seen)
        self.gateway.wait_metric("ringway_in_flight", lambda value: value == 0)


def start(folder, script="", **options):
    """The caller has to `finish` it."""
    provider = Simulator.start("provider", folder / "provider", script=script)
    options = {"models": {"m": ["provider/m"], "*": ["provider/*"]}, **options}
    gateway = Gateway.start(folder / "ringway", providers={"provider": provider}, **options)
    return Target(gateway=gateway, provider=provider)


def finish(target):
    target.gateway.finish()
    target.provider.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    target = start(tmp_path_factory.mktemp("shared"))
    yield target
    finish(target)


@pytest.fixture
def target(shared):
    """The file's shared gateway, which has to be well after each test."""
    yield shared
    shared.assert_well()


@pytest.fixture
def own(tmp_path):
    """`own(server={...})`: a gateway with a configuration of its own, well after the test."""
    running = []

    def run(**options):
        running.append(start(tmp_path / f"own-{len(running)}", **options))
        return running[-1]

    yield run
    for target in running:
        target.assert_well()
        finish(target)
