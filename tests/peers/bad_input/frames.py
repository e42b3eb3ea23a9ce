"""HTTP/2 by the frame: a client that sends whatever it is told, and keeps what comes back."""

import select
import ssl
import struct
import time

import hpack
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from peers.bad_input.wire import chat_body, connect

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0x0, 0x1, 0x3, 0x5
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x6, 0x7, 0x8, 0x9, 0xB

LIMIT_S = 20


def frame(kind, flags, stream, payload=b""):
    """A frame of any kind, well formed or not."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
ACK = 0x1


class H2:
    """One connection. `settings` are sent with the preface; `window` is what the peer may send before we return any."""

    def __init__(self, gateway, settings=None, preface=PREFACE):
        self.key = gateway.key
        self.socket = connect(gateway, "h2")
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.unread = b""
        self.closed = False
        # What came, by stream: header lists, data, and the code of a reset.
        self.headers, self.data, self.resets, self.ended = {}, {}, {}, set()
        self.goaway = None
        self.settings = None
        self.acks = 0
        self.frames_sent = 0
        if preface:
            first = SettingsFrame(0)
            first.settings = settings or {}
            self.send(preface + first.serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends all of it; False once the peer has ended the connection."""
        if self.closed:
            return False
        view = memoryview(data)
        end = time.monotonic() + LIMIT_S
        self.socket.setblocking(False)
        try:
            while view:
                assert time.monotonic() < end, "neither read nor closed"
                try:
                    view = view[self.socket.send(view) :]
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    # It does not read. Perhaps it waits for us to: whoever floods also reads.
                    select.select([self.socket], [self.socket], [], 0.05)
                    self.take()
                    if self.closed:
                        return False
        except OSError:
            self.take()
            self.closed = True
            return False
        return True

    def take(self):
        """Takes in what is there, without waiting."""
        self.socket.setblocking(False)
        while not self.closed:
            try:
                data = self.socket.recv(1 << 18)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
            self.unread += data
        while len(self.unread) >= 9:
            parsed, length = Frame.parse_frame_header(memoryview(self.unread[:9]))
            if len(self.unread) < 9 + length:
                break
            parsed.parse_body(memoryview(self.unread[9 : 9 + length]))
            self.unread = self.unread[9 + length :]
            self._on(parsed)

    def _on(self, parsed):
        stream = parsed.stream_id
        if isinstance(parsed, HeadersFrame):
            self.headers[stream] = dict(self.decoder.decode(parsed.data))
        elif isinstance(parsed, DataFrame):
            self.data[stream] = self.data.get(stream, b"") + parsed.data
        elif isinstance(parsed, RstStreamFrame):
            # What comes late on a stream that is over may be answered once more; the first reset says why.
            self.resets.setdefault(stream, parsed.error_code)
        elif isinstance(parsed, GoAwayFrame):
            self.goaway = parsed.error_code
        elif isinstance(parsed, SettingsFrame):
            if "ACK" in parsed.flags:
                self.acks += 1
            else:
                self.settings = parsed.settings
        elif isinstance(parsed, PingFrame) and "ACK" in parsed.flags:
            self.acks += 1
        if "END_STREAM" in parsed.flags and isinstance(parsed, (HeadersFrame, DataFrame)):
            self.ended.add(stream)

    def wait(self, what, holds, limit_s=LIMIT_S):
        """Reads until `holds()`; returns its value."""
        end = time.monotonic() + limit_s
        while True:
            self.take()
            if value := holds():
                return value
            assert not self.closed, f"closed before: {what}"
            assert time.monotonic() < end, f"did not happen: {what}"
            select.select([self.socket], [], [], 0.05)

    def wait_closed(self):
        """Reads until the peer has ended the connection; the code of its GOAWAY, if it sent one."""
        end = time.monotonic() + LIMIT_S
        while not self.closed:
            assert time.monotonic() < end, "the connection is still open"
            select.select([self.socket], [], [], 0.05)
            self.take()
        return self.goaway

    def request_head(self, method="GET", path="/v1/models", extra=(), key=None):
        return [
            (":method", method),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
            ("authorization", f"Bearer {key or self.key}"),
            *extra,
        ]

    def request(self, stream, fields=None, end=True, end_headers=True):
        """HEADERS."""
        block = self.encoder.encode(self.request_head() if fields is None else fields)
        flags = (END_STREAM if end else 0) | (END_HEADERS if end_headers else 0)
        return frame(HEADERS, flags, stream, block)

    def chat(self, number, body=None, end=True, **members):
        """HEADERS and DATA of a chat request."""
        body = chat_body(**members) if body is None else body
        fields = self.request_head("POST", "/v1/chat/completions", [("content-type", "application/json")])
        pieces = [self.request(number, fields, end=False)]
        for start in range(0, len(body), 16384):
            last = start + 16384 >= len(body)
            pieces.append(frame(DATA, END_STREAM if last and end else 0, number, body[start : start + 16384]))
        return b"".join(pieces)

    def answer(self, stream):
        """Status and body of a stream's answer, once it is whole."""
        self.wait(f"the answer of stream {stream}", lambda: stream in self.ended or stream in self.resets)
        # An answer that came before its request had ended is followed by a reset without error (RFC 9113, section 8.1).
        assert stream in self.ended, f"reset with {self.resets[stream]}"
        return int(self.headers[stream][":status"]), self.data.get(stream, b"")

    def ping(self):
        """A round trip."""
        before = self.acks
        self.send(frame(PING, 0, 0, b"12345678"))
        self.wait("the answer to a PING", lambda: self.acks > before)


def window_update(stream, increment):
    if increment <= 0:
        return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0))
    update = WindowUpdateFrame(stream)
    update.window_increment = increment
    return update.serialize()
