"""Reading what a process tree does while it is under load.

Counts of instructions are the steadiest figure on a shared machine: they do not depend on what else runs. `perf` is switched on and off
over its control pipe, each time acknowledged, with the simulator's count of requests read at the same two moments; so
a window has a number of requests of its own, and neither start-up nor warm-up is in it.
"""

import http.client
import json
import os
import signal
import ssl
import subprocess
import time
from dataclasses import dataclass

from . import machine

EVENTS = "instructions:u,instructions:k"


@dataclass
class Window:
    """What happened between two moments."""

    seconds: float
    requests: int
    # Of streams, as the simulator sent them.
    events: int
    cpu_s: float
    # User and kernel; None without perf.
    instructions: tuple | None
    # Cores that neither ours nor the load used: other people's work, and what the host took away.
    foreign_cores: float


class Perf:
    """Instructions of the processes `pids`, between `begin` and `end`."""

    def __init__(self, children, pids):
        self.out = children.folder / "perf.csv"
        self.to_perf, self.from_perf = os.pipe(), os.pipe()
        command = [
            "perf",
            "stat",
            "-x,",
            "-o",
            self.out,
            "-e",
            EVENTS,
            "-D",
            "-1",
            "-p",
            ",".join(map(str, pids)),
            "--control",
            f"fd:{self.to_perf[0]},{self.from_perf[1]}",
        ]
        self.process = children.start(
            command,
            machine.LOAD_CPU,
            "perf.log",
            stdout=subprocess.DEVNULL,
            pass_fds=(self.to_perf[0], self.from_perf[1]),
        )
        os.close(self.to_perf[0])
        os.close(self.from_perf[1])

    def tell(self, word):
        os.write(self.to_perf[1], f"{word}\n".encode())
        if not os.read(self.from_perf[0], 16).startswith(b"ack"):
            raise machine.Unavailable("perf stat does not answer: is the kernel's perf_event_paranoid above 2?")

    def end(self):
        """User and kernel instructions. Call after `tell("disable")`."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        os.close(self.to_perf[1])
        os.close(self.from_perf[0])
        counts = {}
        for line in self.out.read_text().splitlines():
            fields = line.split(",")
            if len(fields) > 2 and fields[2].startswith("instructions"):
                counts[fields[2]] = fields[0]
        try:
            return tuple(float(counts[f"instructions:{mode}"]) for mode in "uk")
        except (KeyError, ValueError):
            return None


def perf_problem():
    """Why instructions cannot be counted here, or None."""
    try:
        done = subprocess.run(["perf", "stat", "-x,", "-e", EVENTS, "true"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "perf is missing (Debian: apt install linux-perf)"
    if done.returncode != 0 or "<not" in done.stderr:
        return "perf cannot count instructions here (no hardware counters, or perf_event_paranoid above 2)"
    return None


class SimStats:
    """The counters of a running simulator, over a connection that stays open."""

    def __init__(self, origin):
        scheme, address = origin.split("://")
        host, port = address.split(":")
        if scheme == "https":
            # The certificate is a throw-away one, and all that is read is a number.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.connection = http.client.HTTPSConnection(host, int(port), timeout=20, context=context)
        else:
            self.connection = http.client.HTTPConnection(host, int(port), timeout=20)

    def counts(self):
        """Requests and content events so far."""
        self.connection.request("GET", "/sim/stats")
        stats = json.loads(self.connection.getresponse().read())
        return stats["requests"], stats["content_events"]

    def counts_at(self):
        """The counts and when they were read: a busy simulator takes a while to answer, so halfway between asking and hearing."""
        asked = time.monotonic()
        counts = self.counts()
        return *counts, (asked + time.monotonic()) / 2


def watch(children, pid, ours, stats, seconds, with_perf):
    """Measures the process `pid` for so many seconds, with the load running. `ours` are the other processes that may use CPU."""
    perf = Perf(children, machine.tree(pid)) if with_perf and pid else None
    # The slow reading comes first both times, so that both windows have the same length; requests are read next to perf's switch.
    cpu_before = _cpu(pid, ours)
    if perf:
        perf.tell("enable")
    requests_before, events_before, begin = stats.counts_at()
    time.sleep(seconds)
    cpu_after = _cpu(pid, ours)
    requests_after, events_after, end = stats.counts_at()
    instructions = None
    if perf:
        perf.tell("disable")
        instructions = perf.end()
    own_s, others_s, busy_s = (after - before for before, after in zip(cpu_before, cpu_after))
    return Window(
        seconds=end - begin,
        requests=requests_after - requests_before,
        events=events_after - events_before,
        cpu_s=own_s,
        instructions=instructions,
        foreign_cores=max(0.0, busy_s - own_s - others_s) / (end - begin),
    )


def _cpu(pid, ours):
    """CPU time of what is measured, of what offers it work, and of the whole machine, in seconds."""
    own_s = machine.cpu_s(pid) if pid else 0.0
    others_s = sum(machine.cpu_s(other) for other in ours) + time.process_time()
    return own_s, others_s, machine.busy_s()
