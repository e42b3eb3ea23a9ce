"""A raw HTTP/2 connection: frames go out as they are written, what comes back is parsed and counted."""

import socket

import hpack
from hyperframe.frame import Frame, GoAwayFrame, SettingsFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENHANCE_YOUR_CALM = 11


class RawHttp2:
    """Prior knowledge over plain TCP, after both sides' SETTINGS."""

    def __init__(self, gateway, settings=None):
        self.gateway = gateway
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = hpack.Encoder()
        self.received = b""
        self.frames = []
        self.closed = False
        self.socket.sendall(PREFACE + SettingsFrame(0, settings=settings or {}).serialize())
        greeting = self.read_until(lambda frame: isinstance(frame, SettingsFrame) and "ACK" not in frame.flags)
        assert greeting is not None, "it does not speak HTTP/2"
        self.send(SettingsFrame(0, flags=["ACK"]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def head(self, path="/v1/chat/completions", method="POST", extra=()):
        """A request's header block."""
        fields = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", path),
            ("authorization", f"Bearer {self.gateway.key}"),
            *extra,
        ]
        return self.encoder.encode(fields)

    def send(self, *frames):
        """False once the other side has ended the connection."""
        return self.send_bytes(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))

    def send_bytes(self, data):
        if not self.closed:
            try:
                self.socket.sendall(data)
            except OSError:
                self.closed = True
        return not self.closed

    def poll(self):
        """Takes in what has arrived, without waiting."""
        self.socket.setblocking(False)
        try:
            while not self.closed:
                self._take(self.socket.recv(1 << 16))
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        finally:
            if not self.closed:
                self.socket.settimeout(20)

    def read_until(self, wanted):
        """The first frame, of those not yet looked for, that `wanted` accepts; None if the connection ends before."""
        seen = 0
        while True:
            for frame in self.frames[seen:]:
                seen += 1
                if wanted(frame):
                    return frame
            if self.closed:
                return None
            try:
                self._take(self.socket.recv(1 << 16))
            except ConnectionError:
                self.closed = True

    def read_to_the_end(self):
        """Everything until the connection ends."""
        assert self.read_until(lambda _: False) is None
        return self.frames

    @property
    def goaway(self):
        return next((frame for frame in self.frames if isinstance(frame, GoAwayFrame)), None)

    def _take(self, piece):
        if not piece:
            self.closed = True
        self.received += piece
        while len(self.received) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self.received[:9]))
            if len(self.received) < 9 + length:
                return
            frame.parse_body(memoryview(self.received[9 : 9 + length]))
            self.received = self.received[9 + length :]
            self.frames.append(frame)
