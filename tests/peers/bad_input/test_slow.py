"""Clients that take their time. What counts is the order of events: the slow one is told or cut, others are served meanwhile."""

import contextlib
import socket
import threading

import pytest

from peers.bad_input.conftest import finish, start
from peers.bad_input.wire import Wire, chat_body, chat_request, head, post

QUICK = {"head_timeout_ms": 300, "body_timeout_ms": 300, "idle_timeout_ms": 300, "write_timeout_ms": 300}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    target = start(tmp_path_factory.mktemp("impatient"), server=QUICK)
    yield target
    finish(target)


@pytest.fixture
def target(impatient):
    yield impatient
    impatient.assert_well()


class Trickle:
    """Sends one byte of `data` after the other, pausing each time, until all is sent or the peer has had enough."""

    def __init__(self, wire, data, pause_s=0.02):
        self.stopped = threading.Event()
        self.sent = 0
        self.thread = threading.Thread(target=self._run, args=(wire, data, pause_s), daemon=True)
        self.thread.start()

    def _run(self, wire, data, pause_s):
        for byte in data:
            try:
                wire.socket.send(bytes([byte]))
            except OSError:
                return
            self.sent += 1
            if self.stopped.wait(pause_s):
                return

    def stop(self):
        self.stopped.set()
        self.thread.join()


def served_meanwhile(target):
    with Wire(target.gateway) as other:
        other.chat()
        assert other.answer().status == 200


def timed_out(wire):
    answer = wire.answer()
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"
    wire.assert_closed()


def test_a_head_that_trickles(target):
    with Wire(target.gateway) as wire:
        trickle = Trickle(wire, head("GET", "/v1/models", target.gateway.key, *["X: y"] * 50))
        served_meanwhile(target)
        timed_out(wire)
        trickle.stop()


def test_half_a_head(target):
    with Wire(target.gateway) as wire:
        wire.send(b"POST /v1/chat/comple")
        served_meanwhile(target)
        timed_out(wire)


def test_half_a_head_behind_a_request(target):
    with Wire(target.gateway) as wire:
        wire.send(chat_request(target.gateway.key) + b"GET /v1")
        assert wire.answer().status == 200
        timed_out(wire)


def test_a_connection_on_which_nothing_is_said(target):
    with Wire(target.gateway) as wire:
        served_meanwhile(target)
        wire.assert_closed()


def test_a_connection_on_which_nothing_more_is_said(target):
    with Wire(target.gateway) as wire:
        wire.get()
        assert wire.answer().status == 200
        wire.assert_closed()


def body_head(key, length=100_000):
    lines = ("Content-Type: application/json", f"Content-Length: {length}")
    return head("POST", "/v1/chat/completions", key, *lines) + b"\r\n"


def test_a_body_that_does_not_come(target):
    with Wire(target.gateway) as wire:
        wire.send(body_head(target.gateway.key))
        served_meanwhile(target)
        timed_out(wire)


def test_a_body_that_trickles(target):
    """Each byte is in time; all of them together are not."""
    with Wire(target.gateway) as wire:
        wire.send(body_head(target.gateway.key))
        trickle = Trickle(wire, b'{"model":"m","x":"' + b"a" * 10_000)
        served_meanwhile(target)
        timed_out(wire)
        trickle.stop()


def test_a_body_of_tiny_chunks_that_trickles(target):
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    with Wire(target.gateway) as wire:
        wire.send(
            head("POST", "/v1/chat/completions", target.gateway.key, *lines) + b"\r\n12\r\n" + b'{"model":"m","x":"'
        )
        trickle = Trickle(wire, b"\r\n" + b"1;extension=of-no-use\r\na\r\n" * 1000)
        served_meanwhile(target)
        timed_out(wire)
        trickle.stop()


def test_a_multipart_body_that_trickles(target):
    lines = ("Content-Type: multipart/form-data; boundary=x", "Content-Length: 100000")
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/audio/transcriptions", target.gateway.key, *lines) + b"\r\n")
        trickle = Trickle(
            wire, b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"a" * 10_000
        )
        served_meanwhile(target)
        timed_out(wire)
        trickle.stop()


def test_a_large_body_in_slow_pieces_is_in_time(own):
    """Longer than the time-out in all, but never behind its pace: it is a network, not an attack."""
    target = own(server={"body_timeout_ms": 1000})
    body = chat_body(padding="x" * (32 * 16 * 1024))
    request = post(target.gateway.key, body)
    with Wire(target.gateway) as wire:
        pause = threading.Event()
        for start in range(0, len(request), 16 * 1024):
            wire.send(request[start : start + 16 * 1024])
            pause.wait(0.04)
        assert wire.answer().status == 200


def test_slow_bodies_hold_no_room_for_long(own):
    """Clients that announce all that the shard has room for, and send nothing: others are shed only until they are cut."""
    target = own(server={**QUICK, "body_bytes_max": 100_000, "shard_body_bytes_max": 300_000})
    slow = [Wire(target.gateway) for _ in range(3)]
    for wire in slow:
        wire.send(body_head(target.gateway.key))
    target.gateway.wait_metric("ringway_body_held_bytes", lambda value: value == 300_000)
    with Wire(target.gateway) as wire:
        wire.chat()
        answer = wire.answer()
        assert (answer.status, answer.code) == (503, "gateway_overloaded")
        assert answer.headers["retry-after"] and answer.headers["retry-after-ms"]
    for wire in slow:
        timed_out(wire)
    target.gateway.wait_metric("ringway_body_held_bytes", lambda value: value == 0)


def test_a_hundred_slow_heads_and_bodies(target):
    """They are all told, and nobody else waits for it."""
    wires = [Wire(target.gateway) for _ in range(100)]
    for nth, wire in enumerate(wires):
        wire.send(b"POST /v1" if nth % 2 else body_head(target.gateway.key))
    for _ in range(10):
        served_meanwhile(target)
    for wire in wires:
        timed_out(wire)
        wire.socket.close()
    target.gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_an_answer_that_is_not_read(own):
    """The client's buffers are full and it does not read: it is cut, and the provider is let go."""
    target = own(script="[answer]\ntokens = 100000\n", server=QUICK)
    with Wire(target.gateway) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.chat(stream=True)
        target.provider.wait("the stream was given up", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)
        target.gateway.wait_metric("ringway_connections", lambda value: value == 0)
    target.provider.script("")


def test_pipelined_answers_that_are_not_read(own):
    """Answers wait for their reader within the socket's buffer and a bound of ours; then the connection is cut."""
    target = own(server=QUICK)
    before = target.gateway.resident_bytes()
    with Wire(target.gateway) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = head("GET", "/v1/models", target.gateway.key) + b"\r\n"
        sending = threading.Thread(target=wire.send, args=(request * 100_000,), daemon=True)
        sending.start()
        target.gateway.wait_metric("ringway_answers_total", lambda value: value > 0)
        target.gateway.wait_metric("ringway_connections", lambda value: value == 0)
        # Cut as idle, if it has read all that came, it still owes what the kernel holds: no reset wakes our sender.
        with contextlib.suppress(OSError):
            wire.socket.shutdown(socket.SHUT_RDWR)
        sending.join()
    assert target.gateway.resident_bytes() - before < 8 << 20


def test_a_connection_over_the_limit_is_closed(own):
    target = own(server={"shard_connections_max": 10})
    kept = [Wire(target.gateway) for _ in range(10)]
    target.gateway.wait_metric("ringway_connections", lambda value: value == 10)
    with Wire(target.gateway) as wire:
        wire.assert_closed()
    for wire in kept:
        wire.get()
        assert wire.answer().status == 200
        wire.socket.close()
    target.gateway.wait_metric("ringway_connections", lambda value: value == 0)
