"""The cases of http1_cases.py over raw sockets: sent at once, and again byte by byte."""

import contextlib
import socket

import pytest

from peers.bad_input.http1_cases import CASES


def converse(gateway, data, step, answers_wanted):
    """Sends everything, then reads until so many answers are there or the connection ends. Returns the answers' statuses,
    what was received, and whether the connection has ended."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Refused before everything was sent: what was said about it can still be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for at in range(0, len(data), step):
                connection.sendall(data[at : at + step])
        received, ended = b"", False
        while not ended and len(statuses(received)) < answers_wanted:
            try:
                piece = connection.recv(1 << 16)
            except ConnectionResetError:
                piece = b""
            received += piece
            ended = not piece
        return statuses(received), received, ended


def statuses(received):
    """The statuses of the answers that are there whole, by their lengths or chunks; interim ones are left out."""
    found = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ", 2)[1])
        fields = dict(line.lower().split(b":", 1) for line in lines[1:])
        length = int(fields.get(b"content-length", 0))
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            body, end, received = rest.partition(b"0\r\n\r\n")
            if not end:
                break
        elif len(rest) < length:
            break
        else:
            received = rest[length:]
        if status >= 200:
            found.append(status)
    return found


def check(target, case, step):
    data = case.send.replace(b"{key}", target.gateway.key.encode())
    # Where the connection has to end, no number of answers is enough.
    wanted = 1_000_000 if case.closes else 1 + len(case.then)
    found, received, ended = converse(target.gateway, data, step, wanted)
    if not found:
        assert None in case.status, f"no answer: {received[:300]}"
        assert ended
        return
    assert found[0] in case.status, received[:600]
    assert tuple(found[1:]) == case.then[: len(found) - 1], received[:600]
    if case.closes:
        assert len(found) == 1 + len(case.then), received[:600]
    elif len(found) <= len(case.then):
        assert ended and case.closes is None, received[-600:]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_at_once(target, case):
    check(target, case, step=1 << 30)


# A megabyte byte by byte says nothing new.
SHORT = [case for case in CASES if len(case.send) < 1000]


@pytest.mark.long
@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.name)
def test_byte_by_byte(target, case):
    check(target, case, step=1)


@pytest.mark.parametrize("byte", [b"", b"P", b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-a: "])
def test_a_slow_head_is_cut(target, byte):
    """Sent so far and then nothing more: it ends by itself, with 408 or without a word."""
    with socket.create_connection(("127.0.0.1", target.gateway.port), timeout=20) as connection:
        connection.sendall(byte)
        if byte:
            assert connection.recv(1 << 16)[:12] in (b"", b"HTTP/1.1 408")
            target.gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_a_slow_body_is_cut(target):
    with socket.create_connection(("127.0.0.1", target.gateway.port), timeout=20) as connection:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n"
        connection.sendall(head.format(target.gateway.key).encode() + b'{"model":')
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 408")


def test_it_is_one_case_per_name():
    assert len({case.name for case in CASES}) == len(CASES)
