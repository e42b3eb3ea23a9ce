"""HTTP/2 requests that break the protocol, or that would mean something else once they are written as HTTP/1.1."""

import struct

import httpx
import pytest

from peers.bad_input import frames as f
from peers.bad_input.conftest import finish, start
from peers.bad_input.frames import H2, frame
from peers.bad_input.wire import chat_body


@pytest.fixture(scope="module", params=["plaintext", "tls"])
def shared(request, tmp_path_factory, certificates):
    tls = (certificates.cert_file, certificates.key_file) if request.param == "tls" else None
    target = start(tmp_path_factory.mktemp("framing"), tls=tls)
    yield target
    finish(target)


def block(client, *fields):
    return client.encoder.encode(fields)


CONNECTION_ERRORS = {
    "DATA on stream 0": lambda c: frame(f.DATA, 0, 0, b"x"),
    "HEADERS on stream 0": lambda c: c.request(0),
    "HEADERS on an even stream": lambda c: c.request(2),
    "a stream number that goes down": lambda c: c.request(5) + c.request(3),
    "DATA on an idle stream": lambda c: frame(f.DATA, 0, 9, b"x"),
    "RST_STREAM of an idle stream": lambda c: frame(f.RST_STREAM, 0, 9, b"\0\0\0\0"),
    "WINDOW_UPDATE of an idle stream": lambda c: f.window_update(9, 1),
    "SETTINGS on a stream": lambda c: frame(f.SETTINGS, 0, 1),
    "SETTINGS of an odd length": lambda c: frame(f.SETTINGS, 0, 0, b"12345"),
    "SETTINGS acknowledged with a payload": lambda c: frame(f.SETTINGS, f.ACK, 0, b"123456"),
    "a window of more than 2^31-1": lambda c: frame(f.SETTINGS, 0, 0, struct.pack(">HI", 4, 0x80000000)),
    "a frame size below 2^14": lambda c: frame(f.SETTINGS, 0, 0, struct.pack(">HI", 5, 16383)),
    "a push setting of 2": lambda c: frame(f.SETTINGS, 0, 0, struct.pack(">HI", 2, 2)),
    "PING of another length": lambda c: frame(f.PING, 0, 0, b"1234567"),
    "PING on a stream": lambda c: frame(f.PING, 0, 1, b"12345678"),
    "GOAWAY on a stream": lambda c: frame(f.GOAWAY, 0, 1, b"\0" * 8),
    "PUSH_PROMISE of a client": lambda c: frame(
        f.PUSH_PROMISE, f.END_HEADERS, 1, b"\0\0\0\2" + block(c, (":method", "GET"))
    ),
    "CONTINUATION of nothing": lambda c: frame(f.CONTINUATION, f.END_HEADERS, 1, b""),
    "another frame within a header block": lambda c: c.request(1, end_headers=False) + frame(f.PING, 0, 0, b"12345678"),
    "CONTINUATION of another stream": lambda c: (
        c.request(1, end_headers=False) + frame(f.CONTINUATION, f.END_HEADERS, 3, b"")
    ),
    "padding longer than its frame": lambda c: (
        c.request(1, end=False) + frame(f.DATA, f.PADDED, 1, b"\xff" + b"x" * 10)
    ),
    "a frame of 2^14 and one": lambda c: frame(f.HEADERS, f.END_HEADERS, 1, b"\0" * 16385),
    "a frame of 2^24": lambda c: b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 100_000,
    "HTTP/1.1 after the preface": lambda c: b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", CONNECTION_ERRORS)
def test_an_error_of_the_connection(target, name):
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        client.ping()
        client.send(CONNECTION_ERRORS[name](client))
        assert client.wait_closed() in (
            f.PROTOCOL_ERROR,
            f.FRAME_SIZE_ERROR,
            f.FLOW_CONTROL_ERROR,
            f.STREAM_CLOSED,
            f.COMPRESSION_ERROR,
        )
    assert target.provider.stats().requests == before


@pytest.mark.parametrize(
    "preface",
    [
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_another_preface(target, preface):
    with H2(target.gateway, preface=b"") as client:
        client.send(preface + b"\0" * 100)
        # HTTP/1.1's refusal is not made of frames.
        client.take = lambda: drain(client)
        client.wait_closed()
    assert b"HTTP/1.1 200" not in client.unread


def drain(client):
    import ssl

    client.socket.setblocking(False)
    try:
        data = client.socket.recv(65536)
    except (BlockingIOError, ssl.SSLWantReadError):
        return
    except OSError:
        data = b""
    client.closed = client.closed or not data
    client.unread += data


GOOD = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/v1/chat/completions")]


def without(name):
    return [field for field in GOOD if field[0] != name]


# Each with a good body behind it. None may reach the provider.
MALFORMED = {
    "no method": without(":method"),
    "no path": without(":path"),
    "an empty path": [*without(":path"), (":path", "")],
    "a path without a slash": [*without(":path"), (":path", "v1/chat/completions")],
    "an absolute path": [*without(":path"), (":path", "http://evil.example/v1/chat/completions")],
    "a path of *": [*without(":path"), (":path", "*")],
    "a path with a space": [*without(":path"), (":path", "/v1/chat/completions HTTP/1.1")],
    "a path with CR LF": [*without(":path"), (":path", "/v1/chat/completions HTTP/1.1\r\nX: y")],
    "two paths": [*GOOD, (":path", "/v1/models")],
    "two methods": [*GOOD, (":method", "GET")],
    "a method with a space": [*without(":method"), (":method", "POST /x")],
    "a method with CR LF": [*without(":method"), (":method", "GET / HTTP/1.1\r\nX:")],
    "an answer's pseudo header": [*GOOD, (":status", "200")],
    "an unknown pseudo header": [*GOOD, (":x", "y")],
    "a pseudo header after others": [*without(":path"), ("a", "b"), (":path", "/v1/chat/completions")],
    "an upper-case name": [*GOOD, ("X-Y", "z")],
    "an empty name": [*GOOD, ("", "z")],
    "a name with a colon": [*GOOD, ("a:b", "z")],
    "a name with a space": [*GOOD, ("a b", "z")],
    "a name with CR LF": [*GOOD, ("a\r\nb", "z")],
    "a value with CR LF": [*GOOD, ("idempotency-key", "a\r\nTransfer-Encoding: chunked")],
    "a value with LF": [*GOOD, ("idempotency-key", "a\nb")],
    "a value with NUL": [*GOOD, ("idempotency-key", "a\0b")],
    "a connection header": [*GOOD, ("connection", "close")],
    "a keep-alive header": [*GOOD, ("keep-alive", "timeout=5")],
    "a proxy-connection header": [*GOOD, ("proxy-connection", "keep-alive")],
    "an upgrade header": [*GOOD, ("upgrade", "h2c")],
    "a transfer coding": [*GOOD, ("transfer-encoding", "chunked")],
    "TE other than trailers": [*GOOD, ("te", "gzip")],
    "a length that is too short": [*GOOD, ("content-length", "5")],
    "a length that is too long": [*GOOD, ("content-length", "50000")],
    "a length that is no number": [*GOOD, ("content-length", "+5")],
    "two lengths": [*GOOD, ("content-length", str(len(chat_body()))), ("content-length", "5")],
    "no authority": without(":authority"),
    "a foreign authority": [*without(":authority"), (":authority", "evil.example")],
    "an authority with a user": [*without(":authority"), (":authority", "user@localhost")],
    "a Host that differs": [*GOOD, ("host", "evil.example")],
    "two Hosts": [*without(":authority"), ("host", "localhost"), ("host", "evil.example")],
    "CONNECT": [(":method", "CONNECT"), (":authority", "evil.example:443")],
    "extended CONNECT": [(":method", "CONNECT"), (":protocol", "websocket"), *without(":method")],
    "a coded body": [*GOOD, ("content-encoding", "gzip")],
    "two content types": [*GOOD, ("content-type", "application/json"), ("content-type", "text/plain")],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request(target, name):
    """The stream is reset or refused, or the connection is."""
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        fields = [*MALFORMED[name], ("authorization", f"Bearer {target.gateway.key}")]
        if name != "two content types":
            fields.append(("content-type", "application/json"))
        # Cookies and credentials are never indexed by us: the raw pairs are what counts here.
        client.send(client.request(1, fields, end=False) + frame(f.DATA, f.END_STREAM, 1, chat_body()))
        client.wait("an end of it", lambda: client.closed or client.goaway or 1 in client.resets or 1 in client.headers)
        if 1 in client.headers:
            assert client.headers[1][":status"][0] == "4", client.headers
    assert target.provider.stats().requests == before


def test_two_credentials(target):
    with H2(target.gateway) as client:
        client.send(client.request(1, client.request_head(extra=[("authorization", "Bearer other")])))
        assert client.answer(1)[0] == 400


def test_trailers_are_dropped(target):
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        client.send(client.chat(1, end=False))
        client.send(
            frame(
                f.HEADERS, f.END_STREAM | f.END_HEADERS, 1, block(client, ("authorization", "Bearer other"), ("x", "y"))
            )
        )
        assert client.answer(1)[0] == 200
    assert target.provider.stats().requests == before + 1
    assert "x" not in target.provider.last_request().headers


def test_trailers_with_pseudo_headers(target):
    """RFC 9113 calls this malformed; the library below drops them with the other trailers. What counts is that they change nothing."""
    before = target.provider.stats().requests
    with H2(target.gateway) as client:
        client.send(client.chat(1, end=False))
        client.send(frame(f.HEADERS, f.END_STREAM | f.END_HEADERS, 1, block(client, (":path", "/v1/models"))))
        client.wait("an end of it", lambda: client.closed or client.goaway or 1 in client.resets or 1 in client.ended)
        if 1 in client.ended:
            assert b"chat.completion" in client.data[1]
    assert target.provider.stats().requests <= before + 1


def test_padding_is_no_data(target):
    body = chat_body()
    with H2(target.gateway) as client:
        client.send(client.request(1, client.request_head("POST", "/v1/chat/completions"), end=False))
        client.send(frame(f.DATA, f.PADDED | f.END_STREAM, 1, b"\x20" + body + b"\0" * 32))
        assert client.answer(1)[0] == 200


def test_a_body_over_the_limit(target):
    """Announced: refused unread. The connection goes on."""
    with H2(target.gateway) as client:
        fields = client.request_head("POST", "/v1/chat/completions", [("content-length", str(100 << 20))])
        client.send(client.request(1, fields, end=False))
        status, body = client.answer(1)
        assert status == 413 and b"request_too_large" in body
        client.send(client.request(3))
        assert client.answer(3)[0] == 200


@pytest.mark.parametrize("length", ["declared", "by growth"])
def test_a_body_over_the_limit_of_a_client_that_sends_it_all(target, length):
    """httpx reads its answer when the whole body is sent. A reset that came before would be all that it sees."""
    body = chat_body(padding="x" * (25 << 20))
    pieces = (body[start : start + (1 << 20)] for start in range(0, len(body), 1 << 20))
    headers = {"authorization": f"Bearer {target.gateway.key}", "content-type": "application/json"}
    with httpx.Client(http1=False, http2=True, verify=False, timeout=20) as client:
        url = f"{target.gateway.api}/chat/completions"
        answer = client.post(url, content=body if length == "declared" else pieces, headers=headers)
        assert (answer.status_code, answer.http_version) == (413, "HTTP/2")
        assert answer.json()["error"]["code"] == "request_too_large"
        # The connection goes on.
        assert client.get(f"{target.gateway.api}/models", headers=headers).status_code == 200


def test_head_has_no_body(target):
    with H2(target.gateway) as client:
        client.send(client.request(1, client.request_head("HEAD")))
        assert client.answer(1) == (405, b"")
