"""HTTP/2 servers of others as providers: hypercorn, and nghttpx in front of it.

100 streams at a time run on connections that were warm before the first of them, and the figures say so.
"""

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.children import Child, free_port, in_threads
from harness.waiting import wait_for
from peers.exchange import answered, chat

AT_ONCE = 100
HERE = Path(__file__).parent


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_hypercorn(folder, certificates=None):
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "hypercorn",
        "--graceful-timeout",
        "0",
        # Its own limit for connections that idle, 5 s, would replace one of them on a slow machine.
        "--keep-alive",
        "120",
        "--bind",
        f"127.0.0.1:{port}",
        "provider:application",
    ]
    if certificates:
        command += ["--certfile", certificates.cert_file, "--keyfile", certificates.key_file]
    child = Child(command, folder, {**os.environ, "PYTHONPATH": str(HERE), "AT_ONCE": str(AT_ONCE)})
    wait_for("hypercorn listens", lambda: listens(port))
    return child, port


@pytest.fixture(params=["hypercorn", "nghttpx"])
def provider(request, tmp_path, certificates):
    """Its port. Both speak HTTP/2 over TLS and allow 100 streams on each connection."""
    children = []
    if request.param == "hypercorn":
        child, port = start_hypercorn(tmp_path / "hypercorn", certificates)
        children.append(child)
    else:
        child, behind = start_hypercorn(tmp_path / "hypercorn")
        port = free_port()
        command = ["nghttpx", f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{behind}", "--workers=1",
                   "--conf=/dev/null", certificates.key_file, certificates.cert_file]  # fmt: skip
        children += [child, Child(command, tmp_path / "nghttpx")]
        wait_for("nghttpx listens", lambda: listens(port))
    yield port
    for child in reversed(children):
        child.stop()


@pytest.fixture
def gateway(ringway, provider, certificates):
    entry = {
        "kind": "openai-compatible",
        "base_url": f"https://localhost:{provider}/v1",
        "ca_file": str(certificates.ca_file),
        "pool": {"warm_min": 2},
    }
    return ringway(providers={"a": entry}, models={"m": ["a/m"]})


def figures(gateway):
    metrics = gateway.metrics()
    names = {
        "connects": "ringway_upstream_connects_total",
        "handshakes": "ringway_upstream_handshakes_total",
        "on_request_path": "ringway_connects_on_request_path_total",
        "warm": "ringway_upstream_warm",
    }
    return SimpleNamespace(**{short: metrics.value(name) for short, name in names.items()})


def test_warm_before_the_first_request(gateway):
    # Warm is a connection whose first PING was answered; readiness does not wait longer than five seconds for that.
    gateway.wait_metric("ringway_upstream_warm", lambda value: value == 2)
    before = figures(gateway)
    assert before.connects == before.handshakes == before.warm == 2
    answered(chat(gateway, "m"))
    assert figures(gateway) == before


def test_100_streams_at_a_time_on_warm_connections(gateway):
    for answer in in_threads(AT_ONCE, lambda _: chat(gateway, "m", stream=True)):
        assert answered(answer).content == "first last"
    after = figures(gateway)
    # More may be opened before the streams of two connections run out; nobody had to wait for one.
    assert after.on_request_path == 0
    assert after.connects == after.handshakes <= 4


def test_connections_are_used_again(gateway):
    for _ in range(50):
        answered(chat(gateway, "m"))
    assert figures(gateway).connects == 2
