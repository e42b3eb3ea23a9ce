"""SIGTERM: what runs is finished, nothing new begins, and both can be seen from outside."""

import http.client
import signal
import socket

import pytest

from harness.waiting import wait_for
from peers.bad_input.frames import H2, NO_ERROR
from peers.lifecycle.client import Client, one

# A stream of about a second and a half, one that still runs when a slow machine has looked at everything, and one that nobody waits for.
STREAM = "[answer]\ntokens = 75\n[latency]\ngap_ms = 20.0\n"
LONGER = "[answer]\ntokens = 75\n[latency]\ngap_ms = 50.0\n"
ENDLESS = "[answer]\ntokens = 100000\n[latency]\ngap_ms = 20.0\n"


def refused(gateway):
    """True if connecting is refused."""
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_streams_finish(ringway, simulate, driver):
    gateway = ringway(driver=driver, shards=2, **one(simulate(script=LONGER)))
    clients = [Client(gateway) for _ in range(20)]
    streams = [client.stream() for client in clients]
    pieces = [stream.read(64) for stream in streams]
    gateway.child.signal(signal.SIGTERM)
    # Readiness first: whoever balances load looks there, and must have been told by the time that connecting fails.
    wait_for("connections are refused", lambda: refused(gateway))
    status, why = gateway.admin("/readyz")
    assert status == 503 and "drain" in why
    assert gateway.admin("/livez")[0] == 200
    assert gateway.metric("ringway_phase") == 2 and gateway.metric("ringway_in_flight") == 20
    for piece, stream in zip(pieces, streams, strict=True):
        whole = piece + stream.read()
        assert whole.count(b'"delta":{"content"') == 75 and whole.endswith(b"data: [DONE]\n\n")
    assert gateway.child.wait() == 0


def test_kept_connections_are_closed(ringway, simulate, driver):
    """Idle ones at once; one on which a request had begun after its answer, which says so."""
    gateway = ringway(driver=driver, **one(simulate(script=STREAM)))
    idle, untouched, begun, busy = (Client(gateway) for _ in range(4))
    assert idle.chat()[0] == 200
    stream = busy.stream()
    begun.sock.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n")
    # The half request has been read when a later one of another connection has been answered.
    assert idle.chat()[0] == 200
    gateway.child.signal(signal.SIGTERM)
    assert idle.ended() and untouched.ended()
    begun.sock.sendall(f"Authorization: Bearer {gateway.key}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(begun.sock, method="GET")
    answer.begin()
    assert answer.status == 200 and answer.headers["connection"] == "close"
    answer.read()
    assert begun.ended()
    assert stream.read().endswith(b"data: [DONE]\n\n")
    assert busy.ended()
    assert gateway.child.wait() == 0


def test_requests_in_flight_finish_over_tls(ringway, simulate, certificates):
    gateway = ringway(tls=(certificates.cert_file, certificates.key_file), **one(simulate(script=STREAM)))
    with Client(gateway, certificates.ca_file) as client:
        stream = client.stream()
        gateway.child.signal(signal.SIGTERM)
        assert stream.read().endswith(b"data: [DONE]\n\n")
        assert client.ended()
    assert gateway.child.wait() == 0


def test_a_connection_of_http2_is_told_to_leave(ringway, simulate, driver):
    """GOAWAY without error; its streams finish, and then it is closed."""
    gateway = ringway(driver=driver, **one(simulate(script=LONGER)))
    with H2(gateway) as client, H2(gateway) as idle:
        client.send(client.chat(1, stream=True) + client.chat(3, stream=True))
        client.wait("both streams have begun", lambda: client.data.get(1) and client.data.get(3))
        idle.ping()
        gateway.child.signal(signal.SIGTERM)
        assert idle.wait_closed() == NO_ERROR
        client.wait("GOAWAY", lambda: client.goaway is not None)
        assert client.goaway == NO_ERROR and client.ended == set()
        for stream in (1, 3):
            status, body = client.answer(stream)
            assert status == 200 and body.endswith(b"data: [DONE]\n\n")
        client.wait_closed()
    assert gateway.child.wait() == 0


@pytest.mark.parametrize("how", ["time", "signal"])
def test_what_does_not_finish_is_cut(ringway, simulate, driver, how):
    """By the end of the drain time, or by asking a second time; the exit code says so and the client can tell."""
    simulator = simulate(script=ENDLESS)
    drain_timeout_ms = 300 if how == "time" else 600_000
    gateway = ringway(driver=driver, server={"drain_timeout_ms": drain_timeout_ms}, **one(simulator))
    gateway.exit_codes = {3}
    with Client(gateway) as client:
        stream = client.stream()
        assert stream.read(64)
        gateway.child.signal(signal.SIGTERM)
        wait_for("connections are refused", lambda: refused(gateway))
        if how == "signal":
            gateway.child.signal(signal.SIGTERM)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            stream.read()
    assert gateway.child.wait() == 3
    simulator.wait("the stream was cancelled", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)


def test_nothing_to_wait_for(ringway, simulate, driver):
    gateway = ringway(driver=driver, server={"drain_timeout_ms": 600_000}, shards=2, **one(simulate()))
    kept = [Client(gateway) for _ in range(3)]
    gateway.wait_metric("ringway_connections", lambda value: value == 3)
    gateway.child.signal(signal.SIGTERM)
    assert gateway.child.wait() == 0
    assert all(client.ended() for client in kept)


def test_interrupt_stops_as_well(ringway, simulate):
    gateway = ringway(**one(simulate()))
    gateway.child.signal(signal.SIGINT)
    assert gateway.child.wait() == 0
