"""SIGHUP: the new configuration is in force for requests that begin after it, and no request notices the change."""

import secrets
import signal
import threading

from harness.waiting import wait_for
from peers.lifecycle.client import Client, one


class Load:
    """Clients that ask one thing after another on kept connections, until told to stop."""

    def __init__(self, gateway, clients):
        self.stopped = threading.Event()
        self.counts = [0] * clients
        self.failures = []
        self.threads = [threading.Thread(target=self._run, args=(gateway, n), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, gateway, index):
        try:
            with Client(gateway) as client:
                while not self.stopped.is_set():
                    if index % 2:
                        status, value = client.chat()
                        assert status == 200, value
                    else:
                        answer = client.stream()
                        assert answer.read().endswith(b"data: [DONE]\n\n")
                    self.counts[index] += 1
        except Exception as error:
            self.failures.append(error)

    def wait_more(self, count):
        """Waits until every client was served so many times more."""
        before = list(self.counts)

        def look():
            assert not self.failures, self.failures
            return all(now >= then + count for now, then in zip(self.counts, before, strict=True))

        wait_for(f"{count} more requests of each client", look)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures
        return sum(self.counts)


def test_under_load_no_request_fails(ringway, simulate, driver):
    simulator = simulate(script="[latency]\nttft_ms = 1.0\ngap_ms = 0.1\n")
    gateway = ringway(driver=driver, shards=2, **one(simulator))
    load = Load(gateway, 8)
    load.wait_more(3)
    with Client(gateway) as watcher:
        for generation in range(1, 6):
            name = f"new-{generation}"
            gateway.config.models[name] = ["a/m"]
            gateway.write_config()
            assert gateway.reload()
            # The connection is older than the model.
            assert name in watcher.models()
            assert watcher.chat(name)[0] == 200
            load.wait_more(3)
        assert gateway.metric("ringway_config_generation") == 6
    assert load.stop() >= 8 * 18
    assert gateway.metric("ringway_config_reload_failures_total") == 0


def test_under_load_a_model_moves_between_providers(ringway, simulate):
    """To and fro: what began at one ends there, what begins afterwards goes to the other, and none is lost or counted twice."""
    a, b = simulate("a"), simulate("b")
    gateway = ringway(shards=2, **one(a))
    gateway.config.providers["b"] = b
    load = Load(gateway, 8)
    for turn in range(10):
        name, side = (("b", b), ("a", a))[turn % 2]
        gateway.config.models["m"] = [f"{name}/m"]
        gateway.write_config()
        assert gateway.reload()
        before = side.stats().requests
        side.wait("the new configuration is used", lambda stats, before=before: stats.requests > before)
    served = load.stop()
    gateway.wait_metric("ringway_answers_total", lambda value: value == served, **{"class": "2xx"})
    assert gateway.metric("ringway_config_generation") == 11


def test_under_load_a_provider_gets_another_name(ringway, simulate):
    """The name was never looked up before; the first request under the new configuration is served like the last under the old."""
    simulator = simulate()
    gateway = ringway(shards=2, **one(simulator))
    load = Load(gateway, 8)
    load.wait_more(3)
    gateway.config.providers["a"] = {"base_url": f"http://localhost:{simulator.port}/v1", "allow_plaintext": True}
    gateway.write_config()
    assert gateway.reload()
    load.wait_more(20)
    load.stop()
    assert gateway.metric("ringway_config_generation") == 2
    assert gateway.metric("ringway_answers_total", **{"class": "5xx"}) == 0


def test_a_stream_outlives_its_configuration(ringway, simulate):
    """The model that it runs on is gone when it ends, and so is the key that asked for it."""
    simulator = simulate(script="[answer]\ntokens = 50\n[latency]\ngap_ms = 20.0\n")
    gateway = ringway(**one(simulator))
    with Client(gateway) as client:
        stream = client.stream()
        assert stream.read(64)
        gateway.config.models = {"other": ["a/m"]}
        gateway.config.keys = {"next": "rw-next"}
        gateway.write_config()
        assert gateway.reload()
        whole = stream.read()
        assert whole.endswith(b"data: [DONE]\n\n")
        assert client.ask("GET", "/v1/models")[0] == 401
        client.key = "rw-next"
        assert client.chat()[0] == 404 and client.chat("other")[0] == 200
    line = gateway.wait_log("the stream's", lambda line: line["streamed"])
    assert (line["model"], line["key"], line["generation"]) == ("m", "test", 1)


def test_a_key_that_is_gone_opens_nothing_on_the_connection_that_showed_it(ringway, simulate, driver):
    """A connection remembers whose key it was shown last, but only as long as the configuration is the same."""
    gateway = ringway(driver=driver, **one(simulate()))
    other = f"rw-{secrets.token_urlsafe(32)}"

    def with_keys(**keys):
        gateway.config.keys = keys
        gateway.write_config()
        assert gateway.reload()

    def status(client):
        # Without a body that a refusal would leave unread: the connection must go on.
        return client.ask("GET", "/v1/models")[0]

    with Client(gateway) as client, Client(gateway) as stranger:
        stranger.key = other
        for _ in range(3):
            assert status(client) == 200
            assert status(stranger) == 401
        # Another key of the same length, and the first one again.
        client.key = other
        assert status(client) == 401
        client.key = gateway.key
        assert status(client) == 200
        with_keys(other=other)
        for _ in range(3):
            assert status(client) == 401
            assert status(stranger) == 200
        with_keys(other=other, again=gateway.key)
        for _ in range(3):
            assert status(client) == 200
        with_keys(again=other, other=gateway.key)
        for _ in range(3):
            assert status(client) == 200
            assert status(stranger) == 200
    gateway.wait_log("the last", lambda line: len(gateway.access_log()) == 23)
    named = {(line["generation"], line["key"]) for line in gateway.access_log() if line["status"] == 200}
    assert named == {(1, "test"), (2, "other"), (3, "again"), (4, "other"), (4, "again")}


def test_connections_to_a_provider_that_stays_are_kept(ringway, simulate):
    stays, goes, comes = simulate("stays"), simulate("goes"), simulate("comes")
    gateway = ringway(providers={"stays": stays, "goes": goes}, models={"m": ["stays/m"], "n": ["goes/n"]})
    with Client(gateway) as client:
        assert client.chat("m")[0] == client.chat("n")[0] == 200
        connections = stays.stats().connections
        gateway.config.providers = {"stays": stays, "comes": comes}
        gateway.config.models = {"m": ["stays/m"], "n": ["comes/n"]}
        gateway.write_config()
        assert gateway.reload()
        assert client.chat("m")[0] == client.chat("n")[0] == 200
    # Each look at the counters is a connection of its own.
    assert stays.stats().connections == connections + 1
    assert comes.stats().requests == 1
    goes.wait("its connections are closed", lambda stats: stats.connections_open <= 1)


def test_a_bad_configuration_changes_nothing(ringway, simulate):
    gateway = ringway(**one(simulate()))
    good = gateway.config.toml()
    with Client(gateway) as client:
        for bad, says in (
            ("[server\n", "ringway.toml:1"),
            (good.replace("[[models]]", "[[modles]]"), "modles"),
            (good.replace('"a/m"', '"b/m"'), "'b'"),
            (good.replace("listen = [", "lissten = [", 1), "lissten"),
            ("", "provider"),
        ):
            gateway.write_config(bad)
            assert not gateway.reload()
            assert client.chat()[0] == 200
            assert gateway.metric("ringway_config_reload_success") == 0
            assert gateway.metric("ringway_config_generation") == 1
            assert "RELOAD FAILED" in gateway.child.stderr and says in gateway.child.stderr
        assert gateway.admin("/readyz")[0] == 200
        gateway.write_config(good)
        assert gateway.reload()
        assert gateway.metric("ringway_config_reload_success") == 1
        assert gateway.metric("ringway_config_generation") == 2
        assert client.chat()[0] == 200


def test_a_file_that_is_gone_changes_nothing(ringway, simulate):
    gateway = ringway(**one(simulate()))
    gateway.config_path.unlink()
    assert not gateway.reload()
    with Client(gateway) as client:
        assert client.chat()[0] == 200
    gateway.write_config()


def test_what_waits_for_a_restart_is_said(ringway, simulate):
    gateway = ringway(**one(simulate()))
    gateway.config.server["shards"] = 2
    gateway.write_config()
    assert gateway.reload()
    assert "server.shards" in gateway.child.stderr


def test_limits_change_on_open_connections(ringway, simulate):
    """What is not about sockets takes effect for the next request, also of a connection that is older."""
    gateway = ringway(**one(simulate()))
    with Client(gateway) as client:
        assert client.chat(padding="x" * 5000)[0] == 200
        gateway.config.server["body_bytes_max"] = 4096
        gateway.write_config()
        assert gateway.reload()
        status, value = client.chat(padding="x" * 5000)
        assert (status, value["error"]["code"]) == (413, "request_too_large")


def test_a_hangup_while_draining_is_refused(ringway, simulate):
    gateway = ringway(**one(simulate(script="[answer]\ntokens = 50\n[latency]\ngap_ms = 20.0\n")))
    with Client(gateway) as client:
        stream = client.stream()
        gateway.child.signal(signal.SIGTERM)
        wait_for("it drains", lambda: gateway.admin("/readyz")[0] == 503)
        gateway.child.signal(signal.SIGHUP)
        assert stream.read().endswith(b"data: [DONE]\n\n")
    assert gateway.child.wait() == 0
    assert "not reloading" in gateway.child.stderr
