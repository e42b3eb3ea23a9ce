"""One exchange with Ringway and exactly what came back, and addresses at which nobody answers."""

import contextlib
import json
import socket

import httpx

MESSAGES = [{"role": "user", "content": "Name three rivers."}]


class Answer:
    """What a client saw of one exchange."""

    def __init__(self, response):
        self.status = response.status_code
        self.headers = response.headers
        self.body = b""
        self.broken = False
        try:
            for piece in response.iter_bytes():
                self.body += piece
        except httpx.TransportError:
            # The connection ended before the answer did.
            self.broken = True

    @property
    def streamed(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The data of every event; comments are left out."""
        assert self.streamed, self.headers
        blocks = self.body.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
        lines = [[line for line in block.split("\n") if line.startswith("data:")] for block in blocks]
        return ["\n".join(line.removeprefix("data:").strip() for line in block) for block in lines if block]

    @property
    def done(self):
        return self.streamed and "[DONE]" in self.events

    @property
    def error(self):
        """The error object, of a whole answer or of the last event."""
        value = json.loads(self.events[-1]) if self.streamed else self.json
        error = value["error"]
        assert isinstance(error["message"], str) and isinstance(error["type"], str) and isinstance(error["code"], str)
        return error

    @property
    def content(self):
        """The text of the answer, however it came."""
        if not self.streamed:
            return self.json["choices"][0]["message"]["content"]
        chunks = [json.loads(event) for event in self.events if event != "[DONE]"]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", []))


def chat(gateway, model="both", stream=False, timeout_s=30, **members):
    """One exchange on a connection of its own."""
    body = {"model": model, "messages": MESSAGES, "stream": stream, **members}
    head = {"authorization": f"Bearer {gateway.key}"}
    with httpx.stream(
        "POST", f"{gateway.api}/chat/completions", json=body, headers=head, timeout=timeout_s
    ) as response:
        answer = Answer(response)
    assert "x-request-id" in answer.headers
    return answer


def answered(answer):
    """Holds an answer to being complete and healthy."""
    assert answer.status == 200, answer.body
    assert not answer.broken and answer.content
    assert answer.done or not answer.streamed
    return answer


def refused(answer, status, code):
    """Holds an answer to being this refusal, in OpenAI's shape."""
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert not answer.streamed
    return answer


def broken_off(answer, code):
    """Holds a stream to having been ended by an explicit error, not by what looks like an end."""
    assert answer.status == 200 and answer.streamed
    assert answer.error["code"] == code
    assert not answer.done
    return answer


def open_stream(gateway, model="alone", receive_bytes=None, **members):
    """A raw HTTP/1.1 connection on which a streamed request has been sent. `receive_bytes`: what the kernel takes in for a client
    that does not read; told before connecting, because a window that shrinks later stays that small for good."""
    body = json.dumps({"model": model, "messages": MESSAGES, "stream": True, **members}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Bearer {gateway.key}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection = socket.socket()
    connection.settimeout(20)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect(("127.0.0.1", gateway.port))
    connection.sendall(head.encode() + body)
    return connection


@contextlib.contextmanager
def refusing_address():
    """An address that refuses connections as long as this lasts: bound, so that nobody else can take it, not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@contextlib.contextmanager
def unreachable_address():
    """An address whose handshakes never complete: its queue of waiting connections is full, so further SYNs are dropped."""
    with contextlib.ExitStack() as kept:
        listener = kept.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = kept.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
