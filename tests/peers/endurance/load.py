"""Load by `ringway-loadtest`, and clients that go wrong in the ways that clients do."""

import json
import random
import threading

from harness.children import Child, binary
from peers.exchange import chat, open_stream


class Load:
    """One run of the load generator. `errors` maps what went wrong to how often."""

    def __init__(self, folder, gateway, kind, model, seconds, connections, *options):
        command = [binary("ringway-loadtest"), kind, "--url", gateway.api, "--key", gateway.key, "--model", model,
                   "--connections", connections, "--seconds", seconds, *options]  # fmt: skip
        self.child = Child(command, folder)
        self.seconds = seconds

    def finish(self):
        """Its figures, once it has come to its own end."""
        assert self.child.wait(self.seconds + 60) == 0, self.child.stderr
        return json.loads(self.child.stdout)

    def stop(self):
        self.child.stop()


class Repeated:
    """Threads that do one thing again and again until they are stopped. `work(random)` raises what is wrong."""

    def __init__(self, threads, seed, work):
        self.stopped = threading.Event()
        self.counts = [0] * threads
        self.errors = []
        self.threads = [
            threading.Thread(target=self._run, args=(index, random.Random(f"{seed}/{index}"), work), daemon=True)
            for index in range(threads)
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, index, chance, work):
        while not self.stopped.is_set():
            try:
                work(chance)
            except Exception as error:
                self.errors.append(error)
                return
            self.counts[index] += 1

    def finish(self):
        """How often it was done in all."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors
        return sum(self.counts)


def leaves(gateway, model):
    """Asks for a stream and leaves without a word, at any moment."""

    def work(chance):
        with open_stream(gateway, model) as stream:
            for _ in range(chance.randrange(4)):
                if not stream.recv(chance.randrange(1, 4096)):
                    return

    return work


def fails(gateway, model, fault):
    """Asks for what fails, and holds the failure to being an explicit one."""

    def work(_):
        answer = chat(gateway, f"{model}/fault:{fault}", stream=True)
        assert not answer.done
        if answer.status == 200:
            assert answer.error["code"], answer.body
        else:
            assert answer.status >= 400 and answer.error["code"], answer.body

    return work
