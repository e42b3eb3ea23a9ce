"""Clients that leave, and clients that do not read: rows 24 and 25 of the fault table."""

import json
import socket
import struct

import pytest

from peers.exchange import MESSAGES, answered, chat, open_stream

ENDLESS = "[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n"
FLOOD = "[answer]\ntokens = 100000\nchunks = 0\n"


def leave_by_fin(connection):
    connection.close()


def leave_by_reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def leave_by_half_close(connection):
    connection.shutdown(socket.SHUT_WR)


WAYS = pytest.mark.parametrize("leave", [leave_by_fin, leave_by_reset, leave_by_half_close])


def gone(sides):
    """Waits until the provider has been told, and the gateway has counted it."""
    sides.ill.wait("the attempt was cancelled", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)
    sides.gateway.wait_metric("ringway_clients_gone_total", lambda value: value == 1)
    sides.gateway.wait_metric("ringway_in_flight", lambda value: value == 0)
    sides.ill.heal()
    answered(chat(sides.gateway, "alone"))


@WAYS
def test_before_the_head(couple, wire, leave):
    sides = couple(wire)
    sides.ill.fail("silent")
    with open_stream(sides.gateway) as connection:
        sides.ill.wait("the request has arrived", lambda stats: stats.in_flight == 1)
        leave(connection)
        gone(sides)
    assert sides.well.stats().requests == 0, "a client that left is not a reason to try elsewhere"


@WAYS
def test_before_the_first_token(couple, wire, leave):
    sides = couple(wire)
    sides.ill.fail("silent_after_head")
    with open_stream(sides.gateway) as connection:
        sides.ill.wait("the request has arrived", lambda stats: stats.in_flight == 1)
        leave(connection)
        gone(sides)


@WAYS
def test_within_the_stream(couple, wire, leave):
    sides = couple({**wire, "script": ENDLESS})
    with open_stream(sides.gateway) as connection:
        assert connection.recv(100)
        leave(connection)
        gone(sides)


def test_while_the_request_is_sent(couple):
    sides = couple()
    connection = socket.create_connection(("127.0.0.1", sides.gateway.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {sides.gateway.key}\r\n"
    connection.sendall(f'{head}content-length: 1000\r\n\r\n{{"model":'.encode())
    connection.close()
    sides.gateway.wait_metric("ringway_in_flight", lambda value: value == 0)
    assert sides.ill.stats().requests == 0
    answered(chat(sides.gateway, "alone"))


def test_a_client_that_does_not_read_stops_the_provider(couple, wire):
    """What waits for the client is bounded, so the provider is slowed down: it cannot finish its answer."""
    sides = couple({**wire, "script": FLOOD}, server={"write_timeout_ms": 60_000})
    before = sides.gateway.resident_bytes()
    with open_stream(sides.gateway, receive_bytes=16 << 10) as connection:
        sent = 0

        def stands_still(stats):
            nonlocal sent
            still = stats.content_events == sent > 0
            sent = stats.content_events
            return still

        stalled = sides.ill.wait("the provider is stopped", stands_still)
        assert stalled.in_flight == 1 and stalled.completed == 0
        assert sides.gateway.resident_bytes() - before < 16 << 20
        # It reads again, and everything is there.
        received = bytearray()
        while b"[DONE]" not in received[-200:]:
            piece = connection.recv(1 << 20)
            assert piece, received[-200:]
            received += piece
        assert received.count(b'"delta":{"content"') == 100_000


def test_a_client_that_never_reads_is_cut(couple, wire):
    sides = couple({**wire, "script": FLOOD}, server={"write_timeout_ms": 300})
    with open_stream(sides.gateway, receive_bytes=16 << 10):
        sides.ill.wait("the attempt was cancelled", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)
        sides.gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_what_a_client_takes_longer_for_is_no_overhead(couple, wire):
    """It reads none of its whole answers, and is cut: the time until then is the exchange's, but not of our making."""
    sides = couple({**wire, "script": "[answer]\ntokens = 100000\n"}, server={"write_timeout_ms": 300})
    body = json.dumps({"model": "alone", "messages": MESSAGES})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {sides.gateway.key}\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()
    with socket.create_connection(("127.0.0.1", sides.gateway.port)) as connection:
        # The first few fit into the socket's buffers.
        connection.sendall(request * 50)
        line = sides.gateway.wait_log("the client was cut", lambda line: line["client_gone"])
    assert line["status"] == 200 and not line["streamed"]
    # The time-out, less a tick of 50 ms.
    assert line["total_us"] - line["overhead_us"] >= 250_000
