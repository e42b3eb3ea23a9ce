"""Attacks in raw HTTP/2 frames: each ends the connection within a bounded number of frames, and others are served on.

Frame counts are generous bounds on what may be accepted, not measurements of what is.
"""

import json

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from harness.waiting import wait_for
from peers.bad_input.frames import ENHANCE_YOUR_CALM, RawHttp2
from peers.exchange import MESSAGES

BODY = json.dumps({"model": "m", "messages": MESSAGES}).encode()
PROTOCOL_ERROR = 1
# Frames that an attacker may get in before the connection must be over.
FRAMES_MAX = 20_000


def request(connection, stream, body=BODY, end=True):
    head = HeadersFrame(stream, connection.head(), flags=["END_HEADERS"])
    return head, DataFrame(stream, body, flags=["END_STREAM"] if end else [])


def flood(connection, make, frames_max=FRAMES_MAX):
    """Sends what `make(n)` gives until the connection ends; returns how many frames it took."""
    sent = 0
    for number in range(frames_max):
        frames = make(number)
        sent += len(frames)
        if not connection.send(*frames) or sent > frames_max:
            break
        if number % 50 == 0:
            connection.poll()
    else:
        connection.socket.settimeout(5)
    wait_for("the connection to be ended", lambda: connection.poll() or connection.closed)
    return sent


def ended_by_calm(connection):
    """It was told why, unless the reset overtook the frame that said it."""
    assert connection.closed
    if connection.goaway:
        assert connection.goaway.error_code == ENHANCE_YOUR_CALM


def test_an_ordinary_exchange(target):
    """That the tool itself works: two requests on one connection."""
    with RawHttp2(target.gateway) as connection:
        for stream in (1, 3):
            connection.send(*request(connection, stream))
            end = connection.read_until(
                lambda frame, stream=stream: frame.stream_id == stream and "END_STREAM" in frame.flags
            )
            assert end is not None
        assert connection.goaway is None


def test_rapid_reset(target):
    """Streams that are opened and reset at once (CVE-2023-44487)."""
    before = target.provider.stats().requests
    with RawHttp2(target.gateway) as connection:

        def pair(number):
            stream = 2 * number + 1
            return (*request(connection, stream), RstStreamFrame(stream, error_code=8))

        assert flood(connection, pair) < FRAMES_MAX
        ended_by_calm(connection)
    assert target.provider.stats().requests - before < 2_000


def test_made_you_reset(target):
    """Frames that make the server reset the stream itself (CVE-2025-8671): a window update of 0 on an open stream."""
    with RawHttp2(target.gateway) as connection:

        def pair(number):
            stream = 2 * number + 1
            head = HeadersFrame(stream, connection.head(), flags=["END_HEADERS"])
            return head, raw_window_update(stream, 0)

        assert flood(connection, pair) < FRAMES_MAX
        assert connection.closed


def test_made_you_reset_by_data_after_the_end(target):
    with RawHttp2(target.gateway) as connection:

        def group(number):
            stream = 2 * number + 1
            return (*request(connection, stream), DataFrame(stream, b"x"))

        assert flood(connection, group) < FRAMES_MAX
        assert connection.closed


def test_continuation_flood(target):
    """A head that never ends."""
    with RawHttp2(target.gateway) as connection:
        connection.send(HeadersFrame(1, connection.head()))
        piece = connection.encoder.encode([("x-filler", "a" * 4000)])
        assert flood(connection, lambda _: (ContinuationFrame(1, piece),)) < 1_000
        assert connection.closed


def test_empty_continuation_flood(target):
    with RawHttp2(target.gateway) as connection:
        connection.send(HeadersFrame(1, connection.head()))
        assert flood(connection, lambda _: (ContinuationFrame(1, b""),)) < FRAMES_MAX
        assert connection.closed


def test_ping_flood(target):
    with RawHttp2(target.gateway) as connection:
        ping = PingFrame(0, opaque_data=b"01234567").serialize()
        assert flood(connection, lambda _: (ping,) * 10) < FRAMES_MAX
        ended_by_calm(connection)


def test_settings_flood(target):
    with RawHttp2(target.gateway) as connection:
        settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 70_000}).serialize()
        assert flood(connection, lambda _: (settings,) * 10) < FRAMES_MAX
        ended_by_calm(connection)


def test_priority_flood(target):
    with RawHttp2(target.gateway) as connection:

        def some(number):
            return tuple(PriorityFrame(2 * (number * 10 + at) + 1, depends_on=0, stream_weight=7) for at in range(10))

        assert flood(connection, some) < FRAMES_MAX
        ended_by_calm(connection)


def test_empty_data_flood(target):
    with RawHttp2(target.gateway) as connection:
        connection.send(HeadersFrame(1, connection.head(), flags=["END_HEADERS"]))
        empty = DataFrame(1, b"").serialize()
        assert flood(connection, lambda _: (empty,) * 10) < FRAMES_MAX
        assert connection.closed


def raw_window_update(stream, increment):
    """The library refuses to write an increment of 0."""
    frame = WindowUpdateFrame(stream, window_increment=1).serialize()
    return frame[:-4] + increment.to_bytes(4, "big")


def test_window_update_of_zero_on_the_connection(target):
    with RawHttp2(target.gateway) as connection:
        connection.send(raw_window_update(0, 0))
        connection.read_to_the_end()
        assert connection.goaway.error_code == PROTOCOL_ERROR


@pytest.mark.parametrize("stream", [0, 1])
def test_window_overflow(target, stream):
    with RawHttp2(target.gateway) as connection:
        if stream:
            connection.send(HeadersFrame(1, connection.head(), flags=["END_HEADERS"]))
        connection.send(*(raw_window_update(stream, 2**31 - 1),) * 2)
        if stream == 0:
            connection.read_to_the_end()
            assert connection.goaway.error_code == 3
        else:
            reset = connection.read_until(lambda frame: isinstance(frame, (RstStreamFrame, GoAwayFrame)))
            assert reset is not None and reset.error_code == 3


def test_hpack_bomb(target):
    """One large table entry, referred to again and again: 4 KB on the wire are megabytes of headers."""
    with RawHttp2(target.gateway) as connection:
        before = target.gateway.resident_bytes()
        big = connection.encoder.encode([("x-bomb", "a" * 3_900)])
        connection.send(HeadersFrame(1, connection.head() + big, flags=["END_HEADERS"]))
        # The newest entry of the dynamic table has index 62.
        for stream in (3, 5, 7):
            connection.send(
                HeadersFrame(stream, connection.head() + b"\xbe" * 12_000, flags=["END_HEADERS", "END_STREAM"])
            )
        refusal = connection.read_until(
            lambda frame: frame.stream_id in (0, 3) and isinstance(frame, (HeadersFrame, RstStreamFrame, GoAwayFrame))
        )
        assert refusal is not None or connection.closed
        assert target.gateway.resident_bytes() - before < 8 << 20


def test_a_table_larger_than_allowed(target):
    with RawHttp2(target.gateway) as connection:
        # Dynamic table size update to 1 MiB: more than our SETTINGS allow.
        connection.send(HeadersFrame(1, b"\x3f\xe1\xff\x3f" + connection.head(), flags=["END_HEADERS", "END_STREAM"]))
        connection.read_to_the_end()
        assert connection.goaway.error_code in (PROTOCOL_ERROR, 9), connection.frames


def test_a_client_that_opens_no_window_for_a_stream(target):
    """The answer waits in the provider, not in our memory, and ends with the client's connection."""
    target.provider.reset()
    target.provider.script("[answer]\ntokens = 100000\n")
    try:
        with RawHttp2(target.gateway, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as connection:
            before = target.gateway.resident_bytes()
            body = json.dumps({"model": "m", "messages": MESSAGES, "stream": True}).encode()
            connection.send(*request(connection, 1, body=body))
            connection.read_until(lambda frame: isinstance(frame, HeadersFrame))
            assert target.provider.stats().completed == 0
            assert target.gateway.resident_bytes() - before < 8 << 20
        target.provider.wait("the attempt was cancelled", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)
    finally:
        target.provider.heal()


def test_more_streams_than_allowed(target):
    """A wave of streams: those beyond the limit are refused, the others are answered."""
    with RawHttp2(target.gateway) as connection:
        limit = next(frame for frame in connection.frames if isinstance(frame, SettingsFrame)).settings[
            SettingsFrame.MAX_CONCURRENT_STREAMS
        ]
        count = limit + 50
        for number in range(count):
            connection.send(HeadersFrame(2 * number + 1, connection.head(), flags=["END_HEADERS"]))
        refused = set()

        def enough(frame):
            if isinstance(frame, RstStreamFrame):
                assert frame.error_code == 7
                refused.add(frame.stream_id)
            return len(refused) >= 50 or isinstance(frame, GoAwayFrame)

        assert connection.read_until(enough) is not None
        for number in range(limit):
            connection.send(DataFrame(2 * number + 1, BODY, flags=["END_STREAM"]))
        answered = set()

        def all_answered(frame):
            if isinstance(frame, HeadersFrame):
                answered.add(frame.stream_id)
            return len(answered) >= limit

        assert connection.goaway or connection.read_until(all_answered) is not None


@pytest.mark.parametrize(
    "name, frames, error_code",
    [
        ("data on stream 0", [DataFrame(1, b"x")], 1),
        ("headers on stream 0", [HeadersFrame(1, b"\x82")], 1),
        ("an even stream", [HeadersFrame(2, b"\x82\x86\x84", flags=["END_HEADERS"])], 1),
        ("data on an idle stream", [DataFrame(5, b"x")], 1),
        ("a reset of an idle stream", [RstStreamFrame(5, error_code=8)], 1),
        ("a PING of 7 bytes", [b"\x00\x00\x07\x06\x00\x00\x00\x00\x00" + bytes(7)], 6),
        ("SETTINGS of 5 bytes", [b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + bytes(5)], 6),
        ("a frame of 1 MiB", [b"\x10\x00\x00\x00\x00\x00\x00\x00\x01"], 6),
        ("PUSH_PROMISE from a client", [b"\x00\x00\x04\x05\x04\x00\x00\x00\x01" + bytes(4)], 1),
        ("CONTINUATION out of nowhere", [ContinuationFrame(1, b"\x82")], 1),
        ("nonsense instead of HPACK", [HeadersFrame(1, b"\xff" * 40, flags=["END_HEADERS"])], 9),
        ("a window of 2^31", [b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x80\x00\x00\x00"], 3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_frames_that_break_the_protocol(target, name, frames, error_code):
    with RawHttp2(target.gateway) as connection:
        if name.endswith("on stream 0"):
            # The library refuses to write it: the stream's number is put in afterwards.
            frames = [frame.serialize()[:5] + bytes(4) + frame.serialize()[9:] for frame in frames]
        connection.send(*frames)
        connection.read_to_the_end()
        assert connection.goaway is not None
        # The general code is always right, the special one more helpful.
        assert connection.goaway.error_code in (PROTOCOL_ERROR, error_code), connection.frames


@pytest.mark.parametrize(
    "name, fields",
    [
        ("Connection", [("connection", "close")]),
        ("Transfer-Encoding", [("transfer-encoding", "chunked")]),
        ("a capital letter", [("X-A", "1")]),
        ("a pseudo-header after a header", [("x-a", "1"), (":path", "/v1/models")]),
        ("two paths", [(":path", "/v1/models")]),
        ("a length that does not fit", [("content-length", "5")]),
        ("TE that is not trailers", [("te", "gzip")]),
        ("LF in a value", [("x-a", "1\n2")]),
        ("another's authority", [("host", "elsewhere.example")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_heads_that_http2_does_not_allow(target, name, fields):
    """The stream is refused; nothing reaches the provider."""
    before = target.provider.stats().requests
    with RawHttp2(target.gateway) as connection:
        head = HeadersFrame(1, connection.head(extra=fields), flags=["END_HEADERS"])
        connection.send(head, DataFrame(1, BODY, flags=["END_STREAM"]))
        end = connection.read_until(
            lambda frame: (
                isinstance(frame, (RstStreamFrame, GoAwayFrame))
                or (isinstance(frame, HeadersFrame) and status(frame) >= 400)
            )
        )
        assert end is not None or connection.closed
    assert target.provider.stats().requests == before


def status(frame):
    """The status of an answer's head. Each connection here gets one answer at most, so its table is empty."""
    return int(dict(hpack.Decoder().decode(frame.data))[":status"])
