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
        ("/v1/models", {"cookie": key}, None),
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


@pytest.mark.parametrize("stream", [False, True])
def test_secrets_as_names_of_models(ringway, simulate, stream):
    """A name goes to the provider, into messages and into the log; none of these is where a secret may be kept."""
    gateway = ringway(providers={"a": simulate()}, models={"m": ["a/m"], "a/*": ["a/*"]})
    with Client(gateway) as client:
        for model, statuses in (
            (gateway.key, (404,)),
            (f"a/{gateway.key}", (200,)),
            (f"a/fault:status:500,message={gateway.credential}", (502,)),
        ):
            answer = client.start(
                "POST", "/v1/chat/completions", {"model": model, "messages": MESSAGES, "stream": stream}
            )
            told = str(answer.headers) + answer.read().decode()
            assert answer.status in statuses and gateway.credential not in told
    gateway.wait_log("the last one", lambda line: line["status"] == 502)


def test_a_key_where_its_hash_belongs(ringway, simulate):
    """A likely mistake, and the message about it is logged."""
    gateway = ringway(**one(simulate()))
    gateway.write_config(
        f'[[keys]]\nname = "x"\nhash = "{gateway.key}"\n[providers.a]\nkind = "openai"\ncredential = 5\n'
    )
    assert not gateway.reload()
    assert "RELOAD FAILED" in gateway.child.stderr


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
