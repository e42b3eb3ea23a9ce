"""A provider, or somebody in its place, that breaks HTTP on purpose. The client gets an error in OpenAI's shape, what comes next on
that connection is never taken for another request's answer, and the gateway goes on."""

import threading
from pathlib import Path

import pytest

from harness.gateway import Gateway
from harness.waiting import wait_for
from peers.bad_input.conftest import lines_logged
from peers.bad_input.villain import Villain
from peers.bad_input.wire import Closed, Wire, ask, chat_request, head

GOOD = (
    b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"GOOD"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)
POISON = GOOD.replace(b"GOOD", b"POISON")


def answer(body=GOOD, status=b"200 OK", *lines):
    lines = b"".join(line + b"\r\n" for line in lines)
    length = f"Content-Length: {len(body)}\r\n".encode()
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n" + lines + length + b"\r\n" + body


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = f"Content-Length: {len(GOOD)}\r\n".encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n0\r\n\r\n"

# What is sent and the status that the client gets; 200 where the answer is odd and unambiguous.
ANSWERS = {
    "a good answer": (answer(), 200),
    "a good answer in chunks": (HEAD + CHUNKED + b"\r\n" + CHUNKS, 200),
    "length and chunks": (HEAD + LENGTH + CHUNKED + b"\r\n" + CHUNKS, 502),
    "chunks and length": (HEAD + CHUNKED + LENGTH + b"\r\n" + CHUNKS, 502),
    "two lengths": (HEAD + LENGTH + b"Content-Length: 5\r\n\r\n" + GOOD, 502),
    "the same length twice": (HEAD + LENGTH + LENGTH + b"\r\n" + GOOD, 200),
    "a list of lengths": (HEAD + b"Content-Length: 5, 5\r\n\r\nhello", 502),
    "a signed length": (HEAD + b"Content-Length: +5\r\n\r\nhello", 502),
    "a negative length": (HEAD + b"Content-Length: -5\r\n\r\nhello", 502),
    "a length beyond 64 bits": (HEAD + b"Content-Length: 18446744073709551617\r\n\r\n" + GOOD, 502),
    "two codings": (HEAD + CHUNKED + CHUNKED + b"\r\n" + CHUNKS, 502),
    "an unknown coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS, 502),
    "gzip and chunks": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, 502),
    "chunks in HTTP/1.0": (HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n" + CHUNKS, 502),
    "a chunk size in 0x notation": (HEAD + CHUNKED + b"\r\n0x" + CHUNKS, 502),
    "a chunk size with a plus": (HEAD + CHUNKED + b"\r\n+" + CHUNKS, 502),
    "a chunk size beyond 64 bits": (HEAD + CHUNKED + b"\r\nffffffffffffffffff\r\n" + GOOD, 502),
    "a chunk extension without end": (HEAD + CHUNKED + b"\r\n5;" + b"a" * 100_000, 502),
    "trailers without end": (HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"a: b\r\n" * 10_000, 502),
    "no line end after a chunk": (HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n0\r\n", b"0\r\n"), 502),
    "a bare line feed in the chunks": (HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n"), 502),
    "a folded line": (HEAD + b"X: a\r\n b\r\n" + LENGTH + b"\r\n" + GOOD, 502),
    "a space before a colon": (HEAD + b"Content-Length : 5\r\n" + LENGTH + b"\r\n" + GOOD, 502),
    "NUL in a value": (HEAD + b"X: \0\r\n" + LENGTH + b"\r\n" + GOOD, 502),
    "a carriage return in a forwarded value": (
        HEAD + b"openai-version: a\rSet-Cookie: b\r\n" + LENGTH + b"\r\n" + GOOD,
        502,
    ),
    "a head without end": (HEAD + b"X: y\r\n" * 20_000, 502),
    "one header without end": (HEAD + b"X: " + b"y" * 200_000, 502),
    "200 headers": (HEAD + b"X: y\r\n" * 200 + LENGTH + b"\r\n" + GOOD, 502),
    "garbage": (b"\x00\x01\x02garbage\r\n\r\n", 502),
    "a request instead of an answer": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 502),
    "another version": (b"HTTP/3.0 200 OK\r\n\r\n", 502),
    "an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 502),
    "TLS": (b"\x16\x03\x03\x00\x7a" + b"\x02" * 122, 502),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", 502),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", 502),
    "status 999": (answer(GOOD, b"999 Odd"), 502),
    "status 600": (answer(GOOD, b"600 Odd"), 502),
    "status 304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", 502),
    "status 204": (b"HTTP/1.1 204 No Content\r\n\r\n", 502),
    "a protocol change nobody asked for": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + answer(), 502),
    "seven interim answers": (b"HTTP/1.1 102 Processing\r\n\r\n" * 7 + answer(), 200),
    "a storm of interim answers": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 5_000 + answer(), 502),
    "interim answers only": (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, 502),
    "gzip though not asked for": (answer(b"\x1f\x8b\x08" + b"\0" * 100, b"200 OK", b"Content-Encoding: gzip"), 502),
    "HTML": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", 502),
    "JSON of 100,000 levels": (answer(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 502),
}


@pytest.fixture
def villain(tmp_path, request):
    """`villain(play)`: a gateway whose only provider it is."""
    running = []

    def start(play):
        villain = Villain(play)
        gateway = Gateway.start(
            tmp_path / f"ringway-{len(running)}",
            providers={"villain": {"base_url": villain.url}},
            models={"m": {"deployments": ["villain/m"], "deadlines": {"headers_ms": 5000, "gap_ms": 5000}}},
        )
        running.append((gateway, villain))
        return gateway, villain

    yield start
    for gateway, villain in running:
        well(gateway)
        all_logged(gateway, villain)
        gateway.finish()
        villain.close()


def all_logged(gateway, villain):
    wait_for("every request is in the access log", lambda: lines_logged(gateway) >= len(villain.requests))


def well(gateway):
    with Wire(gateway) as wire:
        wire.get()
        assert wire.answer().status == 200


def script(data):
    """Plays the bytes and closes, then is good from the next connection on."""
    state = {"told": False}

    def play(conversation):
        if state["told"]:
            return conversation.send(answer())
        state["told"] = True
        conversation.send(data)
        return "close"

    return play, state


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for the table: its provider is told anew for each case."""
    now = {}
    villain = Villain(lambda conversation: now["play"](conversation))
    gateway = Gateway.start(
        tmp_path_factory.mktemp("villain") / "ringway",
        providers={"villain": {"base_url": villain.url}},
        models={"m": {"deployments": ["villain/m"], "deadlines": {"headers_ms": 5000, "gap_ms": 5000}}},
    )
    yield gateway, villain, now
    gateway.finish()
    villain.close()


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answer(shared, name, stream):
    gateway, villain, now = shared
    data, status = ANSWERS[name]
    now["play"], _ = script(data)
    got = ask(gateway, chat_request(gateway.key, stream=stream))
    assert got.status == status, got
    if status == 200:
        assert b"GOOD" in got.body
    else:
        assert got.code.startswith("upstream_")
        assert "set-cookie" not in got.headers
    # The next client gets the answer to its own request.
    got = ask(gateway, chat_request(gateway.key))
    assert got.status == 200 and got.json["choices"][0]["message"]["content"] == "GOOD"
    all_logged(gateway, villain)


def test_a_length_that_is_never_reached(shared):
    """Too long to be held back: it is passed on as it comes, and its breaking off shows as that."""
    gateway, _, now = shared
    now["play"], _ = script(HEAD + b"Content-Length: 99999999999999999\r\n\r\n" + GOOD)
    with pytest.raises(Closed):
        ask(gateway, chat_request(gateway.key))
    well(gateway)


EVENT = b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
STREAMS = {
    "ends without its marker": EVENTS + b"\r\n" + EVENT * 3,
    "ends within a chunk": EVENTS + CHUNKED + b"\r\nffff\r\n" + EVENT * 3,
    "has a broken chunk": EVENTS + CHUNKED + b"\r\n" + f"{len(EVENT):x}\r\n".encode() + EVENT + b"\r\nxyz\r\n",
    "ends before its length": EVENTS + b"Content-Length: 100000\r\n\r\n" + EVENT * 3,
    "has a line without end": EVENTS + b"\r\n" + EVENT + b"data: " + b"x" * (17 << 20),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that(shared, name):
    """The client sees content, then an error event, and no end marker."""
    gateway, _, now = shared
    now["play"], _ = script(STREAMS[name])
    got = ask(gateway, chat_request(gateway.key, stream=True))
    assert got.status == 200 and got.headers["content-type"].startswith("text/event-stream")
    assert b'"content":"a"' in got.body and b'"error"' in got.body.rsplit(b"data: ", 1)[1]
    assert b"[DONE]" not in got.body


def test_an_answer_behind_the_answer_is_nobodys(villain):
    """Response splitting: a second answer comes along with the first."""
    gateway, _ = villain(lambda conversation: conversation.send(answer() + answer(POISON)))
    for _ in range(5):
        got = ask(gateway, chat_request(gateway.key))
        assert got.status == 200 and b"POISON" not in got.body


def test_an_answer_before_the_next_request_is_nobodys(villain):
    """The second answer comes on the idle connection, before anything was asked."""
    sent = threading.Semaphore(0)

    def play(conversation):
        conversation.send(answer())
        # The first answer has to have been taken before the next comes: the client of the test says so.
        taken.acquire(timeout=10)
        conversation.send(answer(POISON))
        sent.release()

    taken = threading.Semaphore(0)
    gateway, _ = villain(play)
    for _ in range(5):
        got = ask(gateway, chat_request(gateway.key))
        taken.release()
        assert got.status == 200 and b"POISON" not in got.body
        assert sent.acquire(timeout=10)
        # Both ends of that connection are on this machine; what was sent has arrived. The gateway looks when it leases.
        gateway.wait_metric("ringway_in_flight", lambda value: value == 0)


def test_an_early_answer(villain):
    """A provider that answers before it has read the body, and goes on as if nothing were left of it."""

    def play(conversation):
        conversation.send(
            answer(b'{"error":{"message":"no","type":"invalid_request_error","code":"no"}}', b"400 Bad Request")
        )
        conversation.read_body()

    play.before_the_body = True
    gateway, villain_ = villain(play)
    for _ in range(3):
        got = ask(gateway, chat_request(gateway.key, padding="x" * (4 << 20)))
        assert got.status == 400, got
    assert len(villain_.requests) == 3


def test_an_early_good_answer(villain):
    def play(conversation):
        conversation.send(answer())
        conversation.read_body()

    play.before_the_body = True
    gateway, _ = villain(play)
    for _ in range(3):
        got = ask(gateway, chat_request(gateway.key, padding="x" * (4 << 20)))
        assert got.status == 200, got


def test_a_head_by_the_byte(tmp_path):
    """One deadline for the whole head; meanwhile others are served."""
    pause = threading.Event()

    def play(conversation):
        for byte in HEAD + b"X: y\r\n" * 1000:
            conversation.send(bytes([byte]))
            pause.wait(0.01)

    villain = Villain(play)
    gateway = Gateway.start(
        tmp_path / "ringway",
        providers={"villain": {"base_url": villain.url}},
        models={"m": {"deployments": ["villain/m"], "deadlines": {"headers_ms": 500}}},
    )
    with Wire(gateway) as wire:
        wire.chat()
        well(gateway)
        got = wire.answer()
        assert (got.status, got.code) == (504, "upstream_timeout")
    pause.set()
    gateway.finish()
    villain.close()


def test_bytes_pass_through_without_a_body(villain):
    """204 to a request for audio: the client's connection goes on at the right place."""
    gateway, _ = villain(lambda conversation: conversation.send(b"HTTP/1.1 204 No Content\r\n\r\n"))
    request = head("POST", "/v1/audio/speech", gateway.key, "Content-Type: application/json", "Content-Length: 37")
    with Wire(gateway) as wire:
        body = b'{"model":"m","input":"a","voice":"b"}'
        assert len(body) == 37
        wire.send(request + b"\r\n" + body)
        assert wire.answer().status == 204
        wire.get()
        assert wire.answer().status == 200


def test_what_waits_of_an_answer_is_bounded(villain):
    """A provider that sends 512 MiB to a client that does not read."""
    stop = threading.Event()

    def play(conversation):
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 536870912\r\n\r\n")
        block = b"\0" * (1 << 20)
        conversation.connection.settimeout(0.2)
        sent = 0
        try:
            while sent < 512 and not stop.is_set():
                conversation.send(block)
                sent += 1
        except TimeoutError:
            stalled.set()
        return "close"

    stalled = threading.Event()
    gateway, _ = villain(play)
    before = gateway.resident_bytes()
    body = b'{"model":"m","input":"a","voice":"b"}'
    request = head(
        "POST", "/v1/audio/speech", gateway.key, "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    with Wire(gateway) as wire:
        wire.send(request + b"\r\n" + body)
        assert stalled.wait(20), "the provider was never slowed down"
        assert gateway.resident_bytes() - before < 8 << 20
    stop.set()


def credential_of(villain):
    """What the last request showed."""
    lines = villain.requests[-1].split(b"\r\n")
    return next(line for line in lines if line.lower().startswith(b"authorization")).split()[-1]


def test_no_secret_comes_back_in_a_stream(villain):
    """The error event in the middle of a stream repeats our credential: the client gets ours instead."""

    def play(conversation):
        error = b'data: {"error":{"message":"bad key ' + credential_of(villain_) + b'","type":"x","code":"y"}}\n\n'
        conversation.send(EVENTS + b"\r\n" + EVENT + error)
        return "close"

    gateway, villain_ = villain(play)
    got = ask(gateway, chat_request(gateway.key, stream=True))
    assert got.status == 200 and b'"error"' in got.body and b"[DONE]" not in got.body
    assert gateway.credential.encode() not in got.body


def test_no_secret_comes_back(villain):
    """A provider that repeats our credential: not in the answer, nor in any log (the gateway's end checks the latter)."""

    def play(conversation):
        body = b'{"error":{"message":"Incorrect API key provided: ' + credential_of(villain_)
        body += b'","type":"x","code":"y"}}'
        conversation.send(answer(body, b"401 Unauthorized", b"openai-organization: o"))

    gateway, villain_ = villain(play)
    got = ask(gateway, chat_request(gateway.key))
    assert (got.status, got.code) == (502, "upstream_credential")
    assert gateway.credential.encode() not in got.body and gateway.credential not in str(got.headers)
    assert Path(gateway.folder / "ringway.toml").read_text().count(gateway.credential) == 0
