"""Every case of tests/bad_input/http1, against the running binary."""

import re
import threading
import time
import tomllib

import pytest

from harness.children import ROOT
from peers.bad_input.wire import Closed, Wire, chat_body, chat_request, head

FOLDER = ROOT / "tests" / "bad_input" / "http1"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(path.read_text())["case"]
]
KEYS = {"name", "send", "answers", "open", "early", "upstream"}
CLOSING = [case for case in CASES if not case.values[0].get("open")]
SHORT = [case for case in CASES if "@TIMES" not in "".join(case.values[0]["send"]) and not case.values[0].get("early")]


def expanded(pieces, key):
    body = chat_body()
    text = "".join(pieces)
    for name, value in {
        "POST": head("POST", "/v1/chat/completions", key, "Content-Type: application/json").decode(),
        "GET": head("GET", "/v1/models", key).decode(),
        "BODY": body.decode(),
        "LENGTH": str(len(body)),
        "HEX": f"{len(body):x}",
        "KEY": key,
    }.items():
        text = text.replace(f"@{name}@", value)
    text = re.sub(r"@TIMES:(\d+):([^@]*)@", lambda found: found[2] * int(found[1]), text)
    return text.encode("latin-1")


@pytest.mark.parametrize("case", CASES)
def test_case(target, case):
    assert case.keys() <= KEYS, case.keys() - KEYS
    play(target, case, expanded(case["send"], target.gateway.key))


@pytest.mark.parametrize("case", CLOSING)
def test_nothing_is_smuggled_behind(target, case):
    """A request behind one that ends the connection is never taken for one of its own."""
    behind = head("GET", "/v1/models", target.gateway.key) + b"\r\n"
    play(target, case, expanded(case["send"], target.gateway.key) + behind)


@pytest.mark.long
@pytest.mark.parametrize("case", SHORT)
def test_byte_by_byte(target, case):
    data = expanded(case["send"], target.gateway.key)
    play(target, case, data, (data[at : at + 1] for at in range(len(data))))


def play(target, case, data, pieces=None):
    """Sends the bytes, at once or in pieces, and holds what comes back to what the case says."""
    before = target.provider.stats().requests
    method = "HEAD" if data.startswith(b"HEAD") else "GET"
    with Wire(target.gateway) as wire:
        for piece in pieces or [data]:
            wire.send(piece)
        answers = []
        for _ in case["answers"]:
            try:
                answers.append(wire.answer(method if not answers else "GET"))
            except Closed as closed:
                pytest.fail(f"closed after {answers}: {closed}")
        assert [answer.status for answer in answers] == case["answers"], answers
        for answer in answers:
            if answer.status >= 400 and answer.body:
                assert answer.code
        if case.get("open"):
            wire.get()
            assert wire.answer().status == 200
        else:
            assert answers and answers[-1].headers.get("connection") == "close"
            wire.assert_closed()
    seen = target.provider.stats().requests - before
    assert seen <= case.get("upstream", 0), f"the provider saw {seen} requests"


def test_a_thousand_pipelined_requests_are_answered_in_order(target):
    """Answers tell their requests apart by the model that they do not find."""
    count = 1000
    requests = b"".join(head("GET", f"/v1/models/nope%2f{i}%00", target.gateway.key) + b"\r\n" for i in range(count))
    with Wire(target.gateway) as wire:
        # The provider's turn in the middle: requests behind it have to wait for it.
        half = len(requests) // 2
        half = requests.index(b"GET ", half)
        wire.send(requests[:half] + chat_request(target.gateway.key) + requests[half:])
        answers = [wire.answer() for _ in range(count + 1)]
        chats = [answer for answer in answers if answer.status == 200]
        assert len(chats) == 1 and chats[0].json["object"] == "chat.completion"
        rest = [answer for answer in answers if answer.status == 404]
        assert len(rest) == count
        for i, answer in enumerate(rest):
            assert f"nope%2f{i}%00" in answer.json["error"]["message"]


def test_pipelined_requests_beyond_what_is_read_ahead(target):
    """1 MiB of requests behind one that takes time: they wait in the sockets, not in our memory."""
    request = chat_request(target.gateway.key, padding="x" * 2000)
    count = 500
    with Wire(target.gateway) as wire:
        wire.socket.setblocking(True)
        sending = threading.Thread(target=wire.send, args=(request * count,), daemon=True)
        sending.start()
        for _ in range(count):
            assert wire.answer().status == 200
        sending.join()


def test_a_request_in_two_parts_behind_another(target):
    """The beginning of a pipelined request, then nothing for longer than an idle connection keeps its buffer."""
    second = chat_request(target.gateway.key)
    with Wire(target.gateway) as wire:
        wire.send(chat_request(target.gateway.key) + second[:40])
        assert wire.answer().status == 200
        # Not waiting for an event: it is the passing of the time that makes the difference here.
        time.sleep(1.5)
        wire.send(second[40:])
        assert wire.answer().status == 200


def test_every_cut_of_a_request_is_read_the_same(target):
    """Sent in two parts, cut anywhere, with the second only after the first has been read."""
    body = chat_body()
    chunked = (
        head("POST", "/v1/chat/completions", target.gateway.key, "Transfer-Encoding: chunked")
        + b"\r\n5\r\n"
        + body[:5]
        + b"\r\n"
        + f"{len(body) - 5:x};x=y\r\n".encode()
        + body[5:]
        + b"\r\n0\r\nA: b\r\n\r\n"
    )
    with Wire(target.gateway) as wire:
        for request in (chat_request(target.gateway.key), chunked):
            for cut in range(1, len(request)):
                wire.send(request[:cut])
                # A round trip on another connection gives the first part time to arrive; nothing depends on it.
                if cut % 16 == 0:
                    with Wire(target.gateway) as other:
                        other.get()
                        other.answer()
                wire.send(request[cut:])
                answer = wire.answer()
                assert answer.status == 200, (cut, answer)


def test_continue_comes_before_the_body(target):
    body = chat_body()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-Continue")
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/chat/completions", target.gateway.key, *lines) + b"\r\n")
        while b"\r\n\r\n" not in wire.unread:
            assert wire._more()
        wire.send(body)
        answer = wire.answer()
        assert (answer.interim, answer.status) == ([100], 200)
        wire.get()
        assert wire.answer().status == 200


def test_continue_is_not_said_to_a_stranger(target):
    """Nothing of a body is read before the key is known."""
    lines = ("Content-Type: application/json", "Content-Length: 1000", "Expect: 100-continue")
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/chat/completions", "rw-wrong", *lines) + b"\r\n")
        answer = wire.answer()
        assert (answer.interim, answer.status, answer.code) == ([], 401, "invalid_api_key")
        wire.assert_closed()


def test_100_mib_announced_are_refused_unread(target):
    lines = ("Content-Type: application/json", f"Content-Length: {100 << 20}", "Expect: 100-continue")
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/chat/completions", target.gateway.key, *lines) + b"\r\n")
        answer = wire.answer()
        assert (answer.interim, answer.status, answer.code) == ([], 413, "request_too_large")
        wire.assert_closed()


def test_100_mib_sent_anyway_are_not_read(target):
    """A client that does not wait for the answer still gets it, and is then cut off."""
    before = target.gateway.resident_bytes()
    lines = ("Content-Type: application/json", f"Content-Length: {100 << 20}")
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/chat/completions", target.gateway.key, *lines) + b"\r\n")
        answer = wire.answer()
        assert (answer.status, answer.code) == (413, "request_too_large")
        for _ in range(100):
            wire.send(b"x" * (1 << 20))
        wire.assert_closed()
    assert target.gateway.resident_bytes() - before < 8 << 20


def test_a_refusal_can_still_be_read_after_a_slow_body(target):
    """The client reads when it has sent for three seconds: the answer must not have been lost to a reset by then."""
    lines = ("Content-Type: application/json", f"Content-Length: {100 << 20}")
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/chat/completions", target.gateway.key, *lines) + b"\r\n")
        for _ in range(6):
            # As above: the passing of the time is what is tested.
            time.sleep(0.5)
            wire.socket.sendall(b"x" * (1 << 16))
        answer = wire.answer()
        assert (answer.status, answer.code) == (413, "request_too_large")


def test_a_body_in_chunks_is_cut_at_the_limit(target):
    with Wire(target.gateway) as wire:
        wire.send(head("POST", "/v1/chat/completions", target.gateway.key, "Transfer-Encoding: chunked") + b"\r\n")
        wire.send(b'10\r\n{"model":"m","x":\r\n'.replace(b"10", b"11"))
        wire.send(b'1\r\n"\r\n' + b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        for _ in range(21):
            wire.send(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        answer = wire.answer()
        assert (answer.status, answer.code) == (413, "request_too_large")
        wire.assert_closed()
