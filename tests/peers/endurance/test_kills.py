"""Ends at any moment, of Ringway and of its providers, under load; and what has to hold afterwards.

The moments are drawn from a seed. `RINGWAY_KILL_ROUNDS` is how many ends there are in each test (20 by default), `RINGWAY_KILL_SEED`
the seed, which is printed.
"""

import http.client
import json
import os
import random
import select
import signal
import threading
import time

import pytest

from harness.waiting import wait_for
from peers.bad_input.frames import H2, window_update
from peers.exchange import MESSAGES, answered, chat

ROUNDS = int(os.environ.get("RINGWAY_KILL_ROUNDS", "20"))
SEED = int(os.environ.get("RINGWAY_KILL_SEED") or time.time_ns() % 1_000_000)
CLIENTS, CLIENTS_HTTP2, STREAMS_AT_ONCE = 12, 2, 4

pytestmark = pytest.mark.timeout(60 + 30 * ROUNDS)

SLOW = "[answer]\ntokens = 20\n[latency]\nttft_ms = 5.0\ngap_ms = { median_ms = 5.0, sigma = 1.0 }\n"


@pytest.fixture
def chance():
    print(f"\nRINGWAY_KILL_SEED={SEED}")
    return random.Random(SEED)


class Clients:
    """Clients that ask one thing after the other, half of them for streams, on connections that they keep as long as they can; a few of
    them over HTTP/2, several at a time."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        # Answers that were whole; exchanges of which nothing came back; those that broke off within their answer.
        self.whole, self.unanswered, self.broken = 0, [], []
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(CLIENTS)]
        self.threads += [threading.Thread(target=self._run_http2, daemon=True) for _ in range(CLIENTS_HTTP2)]
        for thread in self.threads:
            thread.start()

    def _run(self, index):
        stream = index % 2 == 0
        body = json.dumps({"model": "m", "messages": MESSAGES, "stream": stream}).encode()
        headers = {"Authorization": f"Bearer {self.gateway.key}", "Content-Type": "application/json"}
        connection = None
        while not self.stopped.is_set():
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
                try:
                    connection.connect()
                except OSError:
                    connection = None
                    self.stopped.wait(0.005)
                    continue
            asked_at = time.monotonic()
            answer = None
            try:
                connection.request("POST", "/v1/chat/completions", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                is_whole = answer.status == 200 and (text.endswith(b"data: [DONE]\n\n") if stream else json.loads(text))
                keeps = not answer.will_close
            except (OSError, http.client.HTTPException) as error:
                is_whole, keeps, text = False, False, repr(error).encode()
            with self.lock:
                if is_whole:
                    self.whole += 1
                elif answer is None:
                    self.unanswered.append(asked_at)
                else:
                    self.broken.append((answer.status, text[-300:]))
            if not is_whole:
                # Not as fast as failures come.
                self.stopped.wait(0.005)
            if not keeps:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def _run_http2(self):
        while not self.stopped.is_set():
            try:
                connection = H2(self.gateway)
            except OSError:
                self.stopped.wait(0.005)
                continue
            with connection:
                # Answers of a whole run fit in.
                connection.send(window_update(0, 1 << 30))
                first = 1
                while not self.stopped.is_set() and not connection.closed and connection.goaway is None:
                    streams = range(first, first + 2 * STREAMS_AT_ONCE, 2)
                    first = streams.stop
                    asked_at = time.monotonic()
                    connection.send(b"".join(connection.chat(n, stream=n % 4 == 1) for n in streams))
                    end = asked_at + 30
                    while not connection.closed and not set(streams) <= connection.ended | connection.resets.keys():
                        if time.monotonic() > end:
                            self.broken.append((0, b"streams without an end"))
                            return
                        select.select([connection.socket], [], [], 0.05)
                        connection.take()
                    for n in streams:
                        self._count_http2(connection, n, asked_at)
                    connection.data.clear()

    def _count_http2(self, connection, stream, asked_at):
        head, text = connection.headers.pop(stream, None), connection.data.get(stream, b"")
        # A broken answer that is no stream of events ends in a reset.
        ended = stream in connection.ended and stream not in connection.resets
        with self.lock:
            if ended and head[":status"] == "200" and (stream % 4 != 1 or text.endswith(b"data: [DONE]\n\n")):
                self.whole += 1
            elif head is None:
                self.unanswered.append(asked_at)
            else:
                self.broken.append((int(head[":status"]), text[-300:]))

    def wait_more(self, count):
        before = self.whole
        wait_for(f"{count} more answers", lambda: self.whole >= before + count)

    def wait_failures(self, count):
        before = len(self.broken)
        wait_for(f"{count} failures", lambda: len(self.broken) >= before + count)

    def finish(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def whole_lines(gateway, but_the_last=False):
    """How many lines the access log has. Each is one JSON object."""
    lines = (gateway.folder / "access.log").read_bytes().split(b"\n")
    if not but_the_last:
        assert lines[-1] == b"", lines[-1]
    for line in lines[:-1]:
        json.loads(line)
    return len(lines) - 1


def test_terminated_under_load_loses_no_request(ringway, simulate, chance):
    """Whatever had been asked when the signal came is answered to its end, and the next process takes over the address."""
    provider = simulate(script=SLOW)
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"]}, shards=2)
    answers = 0
    for round_ in range(ROUNDS):
        clients = Clients(gateway)
        clients.wait_more(CLIENTS)
        time.sleep(chance.uniform(0, 0.5))
        asked_by = time.monotonic()
        gateway.child.signal(signal.SIGTERM)
        assert gateway.child.wait() == 0, gateway.child.stderr[-4000:]
        clients.finish()
        answers += clients.whole
        assert clients.broken == [], (round_, clients.broken)
        assert [at for at in clients.unanswered if at < asked_by] == [], (round_, clients.unanswered, asked_by)
        # Nothing reached the provider whose answer did not reach a client, and all of it was logged.
        stats = provider.stats()
        assert (stats.completed, stats.cancelled, stats.in_flight) == (answers, 0, 0), round_
        assert whole_lines(gateway) == answers
        gateway.restart()
    print(f"{ROUNDS} ends, {answers} answers, none lost")


def test_killed_under_load_starts_again(ringway, simulate, chance):
    """Nothing that it leaves behind is in the way of the next start: ports, its admin socket, the log."""
    provider = simulate(script=SLOW)
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"]}, shards=2)
    for round_ in range(ROUNDS):
        clients = Clients(gateway)
        if chance.random() < 0.8:
            clients.wait_more(chance.randrange(2 * CLIENTS))
        time.sleep(chance.uniform(0, 0.2))
        gateway.child.signal(signal.SIGKILL)
        assert gateway.child.wait() == -signal.SIGKILL
        clients.finish()
        # Broken off is broken off, and never looks whole; what was whole is not counted here, the log of a killed process lags.
        assert all(b"[DONE]" not in text for _, text in clients.broken), round_
        whole_lines(gateway, but_the_last=True)
        provider.wait("its calls have ended", lambda stats: stats.in_flight == 0)
        gateway.restart()
        answered(chat(gateway, "m"))
        answered(chat(gateway, "m", stream=True))


def test_killed_while_it_starts_starts_again(ringway, simulate, chance):
    provider = simulate()
    gateway = ringway(providers={"a": provider}, models={"m": ["a/m"]}, shards=2)
    for _ in range(ROUNDS):
        if gateway.child.running():
            gateway.child.signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
            gateway.child.wait()
        gateway.spawn()
        time.sleep(chance.uniform(0, 0.08))
        gateway.child.signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
        # Before it listens for signals, SIGTERM ends it as the kernel does.
        assert gateway.child.wait() in (0, -signal.SIGKILL, -signal.SIGTERM), gateway.child.stderr[-2000:]
        gateway.restart()
        answered(chat(gateway, "m"))


@pytest.mark.parametrize("wire", ["http1", "http2"])
def test_a_provider_that_dies_and_comes_back(ringway, simulate, chance, certificates, wire):
    """While it is away its model fails in OpenAI's shape, another one is not touched by it; then both serve, without a restart."""
    options = {"tls_files": certificates, "http2": True} if wire == "http2" else {}
    provider, other = simulate("a", script=SLOW, **options), simulate("other", script=SLOW)
    gateway = ringway(
        providers={"a": provider, "other": other}, models={"m": ["a/m"], "both": ["a/m", "other/m"]}, shards=2
    )
    for round_ in range(ROUNDS):
        clients = Clients(gateway)
        clients.wait_more(CLIENTS)
        time.sleep(chance.uniform(0, 0.3))
        provider.kill()
        clients.wait_failures(2 * CLIENTS)
        answered(chat(gateway, "both"))
        answered(chat(gateway, "both", stream=True))
        provider.restart()
        clients.wait_more(2 * CLIENTS)
        clients.finish()
        for status, text in clients.broken:
            # Streams that had begun end in an error event, others in an error.
            assert (status == 200 and b'"error"' in text) or json.loads(text)["error"]["code"], (round_, status, text)
        assert clients.unanswered == []
        gateway.wait_metric("ringway_in_flight", lambda value: value == 0)
