"""HTTP/1.1 by the byte: a client that sends whatever it is told and reads answers strictly."""

import contextlib
import json
import socket
import ssl

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Name three rivers."}]}


class Closed(Exception):
    """The peer ended the connection where an answer was expected."""


class Answer:
    def __init__(self, status, headers, body, interim):
        self.status = status
        self.headers = headers
        self.body = body
        # Status codes of the 1xx answers before it.
        self.interim = interim

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """`error.code`, of an answer that has to be an error in OpenAI's shape."""
        error = self.json["error"]
        assert isinstance(error["message"], str) and isinstance(error["type"], str) and isinstance(error["code"], str)
        return error["code"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


def connect(gateway, protocol, timeout_s=20):
    """A socket to the gateway, through TLS if it speaks TLS. Whose certificate it shows is the business of other tests."""
    plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout_s)
    if not gateway.tls:
        return plain
    context = ssl._create_unverified_context()
    context.set_alpn_protocols([protocol])
    secured = context.wrap_socket(plain, server_hostname="localhost")
    assert secured.selected_alpn_protocol() == protocol
    return secured


class Wire:
    """One connection."""

    def __init__(self, gateway, timeout_s=20):
        self.key = gateway.key
        self.socket = connect(gateway, "http/1.1", timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends all of it, or as much as the peer takes before it ends the connection."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def get(self, path="/v1/models"):
        self.send(head("GET", path, self.key) + b"\r\n")

    def chat(self, **members):
        self.send(chat_request(self.key, **members))

    def _more(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        self.unread += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.unread:
            if not self._more():
                raise Closed(self.unread)
        found, _, self.unread = self.unread.partition(mark)
        return found

    def _exactly(self, count):
        while len(self.unread) < count:
            if not self._more():
                raise Closed(self.unread)
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def answer(self, request_method="GET"):
        """The next answer, whole. Its framing has to be what RFC 9112 asks for."""
        interim = []
        while True:
            lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            version, status, _ = lines[0].split(" ", 2)
            assert version == "HTTP/1.1" and len(status) == 3, lines
            headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
            names = [name.lower() for name, _ in headers]
            assert len(names) == len(set(names)), f"a header is there twice: {headers}"
            headers = {name.lower(): value for name, value in headers}
            status = int(status)
            if status >= 200:
                return Answer(status, headers, self._body(request_method, status, headers), interim)
            interim.append(status)

    def _body(self, request_method, status, headers):
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        assert not (length and coding), headers
        if status in (204, 304):
            assert length is None and coding is None, f"{status} has no body: {headers}"
        if request_method == "HEAD" or status in (204, 304):
            return b""
        if coding:
            assert coding == "chunked"
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            assert self._exactly(2) == b"\r\n"
            return body
        if length is None:
            return self.until_closed()
        return self._exactly(int(length))

    def until_closed(self):
        """What comes until the peer ends the connection."""
        while self._more():
            pass
        rest, self.unread = self.unread, b""
        return rest

    def assert_closed(self):
        rest = self.until_closed()
        assert rest == b"", f"more came before the end: {rest[:300]!r}"


def head(method, path, key, *lines):
    """A request head up to its last header; the empty line is the caller's."""
    text = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    return (text + "".join(f"{line}\r\n" for line in lines)).encode("latin-1")


def chat_body(**members):
    return json.dumps({**CHAT, **members}).encode()


def post(key, body, *lines, path="/v1/chat/completions"):
    """A whole JSON request with this body."""
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", *lines)
    return head("POST", path, key, *lines) + b"\r\n" + body


def chat_request(key, **members):
    return post(key, chat_body(**members))


def ask(gateway, request, request_method="POST"):
    """The one answer to a request on a connection of its own."""
    with Wire(gateway) as wire:
        wire.send(request)
        return wire.answer(request_method)
