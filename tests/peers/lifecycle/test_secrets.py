"""Canaries. The end of every gateway looks for its key and its credential in all that it wrote; here they are put where they would
slip through."""

import pytest

from harness.control import ask, connect
from peers.lifecycle.client import MESSAGES, Client, one


def raw(gateway, path, headers, body=None, method="GET"):
    status, answered, answer = ask(connect(gateway.url), method, path, body, headers)
    return status, str(answered) + answer.decode()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_repeats_our_credential(ringway, simulate, status, stream):
    simulator = simulate(script=f'[[rule]]\nfault = "echo_key:{status}"\n')
    gateway = ringway(**one(simulator))
    with Client(gateway) as client:
        answer = client.start("POST", "/v1/chat/completions", {"model": "m", "messages": MESSAGES, "stream": stream})
        told = str(answer.headers) + answer.read().decode()
    assert simulator.stats().keys_seen == 1
    assert answer.status >= 400 and '"error"' in told
    assert gateway.credential not in told and gateway.key not in told


def test_a_key_where_it_does_not_belong(ringway, simulate):
    """A client that puts its key anywhere but in its header finds it repeated to itself at most, and in no log."""
    gateway = ringway(**one(simulate()))
    key = gateway.key
    good = {"Authorization": f"Bearer {key}"}
    body = b'{"model":"' + key.encode() + b'","messages":[]}'
    for path, headers, sent in (
        (f"/v1/models?api_key={key}", {}, None),
        (f"/v1/{key}", good, None),
        (f"/v1/models/{key}", good, None),
        ("/v1/models", {"Authorization": key}, None),
        ("/v1/models", {"Authorization": f"Basic {key}"}, None),
        ("/v1/models", {"Authorization": f"Bearer {key}x"}, None),
        ("/v1/models", {"api-key": key, "x-api-key": key}, None),
        ("/v1/chat/completions", good, body),
        ("/v1/chat/completions", {**good, "traceparent": key, "Content-Type": "application/json"}, body[:-1]),
    ):
        status, _ = raw(gateway, path, headers, sent, "POST" if sent else "GET")
        assert status in (400, 401, 404)
    # The line that begins with garbage and ends with a key.
    with Client(gateway) as client:
        client.sock.sendall(f"{key} /v1/models {key}\r\n{key}: {key}\r\n\r\n".encode())
        answer = b""
        while piece := client.sock.recv(4096):
            answer += piece
        assert key.encode() not in answer
    gateway.wait_log("the last one", lambda line: line["code"] == "invalid_http")


def test_a_credential_that_cannot_be_read(serve, tmp_path):
    """A reference to a file is reported by its name, not by what is in it."""
    secret = tmp_path / "secret"
    secret.write_text("sk-canary-with\nline breaks\n")
    path = tmp_path / "ringway.toml"
    path.write_text(
        '[providers.a]\nkind = "openai"\ncredential = "${file:' + str(secret) + '}"\n'
        '[[models]]\nname = "m"\ndeployments = ["a/m"]\nunknown = 1\n'
    )
    served = serve(["--config", path])
    assert served.child.wait() == 1
    assert "unknown" in served.child.stderr and "canary" not in served.child.stderr
