"""What idle connections cost."""

import resource
import socket

import pytest

from harness.waiting import wait_for
from peers.lifecycle.client import Client, one

CONNECTIONS = 10_000
EACH_BYTES_MAX = 4096


@pytest.fixture
def many_descriptors():
    """As many descriptors as this process may have; the gateway raises its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CONNECTIONS + 500:
        pytest.skip(f"no more than {hard} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_connections(ringway, simulate, driver, many_descriptors, record_property):
    """Each has had one answer; its buffers are given back, and then it costs at most 4 KiB."""
    gateway = ringway(driver=driver, server={"idle_timeout_ms": 600_000}, **one(simulate()))
    request = f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.key}\r\n\r\n".encode()
    with Client(gateway) as client:
        for _ in range(100):
            assert client.chat()[0] == 200
    gateway.wait_metric("ringway_connections", lambda value: value == 0)
    before = gateway.resident_bytes()
    connections = []
    try:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
            connections.append(connection)
        assert gateway.metric("ringway_connections") == CONNECTIONS

        def each():
            return (gateway.resident_bytes() - before) / CONNECTIONS

        wait_for(f"at most {EACH_BYTES_MAX} bytes for each connection", lambda: each() <= EACH_BYTES_MAX)
        record_property("idle_process_bytes", before)
        record_property("idle_connection_bytes", each())
        print(f"\n{driver}: idle process {before / 1048576:.1f} MiB, {each():.0f} bytes for each idle connection")
        # They are still served.
        for connection in connections[:: CONNECTIONS // 100]:
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        for connection in connections:
            connection.close()
    gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_memory_comes_back_after_a_crowd(ringway, simulate, driver):
    """Large requests, twice as many the second time: what stays does not grow with them."""
    gateway = ringway(driver=driver, **one(simulate()))

    def crowd(count):
        clients = [Client(gateway) for _ in range(16)]
        for nth in range(count):
            assert clients[nth % 16].chat(padding="x" * 1_000_000)[0] == 200
        for client in clients:
            client.close()
        gateway.wait_metric("ringway_connections", lambda value: value == 0)
        return gateway.resident_bytes()

    first = crowd(64)
    assert crowd(128) - first < 8 << 20
