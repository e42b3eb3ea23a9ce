"""Two shards share what one of them accepted."""

import socket

import pytest

from harness.waiting import wait_for
from peers.lifecycle.client import Client, one

CROWD = 400


def per_shard(gateway, name):
    return [gateway.metric(name, shard=shard) for shard in ("0", "1")]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_crowd_that_comes_at_once_is_evened_out(ringway, simulate, tmp_path, driver, kind):
    """Connections begin before any of them is accepted. A unix socket is shared: either shard may take all of them."""
    path = tmp_path / "api.sock"
    gateway = ringway(shards=2, driver=driver, **one(simulate()))
    if kind == "unix":
        gateway.config.server["listen"].append(f"unix:{path}")
        gateway.write_config()
        gateway.finish()
        gateway = ringway(shards=2, driver=driver, server={"listen": [f"unix:{path}"]}, **one(simulate("b")))
    connections = []
    for _ in range(CROWD):
        connection = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        connection.setblocking(False)
        connection.connect_ex(str(path) if kind == "unix" else ("127.0.0.1", gateway.port))
        connections.append(connection)
    gateway.wait_metric("ringway_connections", lambda value: value == CROWD)
    shares = per_shard(gateway, "ringway_shard_connections")
    assert sum(shares) == CROWD and min(shares) >= CROWD * 0.4, shares
    # Each of them is served, whichever shard has it.
    request = f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.key}\r\n\r\n".encode()
    for connection in connections:
        connection.setblocking(True)
        connection.sendall(request)
    for connection in connections:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        connection.close()
    gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_streams_run_on_every_shard(ringway, simulate, driver):
    simulator = simulate(script="[answer]\ntokens = 100\n[latency]\ngap_ms = 40.0\n")
    gateway = ringway(shards=2, driver=driver, **one(simulator))
    clients = [Client(gateway) for _ in range(20)]
    streams = [client.stream() for client in clients]
    shares = wait_for(
        "all streams are counted",
        lambda: sum(now := per_shard(gateway, "ringway_shard_in_flight")) == 20 and now,
    )
    assert min(shares) >= 4, shares
    for stream in streams:
        assert stream.read().endswith(b"data: [DONE]\n\n")
