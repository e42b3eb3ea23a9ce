"""Plausible results of the load-test suite, to look at a report: `python sample.py > results.json`.

Made up, from a seed; nothing here was measured. It has what a report must cope with: many targets, wide ranges, a refused
scenario, refused points, a target that failed, events, errors, broken streams and a long run.
"""

import json
import math
import random
import statistics
import sys

TARGETS = [
    # name, version, set-up, base added us, spread of the tail, cpu user, cpu kernel, MiB idle, loaded, after
    ("ringway", "0.1.0", "full: key, budget, ledger, metrics, access log", 58, 1.0, 6.1, 10.4, 6.2, 6.9, 6.6),
    ("nginx", "1.22.1", "proxy_pass, keep-alive, nothing else", 105, 1.2, 10.8, 16.2, 9.8, 11.2, 11.1),
    ("envoy", "1.40.0", "tuned: one worker, HTTP/1.1 upstream", 184, 1.3, 44.0, 34.1, 65, 77, 76),
    ("portkey", "1.15.2", "defaults, Node 22", 2_310, 2.0, 1_190, 221, 85, 208, 201),
    ("litellm", "1.106.0", "one worker, no database", 15_400, 2.2, 11_900, 982, 325, 476, 470),
]
DIRECT_US = 88
QUANTILES = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999]


def spread(random_, middle, share=0.03, runs=5):
    values = [middle * random_.gauss(1, share) for _ in range(runs)]
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "runs": values}


def latency_at(quantile, base, tail):
    nines = 9.0 if quantile >= 1 else -math.log10(1 - quantile)
    return int(base * (0.82 + 0.3 * quantile + 0.16 * tail * nines + 0.045 * (tail * nines) ** 2.2))


def percentiles(base, tail, count=60_000):
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 0.99999}
    return {"count": count, "mean": base * 1.15} | {name: latency_at(q, base, tail) for name, q in at.items()}


def curve(base, tail):
    dense = sorted({q + (q2 - q) * step / 4 for q, q2 in zip(QUANTILES, QUANTILES[1:]) for step in range(4)})
    return [[q, latency_at(q, base, tail)] for q in dense] + [[1.0, latency_at(0.999995, base, tail)]]


def interval(random_, estimate, width):
    return {
        "estimate": estimate,
        "low": estimate - width * random_.uniform(0.7, 1.1),
        "high": estimate + width * random_.uniform(0.8, 1.4),
        "level": 0.95,
        "blocks": 24,
    }


def slices(random_, base, tail, seconds, outage=None, memory=None):
    made = []
    for at in range(seconds):
        wild = random_.lognormvariate(0, 0.12)
        down = outage and outage[0] <= at < outage[1]
        made.append(
            {
                "at_s": float(at),
                "requests": 400 if down else 1_000 + random_.randrange(-15, 16),
                "errors": random_.randrange(20, 60) if down and at < outage[0] + 3 else 0,
                "p50_us": int(latency_at(0.5, base, tail) * (1 + wild / 20) * (3 if down else 1)),
                "p99_us": int(latency_at(0.99, base, tail) * wild * (40 if down else 1)),
                "max_us": int(latency_at(0.9995, base, tail) * wild * random_.uniform(0.8, 1.9) * (60 if down else 1)),
                "resident_bytes": int((memory + at / 9_000) * 2**20 * random_.uniform(0.995, 1.005))
                if memory
                else None,
            }
        )
    return made


def latency(random_, base, tail, stream, over_time):
    return {
        "offered_per_s": 1000.0,
        "requests": 60_000,
        "late": 3,
        "dropped": 0,
        "whole_us": percentiles(base, tail),
        "ttft_us": percentiles(base * 0.7, tail) if stream else None,
        "gap_us": percentiles(20_000 + base / 9, 0.1) if stream else None,
        "curve": curve(base, tail),
        "ttft_curve": curve(base * 0.7, tail) if stream else [],
        "over_time": over_time,
        "histogram_files": [],
    }


def target(random_, row, stream=False, seconds=60, outage=None, memory_over_time=False):
    name, version, setup, added, tail, user, kernel, idle, loaded, after = row
    base = DIRECT_US + added
    added_by = {
        "p50_us": interval(random_, added, 3 + added * 0.02),
        "p90_us": interval(random_, added * 1.25, 5 + added * 0.03),
        "p99_us": interval(random_, added * 1.7, 15 + added * 0.08),
        "p99_9_us": interval(random_, added * 2.6, 70 + added * 0.3),
        "max_us": interval(random_, added * 4.5, 600 + added),
    } | dict.fromkeys(["ttft_p50_us", "ttft_p99_us", "gap_p50_us", "gap_p99_us"])
    if stream:
        added_by |= {
            "ttft_p50_us": interval(random_, added * 0.9, 4 + added * 0.02),
            "ttft_p99_us": interval(random_, added * 1.6, 20 + added * 0.1),
            "gap_p50_us": interval(random_, -0.4 + added * 0.01, 2.5),
            "gap_p99_us": interval(random_, added * 0.3, 9 + added * 0.05),
        }
    over_time = slices(random_, base, tail, seconds, outage, loaded if memory_over_time else None)
    return {
        "name": name,
        "baseline": False,
        "url": "http://127.0.0.1:8080/v1",
        "version": version,
        "setup": setup,
        "failures": [],
        "latency": latency(random_, base, tail, stream, over_time),
        "added": added_by,
        "throughput": [],
        "sustained": None,
        "cost": {
            "connections": 64,
            "user_us": spread(random_, user),
            "kernel_us": spread(random_, kernel),
            "user_instructions": spread(random_, user * 2_700, 0.004),
            "kernel_instructions": spread(random_, kernel * 2_300, 0.004),
            "context_switches": spread(random_, 0.4),
            "system_calls": spread(random_, 5.1),
        },
        "memory": {
            "idle_bytes": int(idle * 2**20),
            "loaded_bytes": int(loaded * 2**20),
            "after_bytes": int(after * 2**20),
            "per_idle_connection_bytes": 912.0 if name == "ringway" else None,
            "slope_bytes_per_hour": 40_000.0 if memory_over_time else None,
        },
        "upstream": {"requests": 60_000, "connections": 64, "handshakes": 0, "invalid": {}},
        "errors": {},
        "fidelity": None,
        "events": [],
    }


def direct(random_, stream=False, seconds=60):
    own = target(random_, ("direct", None, "", 0, 0.9, 0, 0, 0, 0, 0), stream, seconds)
    return own | {"baseline": True, "added": None, "cost": None, "memory": None, "url": "http://127.0.0.1:9000/v1"}


def sweep(random_, one, rps, worst, refused_from=None):
    for step in range(0, 15, 2):
        connections = 2**step
        reached = rps * min(1, connections / 24) * (1 - worst * max(0, step - 5) / 9)
        refused = refused_from is not None and connections >= refused_from
        one["throughput"].append(
            {
                "connections": connections,
                "rps": spread(random_, reached),
                "p50_us": connections / reached * 1e6 * 0.9 + 60,
                "p99_us": connections / reached * 1e6 * 1.9 + 160,
                "cpu_us": spread(random_, 1e6 / rps),
                "target_cores": 0.99 if connections > 8 else 0.6,
                "load_cores": 0.55,
                "errors": 0,
                "probe_us": percentiles(1_100, 1.0, 900),
                "refused": "the load had 0.97 of its core" if refused else None,
            }
        )
    one["sustained"] = {"rps": rps * 0.8, "p99_us": 4_400, "p99_us_bound": 5_000, "ended_by_generator": False}
    return one


def scenario(random_, name, says, targets, **more):
    calibration = {
        "connections": 64,
        "rps": spread(random_, 212_000),
        "headroom": 3.4,
        "load_cpu_us_per_request": 3.1,
    }
    return {
        "name": name,
        "says": says,
        "source": f'name = "{name}"\nrate_per_s = 1000\nseconds = 60\nrepetitions = 5\n\n[body]\nkilobytes = 1\n',
        "not_shown": ["Everything ran on one machine over the loopback interface: no network, no packet loss."],
        "refused": None,
        "calibration": calibration,
        "targets": targets,
    } | more


def results(seed=7):
    random_ = random.Random(seed)
    rows = {row[0]: row for row in TARGETS}

    streams = [direct(random_, True)] + [target(random_, rows[name], True) for name in ("ringway", "nginx", "envoy")]
    for one in streams:
        one["fidelity"] = dict.fromkeys(["lost", "repeated", "out_of_order", "altered"], 0)
        one["fidelity"] |= {"streams": 6_000, "chunks": 306_000}
    streams[3]["fidelity"]["lost"] = 12

    rates = {"ringway": (58_000, 0.03, None), "nginx": (36_000, 0.28, None), "envoy": (12_800, 0.35, 4_096)}
    swept = [sweep(random_, target(random_, rows[name]), *rate) for name, rate in rates.items()]
    for one in swept:
        one |= {"latency": None, "added": None}
    swept.append(sweep(random_, target(random_, rows["litellm"]), 78, 0.5) | {"latency": None, "added": None})
    swept[-1]["throughput"] = swept[-1]["throughput"][:5]
    swept[-1]["failures"] = ["no answer to 1,214 of 2,000 requests within 60 s at 1,024 connections; not tried beyond"]

    events = [{"at_s": 20.0, "says": "upstream a dies"}, {"at_s": 40.0, "says": "upstream a is back"}]
    failing = [direct(random_)] + [
        target(random_, rows["ringway"], outage=(20, 22)) | {"events": events},
        target(random_, rows["nginx"], outage=(20, 34)) | {"events": events, "errors": {"status 502": 311, "reset": 4}},
    ]
    soak = [target(random_, rows["ringway"], seconds=1_200, memory_over_time=True)]
    chat = [direct(random_)] + [target(random_, row) for row in TARGETS]

    return {
        "schema": 1,
        "title": "Ringway beside four others",
        "began": "2026-11-22T03:10:00Z",
        "took_s": 4_312.0,
        "environment": {
            "kernel": "Linux 6.8.0-60-generic x86_64",
            "cpu": "AMD EPYC 7B13",
            "cpus": 2,
            "memory_bytes": 8 * 2**30,
            "pinning": {"load": "1", "simulator": "1", "ringway": "0", "nginx": "0", "envoy": "0"},
            "versions": {"ringway-loadtest": "0.1.0", "ringway": "0.1.0", "nginx": "1.22.1"},
            "command_line": ["ringway-loadtest", "peers", "--scenarios", "chat-small,stream paced"],
            "drivers": {"ringway": "io_uring"},
            "seed": 7,
            "open_files_max": 65_536,
            "other_load_cores": 0.04,
            "other_load_cores_max": 0.31,
            "notes": ["perf counts no kernel instructions in this container: the kernel forbids it."],
        },
        "scenarios": [
            scenario(
                random_, "chat-small", "A short chat request at a steady rate: what does a hop cost each user?", chat
            ),
            scenario(
                random_,
                "stream-paced",
                "Tokens every 20 ms: does the first one, and every one after it, arrive as early as without a gateway?",
                streams,
            ),
            scenario(
                random_,
                "connections-sweep",
                "From one connection to sixteen thousand: is what it does at 32 still there at 8,192?",
                swept,
            ),
            scenario(
                random_,
                "failover",
                "One of two upstreams dies after twenty seconds: who notices?",
                failing,
                not_shown=[
                    "Everything ran on one machine over the loopback interface: no network, no packet loss.",
                    "An upstream that hangs instead of dying: see brown-out.",
                ],
            ),
            scenario(random_, "soak", "Twenty minutes under load: does memory stay where it is?", soak),
            scenario(
                random_,
                "chat-1m",
                "A megabyte of conversation: who copies it, and how often?",
                [],
                refused="the generator reached only 1.4 times the offered rate against the simulator alone; 2 are needed",
            ),
        ],
    }


if __name__ == "__main__":
    json.dump(results(), sys.stdout, indent=1)
