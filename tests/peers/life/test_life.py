"""The process's life under load: drain, reload, memory of idle connections, and what it may never write."""

import contextlib
import json
import os
import signal
import socket
import threading

import httpx
import pytest

from harness.certificates import Certificates
from harness.children import Child, binary, in_threads
from harness.control import ask, connect
from harness.waiting import wait_for
from peers.exchange import MESSAGES, answered, chat, open_stream

SLOW = "[answer]\ntokens = 60\n[latency]\ngap_ms = 20.0\n"
ENDLESS = "[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n"


@pytest.fixture
def provider(simulate):
    return simulate("a")


@pytest.fixture
def gateway(ringway, provider):
    return ringway(providers={"a": provider}, models={"m": ["a/m"]}, shards=2)


def test_streams_end_before_the_process_does(gateway, provider):
    provider.script(SLOW)
    answers = []
    streams = threading.Thread(
        target=lambda: answers.extend(in_threads(20, lambda _: chat(gateway, "m", stream=True, timeout_s=60)))
    )
    streams.start()
    provider.wait("all streams run", lambda stats: stats.in_flight == 20 and stats.content_events > 0)
    gateway.child.signal(signal.SIGTERM)
    wait_for("readiness is gone first", lambda: gateway.admin("/readyz")[0] == 503)
    assert gateway.admin("/livez")[0] == 200
    streams.join()
    assert len(answers) == 20
    for answer in answers:
        answered(answer)
    assert gateway.child.wait() == 0


def test_clients_are_told_to_leave_while_it_drains(gateway, provider):
    provider.script(ENDLESS)
    kept = httpx.Client(base_url=gateway.api, headers={"authorization": f"Bearer {gateway.key}"})
    assert kept.get("/models").status_code == 200
    gateway.exit_codes = {3}
    with open_stream(gateway, "m") as stream:
        assert stream.recv(100)
        gateway.child.signal(signal.SIGTERM)
        gateway.wait_metric("ringway_phase", lambda phase: phase == 2)
        with contextlib.suppress(httpx.TransportError):
            # An idle connection is closed; what came before that is answered, and is the last on its connection.
            assert kept.get("/models").headers["connection"] == "close"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{gateway.api}/models")
        assert stream.recv(100), "what runs goes on"
        # The second signal does not wait for it any longer.
        gateway.child.signal(signal.SIGTERM)
        assert gateway.child.wait() == 3
    kept.close()


def test_streams_longer_than_the_drain_time_end_in_an_error(ringway, provider):
    provider.script(ENDLESS)
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"]}, server={"drain_timeout_ms": 200})
    answers = []
    stream = threading.Thread(target=lambda: answers.append(chat(gateway, "m", stream=True)))
    stream.start()
    provider.wait("the stream runs", lambda stats: stats.content_events > 0)
    gateway.child.signal(signal.SIGTERM)
    stream.join()
    assert gateway.child.wait() == 3
    assert answers[0].broken or "error" in json.loads(answers[0].events[-1])
    assert not answers[0].done


def test_reloads_under_load_lose_nothing(gateway, simulate, provider):
    other = simulate("b")
    stop, failures, counts = threading.Event(), [], []

    def load(index):
        count = 0
        with httpx.Client(
            base_url=gateway.api, headers={"authorization": f"Bearer {gateway.key}"}, timeout=30
        ) as client:
            while not stop.is_set():
                body = {"model": "m", "messages": MESSAGES, "stream": index % 2 == 0}
                answer = client.post("/chat/completions", json=body)
                if answer.status_code != 200 or (index % 2 == 0 and "[DONE]" not in answer.text):
                    failures.append((answer.status_code, answer.text))
                count += 1
        counts.append(count)

    load_threads = [threading.Thread(target=load, args=(index,)) for index in range(8)]
    for thread in load_threads:
        thread.start()
    try:
        for turn in range(10):
            gateway.config.providers = {"a": provider, "b": other}
            gateway.config.models = {"m": ["b/m"] if turn % 2 == 0 else ["a/m"]}
            gateway.write_config()
            before = (other if turn % 2 == 0 else provider).stats().requests
            assert gateway.reload()
            side = other if turn % 2 == 0 else provider
            side.wait("the new configuration is used", lambda stats, before=before: stats.requests > before)
    finally:
        stop.set()
        for thread in load_threads:
            thread.join()
    assert failures == []
    assert sum(counts) == gateway.metric("ringway_answers_total", **{"class": "2xx"})
    assert gateway.metric("ringway_config_generation") == 11


@pytest.mark.parametrize(
    "broken", ["nonsense", "[server]\nlissten = []\n", '[[models]]\nname = "m"\ndeployments = ["x/y"]\n']
)
def test_a_bad_configuration_changes_nothing(gateway, broken):
    gateway.write_config(broken)
    assert not gateway.reload()
    answered(chat(gateway, "m"))
    assert gateway.metric("ringway_config_reload_success") == 0
    assert "ringway.toml" in gateway.child.stderr
    gateway.write_config()
    assert gateway.reload()
    assert gateway.metric("ringway_config_reload_success") == 1


def test_a_key_that_was_taken_out_is_not_accepted_any_more(gateway):
    old = gateway.key
    gateway.config.keys = {"next": "rw-the-next-key-of-this-test-0123456789abcdef"}
    gateway.write_config()
    assert gateway.reload()
    assert chat(gateway, "m").status == 401
    gateway.key = gateway.config.keys["next"]
    answered(chat(gateway, "m"))
    gateway.key = old


def test_a_renewed_certificate_is_served_without_a_restart(ringway, provider, tmp_path):
    folder = tmp_path / "tls"
    folder.mkdir()
    own = Certificates.make(folder)
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"]}, tls=(own.cert_file, own.key_file))

    def served():
        connection = connect(gateway.url)
        connection.connect()
        certificate = connection.sock.getpeercert(binary_form=True)
        connection.close()
        return certificate

    first = served()
    own.issue()
    assert gateway.reload()
    assert served() != first
    status, _, _ = ask(connect(gateway.url), "GET", "/v1/models", headers={"authorization": f"Bearer {gateway.key}"})
    assert status == 200


def test_secrets_are_written_nowhere(ringway, provider):
    """Requests that carry secrets in every place where one may slip into a message. `finish` looks for them."""
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"], "a/*": ["a/*"]})
    key = gateway.key
    for model in ("m", "a/fault:echo_key:401", f"a/fault:status:500,message={gateway.credential}", f"a/{key}", key):
        chat(gateway, model)
        chat(gateway, model, stream=True)
    for head in ({"authorization": key}, {"authorization": f"Basic {key}"}, {"x-api-key": key}, {"cookie": key}):
        httpx.post(f"{gateway.api}/chat/completions", json={}, headers=head)
    httpx.get(f"{gateway.api}/models/{key}", headers={"authorization": f"Bearer {key}"})
    httpx.get(f"{gateway.url}/{key}?key={key}")
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(f"GET /{key} HTTP/1.1\r\nbad header {key}\r\n\r\n".encode())
        connection.recv(1 << 16)
    # The key itself where its hash belongs: a likely mistake, and the message about it is logged.
    gateway.write_config(f'[[keys]]\nname = "x"\nhash = "{key}"\n[providers.a]\nkind = "openai"\ncredential = 5\n')
    assert not gateway.reload()


def test_one_process_per_address(gateway):
    """A second process on the same address says so and ends, instead of taking half of the connections."""
    own_admin = gateway.config.toml().replace("admin.sock", "other.sock")
    path = gateway.folder / "second.toml"
    path.write_text(own_admin)
    environment = {**os.environ, "TEST_CREDENTIAL": gateway.credential}
    second = Child([binary("ringway"), "serve", "--config", path], gateway.folder / "second", environment)
    assert second.wait() != 0
    assert "another process" in second.stderr
    path.unlink()
