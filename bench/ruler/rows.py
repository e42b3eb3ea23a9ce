"""The rows of the table, each defined once: what is compared, the bounds, and how it is measured.

A row gives one result for each driver of the gateway. What a row cannot be measured for (no perf, no nginx, no io_uring) says why instead.
"""

from dataclasses import dataclass, field
from statistics import median

from . import machine, subjects
from .bench import SATURATED_CORES, Load, middle, per_round
from .verdict import Interval, judge, judge_pairs, ratio_of_added

CHAT = Load("http1")
CHAT_TLS = Load("tls")
PROMPT = Load("http1", body_kb=100)
PROMPT_TLS = Load("tls", body_kb=100)
STREAMS = Load("paced", connections=128, streams_per_s=64)
BURSTS = Load("http1", stream=True)


@dataclass(frozen=True)
class Row:
    name: str
    work: str
    must: float | None
    goal: float | None
    # (bench, row, driver) -> Result
    measure: object
    unit: str = "x"
    at_most: bool = True
    # Not a row of the table of targets by itself: only with --full.
    extra: bool = False


@dataclass
class Result:
    """`interval` is what is judged; `ours` and `theirs` are the figures behind it, in the unit `of`."""

    interval: Interval
    ours: float
    theirs: float | None
    of: str
    must: str | None
    goal: str | None
    notes: dict = field(default_factory=dict)


def ours(driver):
    return f"ringway {driver}"


def everybody(*others):
    return [*others, *(ours(driver) for driver in subjects.DRIVERS)]


def compared(load, figure, of, others, peer):
    """A row whose ratio is formed in each round of a closed loop."""

    def measure(bench, row, driver):
        if figure == "instructions" and bench.perf_problem:
            raise machine.Unavailable(bench.perf_problem)
        theirs = peer.format(driver=driver)
        bench.present(theirs, ours(driver))
        measured = bench.under_load(everybody(*others), load)
        interval = Interval.of_rounds(per_round(measured, ours(driver), theirs, figure))
        return Result(
            interval,
            middle(measured[ours(driver)], figure),
            middle(measured[theirs], figure),
            of,
            judge(interval, row.must),
            judge(interval, row.goal),
        )

    return measure


def added_latency(route, percentile):
    def measure(bench, row, driver):
        bench.present("nginx", ours(driver))
        found = bench.latencies(everybody("direct", "nginx"), route)
        triples = [
            (d[percentile], n[percentile], r[percentile])
            for d, n, r in zip(found["direct"], found["nginx"], found[ours(driver)])
        ]
        interval = ratio_of_added(triples)
        return Result(
            interval,
            median(r - d for d, _, r in triples),
            median(n - d for d, n, _ in triples),
            "us added",
            judge_pairs(interval, row.must, len(triples)),
            judge_pairs(interval, row.goal, len(triples)),
            {"pairs": len(triples), "direct_us": median(d for d, _, _ in triples)},
        )

    return measure


def kept_in_a_crowd(route):
    """Throughput from 32 to a crowd of connections; CPU per request where the gateway is not what limits the throughput."""

    def measure(bench, row, driver):
        bench.present(ours(driver))
        names = everybody("nginx")
        loads = [Load(route, beside="crowd"), Load(route, connections=bench.preset.crowd, beside="crowd")]
        few, many = bench.under_loads(names, loads).values()
        name = ours(driver)
        saturated = min(middle(few[name], "cores"), middle(many[name], "cores")) >= SATURATED_CORES
        # Both read "the more the better" this way round.
        figure, over, under = ("rps", many, few) if saturated else ("cpu_us", few, many)
        kept = {other: [a[figure] / b[figure] for a, b in zip(over[other], under[other])] for other in few}
        interval = Interval.of_rounds(kept[name])
        of = "requests/s" if saturated else "CPU us/request"
        notes = {
            "connections": bench.preset.crowd,
            "kept": {other: median(ratios) for other, ratios in kept.items()},
            "errors": sum(one["errors"] for one in many[name]),
        }
        if "nginx" in kept:
            of += f" (nginx keeps {median(kept['nginx']):.2f} x)"
        return Result(
            interval,
            middle(many[name], figure),
            middle(few[name], figure),
            of,
            judge(interval, row.must, at_most=False),
            judge(interval, row.goal, at_most=False),
            notes,
        )

    return measure


def translated(figure, of, **kind):
    """The gateway against itself: the same client's request to an upstream of another dialect, and to one of its own."""

    def measure(bench, row, driver):
        if figure == "instructions" and bench.perf_problem:
            raise machine.Unavailable(bench.perf_problem)
        name = ours(driver)
        bench.present(name)
        same, between = loads = [Load(route, beside="translation", **kind) for route in ("http1", "translated")]
        measured = bench.under_loads(everybody(), loads)
        pairs = zip(measured[between][name], measured[same][name])
        interval = Interval.of_rounds([over[figure] / under[figure] for over, under in pairs])
        return Result(
            interval,
            middle(measured[between][name], figure),
            middle(measured[same][name], figure),
            of,
            judge(interval, row.must),
            judge(interval, row.goal),
        )

    return measure


def resident(figure, of):
    def measure(bench, row, driver):
        bench.present(ours(driver))
        measured = bench.memory(driver)
        interval = Interval.of_rounds([measured[figure]])
        return Result(
            interval, measured[figure], None, of, judge(interval, row.must), judge(interval, row.goal), measured
        )

    return measure


PUMPS = [f"pump {driver}" for driver in subjects.DRIVERS]

ROWS = [
    Row(
        "http1-nginx",
        "HTTP/1.1 in and out, instructions per request against nginx",
        0.85,
        0.70,
        compared(CHAT, "instructions", "instructions/request", ["direct", "nginx", *PUMPS], "nginx"),
    ),
    Row(
        "http1-pump",
        "the same against the byte pump on the same driver",
        1.5,
        1.25,
        compared(CHAT, "instructions", "instructions/request", ["direct", "nginx", *PUMPS], "pump {driver}"),
    ),
    Row(
        "http1-cpu",
        "the same against nginx, CPU time per request",
        None,
        None,
        compared(CHAT, "cpu_us", "CPU us/request", ["direct", "nginx", *PUMPS], "nginx"),
    ),
    Row(
        "tls-nginx",
        "HTTP/1.1 in, TLS and HTTP/2 out, instructions per request against nginx with TLS and HTTP/1.1 out",
        0.90,
        0.75,
        compared(CHAT_TLS, "instructions", "instructions/request", ["nginx"], "nginx"),
    ),
    Row(
        "tls-cpu",
        "the same, CPU time per request",
        None,
        None,
        compared(CHAT_TLS, "cpu_us", "CPU us/request", ["nginx"], "nginx"),
    ),
    Row("latency-p50", "added p50 latency at 1,000 requests/s against nginx", 1.0, 0.8, added_latency("http1", "p50")),
    Row("latency-p99", "added p99 latency at 1,000 requests/s against nginx", 1.0, 0.8, added_latency("http1", "p99")),
    Row("latency-tls-p50", "the same, p50 with a TLS upstream", 1.0, 0.8, added_latency("tls", "p50"), extra=True),
    Row("latency-tls-p99", "the same, p99 with a TLS upstream", 1.0, 0.8, added_latency("tls", "p99"), extra=True),
    Row(
        "stream-paced",
        "CPU per 150-byte chunk of streams with 20 ms gaps, against nginx unbuffered",
        1.0,
        0.7,
        compared(STREAMS, "cpu_us", "CPU us/chunk", ["nginx", *PUMPS], "nginx"),
    ),
    Row(
        "stream-burst",
        "CPU per 150-byte chunk of streams without gaps, against nginx unbuffered",
        1.0,
        0.7,
        compared(BURSTS, "cpu_us", "CPU us/chunk", ["nginx"], "nginx"),
    ),
    Row(
        "stream-instructions",
        "instructions per chunk of the paced streams, against nginx unbuffered",
        None,
        None,
        compared(STREAMS, "instructions", "instructions/chunk", ["nginx", *PUMPS], "nginx"),
    ),
    Row(
        "prompt-100k",
        "100 KB prompt, CPU per request against nginx",
        1.1,
        0.9,
        compared(PROMPT, "cpu_us", "CPU us/request", ["nginx"], "nginx"),
    ),
    Row(
        "prompt-100k-tls",
        "100 KB prompt with a TLS upstream, CPU per request against nginx",
        1.1,
        0.9,
        compared(PROMPT_TLS, "cpu_us", "CPU us/request", ["nginx"], "nginx"),
        extra=True,
    ),
    Row(
        "translated-1k",
        "1 KB chat to an upstream that speaks Anthropic, instructions per request against the same passed through",
        1.5,
        1.25,
        translated("instructions", "instructions/request"),
    ),
    Row("translated-cpu", "the same, CPU time per request", 1.5, None, translated("cpu_us", "CPU us/request")),
    Row(
        "translated-100k",
        "the same with a 100 KB prompt",
        None,
        None,
        translated("cpu_us", "CPU us/request", body_kb=100),
        extra=True,
    ),
    Row(
        "translated-chunk",
        "instructions per chunk of streams without gaps, against the same passed through",
        None,
        None,
        translated("instructions", "instructions/chunk", stream=True),
        extra=True,
    ),
    # After the others: a gateway that has seen a crowd keeps its upstream connections for a minute, and looks after them.
    Row(
        "crowd",
        "throughput or CPU per request kept from 32 to 4,096 connections",
        0.85,
        0.95,
        kept_in_a_crowd("http1"),
        at_most=False,
    ),
    Row(
        "crowd-tls",
        "the same with a TLS and HTTP/2 upstream",
        0.85,
        0.95,
        kept_in_a_crowd("tls"),
        at_most=False,
        extra=True,
    ),
    Row("memory-idle", "resident memory, idle, one shard", 12.0, 8.0, resident("idle_mib", "MiB"), unit="MiB"),
    Row(
        "memory-connection",
        "resident memory of each of 10,000 idle connections",
        4.0,
        1.0,
        resident("kib_per_idle_connection", "KiB"),
        unit="KiB",
    ),
]


def measure(bench, row):
    """By driver: a Result, or the reason why there is none."""
    if row.extra and not bench.preset.extra_rows:
        return dict.fromkeys(subjects.DRIVERS, "only with --full")
    results = {}
    for driver in subjects.DRIVERS:
        try:
            results[driver] = row.measure(bench, row, driver)
        except machine.Unavailable as problem:
            results[driver] = str(problem)
    return results
