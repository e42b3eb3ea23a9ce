"""Floods and bombs over HTTP/2, each with raw frames. The connection they come on is ended within a bounded number of frames, or they
are harmless; other clients are served in the meantime and afterwards, and the provider sees no more than was logged."""

import contextlib
import itertools
import socket
import struct
import threading

import pytest

from peers.bad_input import frames as f
from peers.bad_input.conftest import finish, start
from peers.bad_input.frames import H2, frame, window_update
from peers.bad_input.wire import Wire, chat_body

# Never set: for what has to take a little time.
PAUSE = threading.Event()

# Frames after which a flood that goes on unanswered is a failure. What the sockets hold between the two is included, which is why it is
# far more than the thousand or so that the gateway takes.
FRAMES_MAX = 200_000
BATCH = 500


@pytest.fixture(scope="module", params=["plaintext", "tls"])
def shared(request, tmp_path_factory, certificates):
    tls = (certificates.cert_file, certificates.key_file) if request.param == "tls" else None
    target = start(tmp_path_factory.mktemp("floods"), tls=tls, script="[latency]\nttft_ms = 5.0\ngap_ms = 5.0\n")
    yield target
    finish(target)


def served_meanwhile(target):
    with Wire(target.gateway) as other:
        other.chat()
        assert other.answer().status == 200


def flood(target, connection, make, count=True):
    """Sends `make(n)` for n = 0, 1 ... until the connection is ended, by us unless `count` is false."""
    before = target.gateway.metric("ringway_protocol_errors_total")
    for first in range(0, FRAMES_MAX, BATCH):
        if not connection.send(b"".join(make(n) for n in range(first, first + BATCH))):
            break
        connection.take()
        if first == 0:
            served_meanwhile(target)
        if connection.closed:
            break
    else:
        pytest.fail(f"{FRAMES_MAX} frames were taken")
    code = connection.wait_closed()
    if count:
        target.gateway.wait_metric("ringway_protocol_errors_total", lambda value: value > before)
    assert not count or code in (None, f.ENHANCE_YOUR_CALM, f.PROTOCOL_ERROR), code


def odd(n):
    """The n-th stream of a client."""
    return 2 * n + 1


def test_a_good_client(target):
    with H2(target.gateway) as client:
        client.send(client.request(1) + client.chat(3) + client.chat(5, stream=True))
        assert client.answer(1)[0] == client.answer(3)[0] == 200
        status, body = client.answer(5)
        assert status == 200 and body.endswith(b"data: [DONE]\n\n")
        assert client.settings[SettingsId.MAX_CONCURRENT_STREAMS] <= 1000
        assert client.settings[SettingsId.MAX_HEADER_LIST_SIZE] <= 64 * 1024


class SettingsId:
    (
        HEADER_TABLE_SIZE,
        ENABLE_PUSH,
        MAX_CONCURRENT_STREAMS,
        INITIAL_WINDOW_SIZE,
        MAX_FRAME_SIZE,
        MAX_HEADER_LIST_SIZE,
    ) = range(1, 7)


def test_rapid_reset(target):
    """CVE-2023-44487: each request is cancelled as soon as it is sent."""
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        cancel = struct.pack(">I", f.CANCEL)
        flood(target, client, lambda n: client.chat(odd(n)) + frame(f.RST_STREAM, 0, odd(n), cancel))
    assert target.provider.stats().requests - before < 2_000
    target.gateway.wait_metric("ringway_in_flight", lambda value: value == 0)


def test_rapid_reset_of_what_costs_nothing(target):
    with H2(target.gateway) as client:
        cancel = struct.pack(">I", f.CANCEL)
        flood(target, client, lambda n: client.request(odd(n)) + frame(f.RST_STREAM, 0, odd(n), cancel))


# CVE-2025-8671: requests that the server itself has to reset.
PROVOCATIONS = {
    "window update of nothing": lambda client, stream: client.chat(stream) + window_update(stream, 0),
    "window too large": lambda client, stream: client.chat(stream) + window_update(stream, 0x7FFFFFFF),
    "depends on itself": lambda client, stream: (
        client.chat(stream) + frame(f.PRIORITY, 0, stream, struct.pack(">IB", stream, 1))
    ),
    "data after the end": lambda client, stream: client.chat(stream) + frame(f.DATA, 0, stream, b"x"),
    "headers after the end": lambda client, stream: client.chat(stream) + client.request(stream, [("a", "b")]),
    "priority of another length": lambda client, stream: client.chat(stream) + frame(f.PRIORITY, 0, stream, b"x"),
    "more than the announced length": lambda client, stream: (
        client.request(
            stream, client.request_head("POST", "/v1/chat/completions", [("content-length", "1")]), end=False
        )
        + frame(f.DATA, f.END_STREAM, stream, chat_body())
    ),
    "an upper-case name": lambda client, stream: client.request(stream, client.request_head(extra=[("X-Y", "z")])),
}


@pytest.mark.parametrize("name", PROVOCATIONS)
def test_made_you_reset(target, name):
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        flood(target, client, lambda n: PROVOCATIONS[name](client, odd(n)))
    assert target.provider.stats().requests - before < 2_000
    target.gateway.wait_metric("ringway_in_flight", lambda value: value == 0)


@pytest.mark.parametrize(
    "piece",
    [b"", b"\x00\x01a\x01b", b"\x00\x01a\x7f\x81\x7f" + b"b" * 256, b"\x00\x01a\x7f\x81\x7f" + b"b" * 16_000],
    ids=["empty", "small", "large", "huge"],
)
def test_continuation_flood(target, piece):
    """CVE-2024-27316 and its like: a header block that does not end."""
    before = target.gateway.resident_bytes()
    with H2(target.gateway) as client:
        client.send(client.request(1, end_headers=False))
        flood(target, client, lambda n: frame(f.CONTINUATION, 0, 1, piece))
    assert target.gateway.resident_bytes() - before < 4 << 20


FLOODS = {
    "PING": lambda n: frame(f.PING, 0, 0, struct.pack(">Q", n)),
    "SETTINGS": lambda n: frame(f.SETTINGS, 0, 0),
    "SETTINGS that change": lambda n: frame(f.SETTINGS, 0, 0, struct.pack(">HI", 4, 65535 - n % 2)),
    "SETTINGS acknowledged": lambda n: frame(f.SETTINGS, f.ACK, 0),
    "PRIORITY": lambda n: frame(f.PRIORITY, 0, odd(n % 10_000), struct.pack(">IB", 0, n % 256)),
    "an unknown kind": lambda n: frame(0x42, 0, 0, b"x"),
    "WINDOW_UPDATE of one": lambda n: window_update(0, 1),
    "RST_STREAM of streams that never were": lambda n: frame(f.RST_STREAM, 0, odd(n), struct.pack(">I", 8)),
    "GOAWAY": lambda n: frame(f.GOAWAY, 0, 0, struct.pack(">II", 0, 0)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_of(target, name):
    before = target.gateway.resident_bytes()
    with H2(target.gateway) as client:
        client.ping()
        # Saying good-bye is what ends that one.
        flood(target, client, FLOODS[name], count=name != "GOAWAY")
    assert target.gateway.resident_bytes() - before < 4 << 20


def test_a_flood_of_pings_whose_answers_are_not_read(target):
    """What would have to be answered does not pile up."""
    before = target.gateway.resident_bytes()
    with H2(target.gateway) as client:
        client.ping()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data = b"".join(FLOODS["PING"](n) for n in range(FRAMES_MAX))
        # Not through `send`, which would read.
        client.socket.setblocking(True)
        client.socket.settimeout(2)
        with contextlib.suppress(OSError):
            client.socket.sendall(data)
        assert target.gateway.resident_bytes() - before < 4 << 20
        client.wait_closed()


@pytest.mark.parametrize("size", [0, 1], ids=["empty", "of a byte"])
def test_data_flood(target, size):
    """Frames with nothing in them, of a body that does not end."""
    with H2(target.gateway) as client:
        client.send(client.request(1, client.request_head("POST", "/v1/chat/completions"), end=False))
        client.send(frame(f.DATA, 0, 1, b'{"x":"'))
        flood(target, client, lambda n: frame(f.DATA, 0, 1, b"a" * size))


def test_padding_flood(target):
    """Frames that are all padding."""
    with H2(target.gateway) as client:
        client.send(client.request(1, client.request_head("POST", "/v1/chat/completions"), end=False))
        flood(target, client, lambda n: frame(f.DATA, f.PADDED, 1, b"\xff" + b"\0" * 255))


@pytest.mark.parametrize("stream", [0, 1], ids=["connection", "stream"])
@pytest.mark.parametrize("increment", [0, 0x7FFFFFFF], ids=["nothing", "overflow"])
def test_window_update(target, stream, increment):
    """RFC 9113, section 6.9: an error of the connection, or of the stream alone."""
    with H2(target.gateway) as client:
        client.send(client.chat(1, stream=True))
        client.wait("the stream has begun", lambda: 1 in client.headers)
        client.send(window_update(stream, increment) + window_update(stream, increment))
        expected = f.FLOW_CONTROL_ERROR if increment else f.PROTOCOL_ERROR
        if stream == 0:
            assert client.wait_closed() == expected
        else:
            # h2 takes the first of the two errors on a stream for one of the connection; either is allowed.
            client.wait("the stream is reset", lambda: client.resets.get(1) == expected or client.goaway == expected)
    target.provider.wait("the stream was given up", lambda stats: stats.in_flight == 0)


def test_hpack_bomb(target):
    """CVE-2016-6581: one large field, and then references to it by the thousand, each of a byte."""
    before = target.gateway.resident_bytes()
    with H2(target.gateway) as client:
        field = b"\x40\x01a\x7f" + hpack_integer(4000 - 127) + b"b" * 4000
        reference = b"\xbe" * 16_000
        client.send(client.request(1))
        assert client.answer(1)[0] == 200
        refused = 0
        for n in range(1, 200):
            start = client.encoder.encode(client.request_head())
            block = start + (field if n == 1 else b"") + reference
            if not client.send(
                frame(f.HEADERS, f.END_STREAM, odd(n), block[:16384])
                + frame(f.CONTINUATION, f.END_HEADERS, odd(n), block[16384:])
            ):
                break
            client.take()
            if client.closed:
                break
            client.wait(
                "an answer",
                lambda n=n: (
                    client.closed or odd(n) in client.headers or odd(n) in client.resets or client.goaway is not None
                ),
            )
            if odd(n) in client.headers:
                assert client.headers[odd(n)][":status"] == "431"
            refused += 1
            # What we encode from here on must not rely on a table that the bomb has changed.
            client.encoder = type(client.encoder)()
    assert refused < 199 or target.gateway.resident_bytes() - before < 4 << 20
    assert target.gateway.resident_bytes() - before < 8 << 20


def hpack_integer(value):
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def test_hpack_table_of_our_choice_only(target):
    """A table size update beyond what SETTINGS allow is an error of compression; the library below calls it one of protocol."""
    with H2(target.gateway) as client:
        client.send(
            frame(
                f.HEADERS,
                f.END_STREAM | f.END_HEADERS,
                1,
                b"\x3f" + hpack_integer(1 << 24) + client.encoder.encode(client.request_head()),
            )
        )
        assert client.wait_closed() in (f.COMPRESSION_ERROR, f.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "block",
    [b"\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x40\x01", b"\x40\x81\xff\x81\xff", b"\xbf"],
    ids=["index 0", "endless index", "cut", "bad Huffman", "index beyond"],
)
def test_bad_hpack(target, block):
    with H2(target.gateway) as client:
        client.send(frame(f.HEADERS, f.END_STREAM | f.END_HEADERS, 1, block))
        assert client.wait_closed() in (f.COMPRESSION_ERROR, f.PROTOCOL_ERROR)


def test_a_thousand_headers(target):
    with H2(target.gateway) as client:
        client.send(client.request(1, client.request_head(extra=[(f"x-{n}", "y") for n in range(1000)])))
        client.wait("it is refused", lambda: 1 in client.headers or 1 in client.resets or client.goaway is not None)
        if 1 in client.headers:
            assert client.headers[1][":status"] == "431"


def test_a_wave_of_streams(target):
    """A thousand at once: those beyond the limit are refused as safe to repeat, or the connection ends; the rest is answered."""
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        client.send(window_update(0, 1 << 20))
        client.ping()
        client.send(b"".join(client.chat(odd(n)) for n in range(1000)))
        client.wait("each has an end", lambda: client.closed or len(client.ended | client.resets.keys()) >= 1000)
        assert set(client.resets.values()) <= {f.REFUSED_STREAM}
        assert {fields[":status"] for fields in client.headers.values()} <= {"200", "503"}
    answered = sum(fields[":status"] == "200" for fields in client.headers.values())
    assert answered <= target.provider.stats().requests - before <= 1000
    target.gateway.wait_metric("ringway_in_flight", lambda value: value == 0)


def test_streams_up_to_the_limit_are_all_answered(target):
    with H2(target.gateway) as client:
        client.send(window_update(0, 1 << 20))
        client.ping()
        count = min(client.settings[SettingsId.MAX_CONCURRENT_STREAMS], 200)
        client.send(b"".join(client.chat(odd(n)) for n in range(count)))
        assert [client.answer(odd(n))[0] for n in range(count)] == [200] * count


@pytest.fixture
def impatient(tmp_path, certificates):
    target = start(
        tmp_path / "impatient",
        script="[answer]\ntokens = 10000\n",
        server={"head_timeout_ms": 300, "body_timeout_ms": 300, "idle_timeout_ms": 600, "write_timeout_ms": 300},
        tls=(certificates.cert_file, certificates.key_file),
    )
    yield target
    target.provider.script("")
    target.assert_well()
    finish(target)


def test_a_stream_without_a_window(impatient):
    """The client never grants any: the provider is let go when the write time-out is over, and little is held until then."""
    before = impatient.gateway.resident_bytes()
    with H2(impatient.gateway, settings={SettingsId.INITIAL_WINDOW_SIZE: 0}) as client:
        client.send(b"".join(client.chat(odd(n), stream=True) for n in range(50)))
        client.wait("the streams have begun", lambda: len(client.headers) == 50)
        assert impatient.gateway.resident_bytes() - before < 32 << 20
        impatient.provider.wait("all streams were given up", lambda stats: stats.in_flight == 0)
        client.wait("they are reset", lambda: client.closed or len(client.resets) == 50)


def test_a_client_that_gives_a_stream_no_window_and_leaves(own):
    """Until then the answer waits in the provider, not in our memory."""
    target = own(script="[answer]\ntokens = 100000\n")
    before = target.gateway.resident_bytes()
    with H2(target.gateway, settings={SettingsId.INITIAL_WINDOW_SIZE: 0}) as client:
        client.send(client.chat(1, stream=True))
        client.wait("the stream has begun", lambda: 1 in client.headers)
        assert target.provider.stats().completed == 0
        assert target.gateway.resident_bytes() - before < 8 << 20
    target.provider.wait("the attempt was cancelled", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)
    target.provider.script("")


def test_a_window_that_opens_by_a_byte(impatient):
    """Progress too small to be any."""
    with H2(impatient.gateway, settings={SettingsId.INITIAL_WINDOW_SIZE: 1}) as client:
        client.send(client.chat(1, stream=True))
        for _ in range(2_000):
            if not client.send(window_update(1, 1)):
                break
            client.take()
            if client.closed or 1 in client.resets:
                break
            PAUSE.wait(0.005)
        else:
            pytest.fail("it went on by the byte")
    impatient.provider.wait("the stream was given up", lambda stats: stats.in_flight == 0)


def test_a_preface_that_does_not_go_on(impatient):
    for preface in (f.PREFACE[:10], f.PREFACE, f.PREFACE + b"\0\0"):
        client = H2(impatient.gateway, preface=b"")
        client.send(preface)
        client.wait_closed()
        client.socket.close()


def test_a_connection_that_idles(impatient):
    with H2(impatient.gateway) as client:
        client.send(client.request(1))
        assert client.answer(1)[0] == 200
        assert client.wait_closed() == f.NO_ERROR


def test_pings_do_not_keep_an_idle_connection(impatient):
    with H2(impatient.gateway) as client:
        client.send(client.request(1))
        assert client.answer(1)[0] == 200
        for n in itertools.count():
            assert n < 2_000, "it was kept"
            client.send(frame(f.PING, 0, 0, b"12345678"))
            client.take()
            if client.closed:
                break
            PAUSE.wait(0.005)


def test_a_body_that_does_not_come(impatient):
    with H2(impatient.gateway) as client:
        client.send(client.chat(1, body=b'{"model":"m"', end=False))
        status, body = client.answer(1)
        assert status == 408 and b"request_timeout" in body


def test_a_header_block_that_does_not_end(impatient):
    with H2(impatient.gateway) as client:
        client.send(client.request(1, end_headers=False))
        client.wait_closed()
