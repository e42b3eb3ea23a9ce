"""Requests over HTTP/1.1 that are wrong, hostile or merely rare, and what has to become of each.

A case is bytes and what comes back. Each is followed by a second, ordinary request, which shows where the first one was
taken to end: after what is ambiguous or broken (`refuse`) it must not be answered, because somebody in front of us may
have seen another boundary; after what is merely unwelcome (`decline`) it may be; after the rest (`serve`) it must be.
`{key}` stands for a valid key.
"""

from dataclasses import dataclass

BODY = b'{"model":"m","messages":[{"role":"user","content":"Name three rivers."}]}'
LENGTH = str(len(BODY)).encode()
AUTH = b"authorization: Bearer {key}\r\n"
HOST = b"host: localhost\r\n"
JSON = b"content-type: application/json\r\n"
# A second request that must never be taken for one: whoever answers it has been smuggled past.
SMUGGLED = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n"


@dataclass
class Case:
    name: str
    send: bytes
    # Statuses of the first answer that are right; None: the connection may end without an answer.
    status: tuple
    # The answers after it, if the connection goes on.
    then: tuple
    # True: it ends after the first answer. False: it goes on. None: as the gateway likes.
    closes: bool | None


def post(*heads, body=BODY, version=b"HTTP/1.1", target=b"/v1/chat/completions", host=HOST):
    return b"POST " + target + b" " + version + b"\r\n" + host + AUTH + JSON + b"".join(heads) + b"\r\n" + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CL = b"content-length: " + LENGTH + b"\r\n"
TE = b"transfer-encoding: chunked\r\n"
BAD = (400,)
GOOD = (200,)


def refuse(name, send, status=BAD):
    return Case(name, send + SMUGGLED, status, (), True)


def decline(name, send, status):
    return Case(name, send + SMUGGLED, status, (200,), None)


def serve(name, send):
    return Case(name, send + SMUGGLED, GOOD, (200,), False)


def lengths():
    """Content-Length and Transfer-Encoding: where the body ends must be said once and clearly."""
    yield serve("a length", post(CL))
    yield serve("chunks", post(TE, body=chunked(BODY[:7], BODY[7:])))
    yield serve("chunks in capitals", post(b"TRANSFER-ENCODING: Chunked\r\n", body=chunked(BODY)))
    yield refuse("CL.TE", post(CL, TE, body=chunked(BODY)))
    yield refuse("TE.CL", post(TE, CL, body=chunked(BODY)))
    yield refuse("TE.TE", post(TE, b"transfer-encoding: identity\r\n", body=chunked(BODY)), (400, 501))
    yield refuse("TE twice", post(TE, TE, body=chunked(BODY)), (400, 501))
    yield refuse("two lengths that differ", post(CL, b"content-length: 5\r\n"))
    yield refuse("two lengths that agree", post(CL, CL))
    yield refuse("a list of lengths that agree", post(b"content-length: " + LENGTH + b", " + LENGTH + b"\r\n"))
    for text in (
        b"+" + LENGTH,
        b"-1",
        b"0x10",
        b"1_0",
        b"1 0",
        b"",
        b"10,",
        b"ten",
        b"99999999999999999999999",
        b"7.0",
    ):
        yield refuse(f"length {text.decode()!r}", post(b"content-length: " + text + b"\r\n"), (400, 413))
    for coding in (
        b",chunked",
        b"chunked,chunked",
        b"identity",
        b"gzip, chunked",
        b"xchunked",
        b"chunked\x0b",
        b"\x0bchunked",
        b"chunked\xa0",
        b"chunked\x85",
        b'"chunked"',
        b"chunked;q=1",
        b"",
    ):
        head = b"transfer-encoding: " + coding + b"\r\n"
        yield refuse(f"coding {coding!r}", post(head, body=chunked(BODY)), (400, 501))
    yield refuse("chunks in HTTP/1.0", post(TE, body=chunked(BODY), version=b"HTTP/1.0"))
    yield decline("no length at all", post(body=b""), (400, 411))


def heads():
    """Lines of a head."""
    yield refuse("obs-fold", post(CL, b"x-a: 1\r\n 2\r\n"))
    yield refuse("a space before the colon", post(b"content-length : " + LENGTH + b"\r\n"))
    yield refuse("a line without a colon", post(CL, b"nonsense\r\n"))
    yield refuse("an empty name", post(CL, b": value\r\n"))
    yield refuse("a name with a space", post(CL, b"x a: 1\r\n"))
    yield refuse("a first line that begins with a space", post(b" x-a: 1\r\n", CL))
    for byte in (b"\x00", b"\r", b"\x01", b"\x7f"):
        yield refuse(f"{byte!r} in a value", post(CL, b"x-a: 1" + byte + b"2\r\n"))
        yield refuse(f"{byte!r} in a name", post(CL, b"x-" + byte + b"a: 1\r\n"))
    yield refuse("LF as a line's end", post(CL, b"x-a: 1\n"))
    yield refuse("only LF", post(CL).replace(b"\r\n", b"\n"))
    yield refuse("CR as a line's end", post(CL, b"x-a: 1\rx-b: 2\r\n"))
    yield serve("bytes above 127 in a value that is not looked at", post(CL, b"x-a: \xc3\xa9\r\n"))
    yield refuse("a line of 64 KiB", post(CL, b"x-a: " + b"a" * 65_536 + b"\r\n"), (431, 400))
    yield refuse("1,000 lines", post(CL, *(b"x-%d: 1\r\n" % number for number in range(1000))), (431, 400))
    yield refuse("a target of 16 KiB", post(CL, target=b"/v1/chat/completions?" + b"a" * 16_384), (414, 431, 400))


def chunks():
    """Chunked coding."""
    size = b"%x" % len(BODY)
    rest = b"\r\n" + BODY + b"\r\n0\r\n\r\n"
    for text in (
        b"0x" + size,
        b"+" + size,
        b"-1",
        b"",
        b" " + size,
        size + b" x",
        b"1_0",
        b"g",
        b"f" * 17,
        b"1" + b"0" * 16,
    ):
        yield refuse(f"chunk size {text.decode()!r}", post(TE, body=text + rest), (400, 413))
    yield serve("a chunk extension", post(TE, body=size + b";a=b" + rest))
    yield refuse("a chunk extension with CR", post(TE, body=size + b";a=\rb" + rest))
    yield refuse("a chunk extension with LF", post(TE, body=size + b";a=\nb" + rest))
    yield refuse("a chunk extension of 1 MiB", post(TE, body=size + b";a=" + b"b" * (1 << 20) + rest))
    yield refuse("no line end after a chunk", post(TE, body=size + b"\r\n" + BODY + b"0\r\n\r\n"))
    yield refuse("LF after a chunk's size", post(TE, body=size + b"\n" + BODY + b"\r\n0\r\n\r\n"))
    yield refuse("LF after a chunk", post(TE, body=size + b"\r\n" + BODY + b"\n0\r\n\r\n"))
    yield serve("a trailer", post(TE, body=size + b"\r\n" + BODY + b"\r\n0\r\nx-a: 1\r\n\r\n"))
    for name in (b"content-length: 5", b"transfer-encoding: chunked", b"host: elsewhere"):
        trailer = size + b"\r\n" + BODY + b"\r\n0\r\n" + name + b"\r\n\r\n"
        # Dropped or refused; never acted upon.
        yield decline(f"a trailer {name.decode()!r}", post(TE, body=trailer), (200, 400))
    trailer = size + b"\r\n" + BODY + b"\r\n0\r\nauthorization: Bearer {key}\r\n\r\n"
    yield decline("a credential in a trailer", post(TE, body=trailer).replace(AUTH, b"", 1), (401, 400))


def requests():
    """Request lines and methods."""
    get = b"GET %b HTTP/1.1\r\n%b" + AUTH + b"\r\n"
    yield serve("a GET", get % (b"/v1/models", HOST))
    yield refuse("no Host", get % (b"/v1/models", b""))
    yield refuse("two Hosts", get % (b"/v1/models", HOST + b"host: elsewhere\r\n"))
    yield decline("an empty Host", get % (b"/v1/models", b"host:\r\n"), (400, 403))
    yield decline("a Host with a path", get % (b"/v1/models", b"host: localhost/x\r\n"), (400, 403))
    yield decline("another's Host", get % (b"/v1/models", b"host: elsewhere.example\r\n"), (403,))
    yield decline("absolute form", get % (b"http://localhost/v1/models", HOST), (200, 400))
    yield decline("absolute form of another", get % (b"http://elsewhere.example/v1/models", HOST), (400, 403))
    yield refuse("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + AUTH + b"\r\n", (400, 405, 501))
    yield decline("OPTIONS *", b"OPTIONS * HTTP/1.1\r\n" + HOST + AUTH + b"\r\n", (200, 204, 400, 404, 405))
    yield decline("TRACE", b"TRACE /v1/models HTTP/1.1\r\n" + HOST + AUTH + b"\r\n", (400, 405, 501))
    yield refuse("HTTP/0.9", b"GET /v1/models\r\n")
    yield refuse("HTTP/1.2", b"GET /v1/models HTTP/1.2\r\n" + HOST + AUTH + b"\r\n", (400, 505))
    yield refuse("HTTP/3.0", b"GET /v1/models HTTP/3.0\r\n" + HOST + AUTH + b"\r\n", (400, 505))
    yield refuse("two spaces", b"GET  /v1/models HTTP/1.1\r\n" + HOST + AUTH + b"\r\n")
    yield refuse("a tab", b"GET\t/v1/models\tHTTP/1.1\r\n" + HOST + AUTH + b"\r\n")
    yield refuse("a method that is none", b"G@T /v1/models HTTP/1.1\r\n" + HOST + AUTH + b"\r\n", (400, 405, 501))
    yield refuse("CR in a target", get % (b"/v1/mod\rels", HOST))
    yield refuse("NUL in a target", get % (b"/v1/mod\x00els", HOST))
    yield refuse("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), (400, None))
    upgrade = b"GET /v1/models HTTP/1.1\r\n" + HOST + AUTH + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    yield decline("Upgrade with a pipelined request", upgrade, (200, 400, 426, 501))
    h2c = upgrade.replace(b"websocket", b"h2c").replace(
        b"upgrade\r\n", b"upgrade, http2-settings\r\nhttp2-settings: AAMAAABk\r\n", 1
    )
    yield decline("Upgrade to h2c is not taken", h2c, (200, 400))
    with_body = get % (b"/v1/models", HOST + b"content-length: 5\r\n") + b"hello"
    yield decline("a GET with a body", with_body, (200, 400))


def expectations():
    """Expect: 100-continue."""
    yield serve("Expect, and the body at once", post(CL, b"expect: 100-continue\r\n"))
    yield refuse("another expectation", post(CL, b"expect: 200-ok\r\n"), (417, 400))
    yield refuse("Expect with something before", post(CL, b"expect: y 100-continue\r\n"), (417, 400))
    yield refuse(
        "a body larger than allowed, announced",
        post(b"content-length: 104857600\r\n", b"expect: 100-continue\r\n", body=b""),
        (413,),
    )


def pipelines():
    """Several requests at once."""
    get = b"GET /v1/models HTTP/1.1\r\n" + HOST + AUTH + b"\r\n"
    yield Case("1,000 pipelined", get * 1000, GOOD, (200,) * 999, False)
    yield Case("a good one, then a bad one", get + b"nonsense\r\n\r\n" + get, GOOD, (400,), True)
    yield Case("Connection: close", get.replace(HOST, HOST + b"connection: close\r\n") + get, GOOD, (), True)
    yield Case("HTTP/1.0 closes", get.replace(b"1.1", b"1.0") + get, GOOD, (), True)


CASES = [case for group in (lengths, heads, chunks, requests, expectations, pipelines) for case in group()]
