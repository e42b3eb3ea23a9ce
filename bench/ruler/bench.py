"""One run of the benchmark: what is running, and the measurements that rows are made of.

Measurements that several rows need are made once. Subjects take turns, round by round, so that a drift of the machine meets all of them;
ratios are formed within a round.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from statistics import median

from . import machine, meters, subjects


@dataclass(frozen=True)
class Preset:
    """How long is measured."""

    name: str
    rounds: int
    warmup_s: float
    window_s: float
    pairs: int
    segment_s: float
    # How long memory is left alone before it is read: buffers are given up after a second, free memory after a few.
    settle_s: float
    # Connections of the crowd, and of the idle crowd.
    crowd: int
    idle: int
    # Rows that take long and are no row of the table of targets by themselves.
    extra_rows: bool


QUICK = Preset(
    "quick",
    rounds=1,
    warmup_s=0.5,
    window_s=1.5,
    pairs=10,
    segment_s=1.0,
    settle_s=4.0,
    crowd=4096,
    idle=10_000,
    extra_rows=False,
)
FULL = Preset(
    "full",
    rounds=3,
    warmup_s=1.0,
    window_s=3.0,
    pairs=24,
    segment_s=1.5,
    settle_s=6.0,
    crowd=4096,
    idle=10_000,
    extra_rows=True,
)
# For the test that this keeps working; its figures mean nothing.
SMOKE = Preset(
    "smoke",
    rounds=1,
    warmup_s=0.1,
    window_s=0.2,
    pairs=2,
    segment_s=0.1,
    settle_s=0.2,
    crowd=64,
    idle=100,
    extra_rows=True,
)

# How long a paced stream takes.
STREAM_S = subjects.STREAM_EVENTS * subjects.GAP_MS / 1000

# Share of a core from which the gateway counts as the limit of a closed loop.
SATURATED_CORES = 0.93


@dataclass(frozen=True)
class Load:
    """A closed loop, or streams that begin at random times."""

    route: str
    connections: int = 32
    body_kb: float = 1.0
    # Streams per second; None is a closed loop of whole answers.
    streams_per_s: int | None = None
    # A closed loop of streams.
    stream: bool = False
    # What it is measured for the comparison with: not shared with other rows, which were measured minutes before.
    beside: str = ""

    @property
    def unit(self):
        """What CPU and instructions are counted by."""
        return "chunk" if self.stream or self.streams_per_s else "request"


class Bench:
    """What is running, and what has been measured. Use as a context."""

    def __init__(self, preset, binaries):
        self.preset, self.binaries = preset, binaries
        self.children = machine.Children()
        # Why a subject is not there, by name.
        self.unavailable = {}
        self.subjects = {}
        self.gateways = {}
        self.measured = {}
        self.failures = []
        self.foreign = []
        self.perf_problem = meters.perf_problem()

    def __enter__(self):
        self.children.__enter__()
        try:
            self.simulators = subjects.Simulators(self.children, self.binaries)
            self.subjects["direct"] = self.simulators.direct()
            self.add("nginx", subjects.start_nginx, self.children, self.simulators)
            for driver in subjects.DRIVERS:
                self.add(f"pump {driver}", subjects.start_pumps, self.children, self.binaries, self.simulators, driver)
                self.add(f"ringway {driver}", self.start_gateway, driver)
            for subject in list(self.subjects.values()):
                self.try_out(subject)
        except BaseException:
            self.children.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.children.__exit__()

    def add(self, name, start, *args):
        try:
            self.subjects[name] = start(*args)
        except machine.Unavailable as problem:
            self.unavailable[name] = str(problem)

    def start_gateway(self, driver):
        gateway = subjects.Gateway(self.children, self.binaries, self.simulators, driver)
        self.gateways[gateway.subject.name] = gateway
        return gateway.subject

    def try_out(self, subject):
        """A subject that does not answer is not measured."""
        for route in subject.routes:
            report = self.drive(subject, "closed", Load(route, connections=1), warmup_s=0.0, seconds=0.05)
            if not report["requests"] or report["errors"]:
                self.unavailable[subject.name] = f"{subject.name} does not answer over {route}: {report['errors']}"
                self.subjects.pop(subject.name, None)
                return

    def present(self, *names):
        """The named subjects, or Unavailable with the reason why one of them is not there."""
        for name in names:
            if name not in self.subjects:
                raise machine.Unavailable(self.unavailable.get(name, f"{name} was not started"))
        return [self.subjects[name] for name in names]

    def load_pids(self):
        return self.simulators.pids

    def start_driver(self, subject, pattern, load, warmup_s, seconds, *more, in_child=lambda: None):
        route = subject.routes[load.route]
        command = [
            self.binaries.loadtest,
            pattern,
            "--url",
            route.url,
            "--model",
            route.model,
            "--connections",
            load.connections,
            "--body-kb",
            load.body_kb,
            "--warmup",
            warmup_s,
            "--seconds",
            seconds,
            *more,
        ]
        if route.key:
            command += ["--key", route.key]
        if load.stream or load.streams_per_s:
            command += ["--stream"]
        if subject.name in self.gateways:
            self.gateways[subject.name].forget_log()
        return self.children.start(command, machine.LOAD_CPU, "driver.log", in_child, stdout=subprocess.PIPE)

    def drive(self, subject, pattern, load, warmup_s, seconds, *more, in_child=lambda: None):
        driver = self.start_driver(subject, pattern, load, warmup_s, seconds, *more, in_child=in_child)
        return self.report(subject, load, driver)

    def report(self, subject, load, driver):
        out, _ = driver.communicate(timeout=120)
        if driver.returncode != 0:
            reason = (self.children.folder / "driver.log").read_text(errors="replace").strip()[-300:]
            raise machine.Unavailable(f"the load driver failed against {subject.name}: {reason}")
        report = json.loads(out)
        if report["errors"] or report["dropped"]:
            self.failures.append(
                {
                    "subject": subject.name,
                    "load": vars(load),
                    "errors": report["errors"],
                    "dropped": report["dropped"],
                    "requests": report["requests"],
                }
            )
        return report

    def under_load(self, names, load):
        """By name, a list with one measurement per round of each subject."""
        return self.under_loads(names, [load])[load]

    def under_loads(self, names, loads):
        """By load and name. The loads of one subject come right after each other, so that they can be compared too."""
        names = [name for name in names if name in self.subjects]
        missing = [(name, load) for name in names for load in loads if (name, load) not in self.measured]
        for one in missing:
            self.measured[one] = []
        for turn in range(self.preset.rounds):
            for name, load in missing if turn % 2 == 0 else reversed(missing):
                self.measured[(name, load)].append(self.measure(self.subjects[name], load))
        return {load: {name: self.measured[(name, load)] for name in names} for load in loads}

    def measure(self, subject, load):
        """A window inside a steady load: after everything is connected, was asked once, and has run for a while."""
        preset = self.preset
        pid, stats = subject.pids.get(load.route), self.simulators.stats[load.route]
        # A crowd takes longer to settle.
        warmup_s = preset.warmup_s + load.connections / 2048
        before, _ = stats.counts()
        if load.streams_per_s:
            # The first streams end when as many run as will run together.
            warmup_s += STREAM_S
            awaited, pattern, more = 1, "open", ["--rate", load.streams_per_s, "--arrivals", "poisson"]
        else:
            awaited, pattern, more = load.connections, "closed", []
        driver = self.start_driver(subject, pattern, load, warmup_s, preset.window_s + min(0.5, preset.window_s), *more)
        while stats.counts()[0] < before + awaited and driver.poll() is None:
            time.sleep(0.02)
        time.sleep(warmup_s)
        ours = [*self.load_pids(), driver.pid]
        window = meters.watch(self.children, pid, ours, stats, preset.window_s, not self.perf_problem)
        self.foreign.append(window.foreign_cores)
        report = self.report(subject, load, driver)
        user, kernel = window.instructions or (None, None)
        units = max(1, window.events if load.unit == "chunk" else window.requests)
        return {
            "rps": window.requests / window.seconds,
            "rps_at_client": report["rps"],
            "units": units,
            "cores": window.cpu_s / window.seconds,
            "cpu_us": window.cpu_s * 1e6 / units,
            "instructions": window.instructions and (user + kernel) / units,
            "instructions_user": window.instructions and user / units,
            "instructions_kernel": window.instructions and kernel / units,
            "foreign_cores": window.foreign_cores,
            "latency_us": report["latency_us"],
            "ttft_us": report["ttft_us"],
            "gap_us": report["gap_us"],
            "errors": sum(report["errors"].values()),
        }

    def latencies(self, names, route, rate=1000):
        """By name, percentiles of each segment in turn. Every second turn goes backwards: A B B A.

        Everything that takes part runs at real-time priority: at a twentieth of a core each, what is measured is then the way through and
        not how long the scheduler kept other work of the machine running.
        """
        names = [name for name in names if name in self.subjects and route in self.subjects[name].routes]
        key = ("latencies", tuple(names), route)
        if key not in self.measured:
            pids = [*self.load_pids(), *(pid for name in names for pid in self.subjects[name].pids.values())]
            with machine.realtime(pids):
                self.measured[key] = self.segments(names, route, rate)
        return self.measured[key]

    def segments(self, names, route, rate):
        found = {name: [] for name in names}
        for turn in range(self.preset.pairs):
            for name in names if turn % 2 == 0 else reversed(names):
                report = self.drive(
                    self.subjects[name],
                    "open",
                    Load(route),
                    min(0.2, self.preset.segment_s),
                    self.preset.segment_s,
                    "--rate",
                    rate,
                    in_child=lambda: machine.set_policy([os.getpid()], os.SCHED_RR, 1),
                )
                found[name].append({**report["latency_us"], "late": report["late"], "dropped": report["dropped"]})
        return found

    def memory(self, driver):
        """Resident memory of a fresh gateway: idle, with a crowd of idle connections, and after load."""
        key = ("memory", driver)
        if key not in self.measured:
            self.measured[key] = self.measure_memory(driver)
        return self.measured[key]

    def measure_memory(self, driver):
        gateway = subjects.Gateway(self.children, self.binaries, self.simulators, driver)
        try:
            pid = gateway.child.pid
            time.sleep(self.preset.settle_s)
            idle = machine.resident_kib(pid)
            crowd = subjects.IdleCrowd(gateway.subject.routes["http1"], self.preset.idle)
            try:
                time.sleep(self.preset.settle_s)
                crowded = machine.resident_kib(pid)
            finally:
                crowd.close()
            self.drive(gateway.subject, "closed", Load("http1", connections=64), 0.0, self.preset.window_s)
            time.sleep(self.preset.settle_s)
            loaded = machine.resident_kib(pid)
        finally:
            machine.end(gateway.child)
        return {
            "idle_mib": idle[0] / 1024,
            "idle_private_mib": idle[1] / 1024,
            "loaded_mib": loaded[0] / 1024,
            "crowded_mib": crowded[0] / 1024,
            "idle_connections": self.preset.idle,
            "kib_per_idle_connection": (crowded[0] - idle[0]) / self.preset.idle,
        }


def per_round(measurements, ours, theirs, figure):
    """The ratio of a figure of two subjects in each round."""
    return [a[figure] / b[figure] for a, b in zip(measurements[ours], measurements[theirs]) if b[figure]]


def middle(measurements, figure):
    values = [one[figure] for one in measurements if one.get(figure) is not None]
    return median(values) if values else None


def environment(bench):
    described = machine.describe(bench.binaries.gateway)
    described["measured_at"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    described["load_average_1m"] = os.getloadavg()[0]
    described["foreign_cores_median"] = median(bench.foreign) if bench.foreign else None
    described["foreign_cores_max"] = max(bench.foreign, default=None)
    return described
