"""nginx in front of Ringway, as a TLS and HTTP/2 peer for clients.

It is told nothing about streams: that they pass unbuffered is due to the headers that Ringway sends.
"""

import asyncio
import json
import shutil
import ssl
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from harness.children import Child, free_port
from harness.waiting import wait_for
from peers.exchange import MESSAGES


@pytest.fixture
def front(ringway, simulate, certificates, tmp_path):
    provider = simulate("a")
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"]})
    folder, port = tmp_path / "nginx", free_port()
    folder.mkdir()
    for file in (certificates.cert_file, certificates.key_file):
        shutil.copy(file, folder)
    text = Path(__file__).with_name("nginx.conf").read_text()
    (folder / "nginx.conf").write_text(text.replace("PORT", str(port)).replace("UPSTREAM", f"127.0.0.1:{gateway.port}"))
    child = Child(["/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"], folder)
    head = {"authorization": f"Bearer {gateway.key}"}
    options = {
        "base_url": f"https://localhost:{port}/v1",
        "headers": head,
        "http2": True,
        "timeout": 30,
        "verify": ssl.create_default_context(cafile=certificates.ca_file),
    }
    client = httpx.Client(**options)

    def answers():
        assert child.running(), child.stderr
        try:
            return client.get("/models").status_code == 200
        except httpx.ConnectError:
            return False

    wait_for("nginx answers", answers)
    yield SimpleNamespace(client=client, options=options, gateway=gateway, provider=provider)
    client.close()
    child.stop()


def body(**members):
    return {"model": "m", "messages": MESSAGES, **members}


def test_whole_and_streamed(front):
    whole = front.client.post("/chat/completions", json=body())
    assert whole.http_version == "HTTP/2" and whole.status_code == 200
    with front.client.stream("POST", "/chat/completions", json=body(stream=True)) as streamed:
        events = [line.removeprefix("data: ") for line in streamed.iter_lines() if line]
    assert events[-1] == "[DONE]"
    text = "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1])
    assert text == whole.json()["choices"][0]["message"]["content"]


def test_events_pass_while_the_stream_is_open(front):
    """The provider falls silent after two events: they must be there although nothing follows."""
    front.provider.fail("silent_after:2")
    with front.client.stream("POST", "/chat/completions", json=body(stream=True)) as streamed:
        lines = (line for line in streamed.iter_lines() if line.startswith("data:"))
        seen = [json.loads(next(lines).removeprefix("data:")) for _ in range(3)]
        assert front.provider.stats().in_flight == 1
    assert [bool(chunk["choices"][0]["delta"].get("content")) for chunk in seen] == [False, True, True]
    # The library does not reset a stream that is left, it only forgets it; a closed connection says it for sure.
    front.client.close()
    front.provider.wait("the stream was cancelled", lambda stats: stats.cancelled == 1)


def test_100_at_a_time(front):
    front.provider.script("[latency]\nttft_ms = 3000.0\n")

    # One thread: with several, httpx may send the heads of new streams out of their order, which ends the connection.
    async def all_of_them():
        async with httpx.AsyncClient(**front.options) as client:
            posts = [client.post("/chat/completions", json=body(user=str(index))) for index in range(100)]
            return [answer.status_code for answer in await asyncio.gather(*posts)]

    assert asyncio.run(all_of_them()) == [200] * 100
    assert front.provider.stats().in_flight_max == 100


def test_a_large_body(front):
    answer = front.client.post("/chat/completions", json=body(padding="x" * 5_000_000))
    assert answer.status_code == 200
    assert front.provider.last_request().body_bytes > 5_000_000


def test_errors_keep_their_shape(front):
    answer = front.client.post("/chat/completions", json=body(model="no-such-model"))
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found"
    answer = front.client.post("/chat/completions", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_json"
