"""Everything at once for a while: what grows, leaks or is lost shows in the figures at the end.

`RINGWAY_SOAK_S` is how long, in seconds: 600 by default. Memory and descriptors are compared by the medians of thirds of what was
sampled after a warm-up, so that a single burst does not decide. What is resident settles in the first two minutes, some 5 MiB above where
it began, the more the busier the machine is: runs of less than four minutes show it and do not judge it.
"""

import contextlib
import json
import os
import statistics
import time

import pytest

from harness.waiting import wait_for
from peers.endurance.load import Load, Repeated, fails, leaves

SOAK_S = int(os.environ.get("RINGWAY_SOAK_S", "600"))
WARM_UP_S = max(5, SOAK_S // 5)
EVERY_S = 1.0
RELOAD_EVERY_S = 4.0

# What may be left of growth between the first and the last third: allocators and page caches settle late.
GROWTH_BYTES_MAX = 4 << 20
GROWTH_DESCRIPTORS_MAX = 8
JUDGED_FROM_S = 240

GOOD = "[latency]\nttft_ms = 2.0\ngap_ms = { median_ms = 2.0, sigma = 0.5 }\n"
# Every fault that may be tried elsewhere, and shutdowns of connections by which nothing is lost.
ILL = (
    GOOD
    + """
[[rule]]
match = { share = 0.1 }
fault = "status:503"
[[rule]]
match = { share = 0.02 }
fault = "first_event_error"
[[rule]]
match = { share = 0.02 }
fault = "%s"
"""
)
BROKEN = ["reset_after:2", "close_after:3", "eof_after:2", "error_after:2", "bad_event_after:1", "reset", "status:500"]


class Log:
    """The access log, moved away whenever it is opened anew: what is counted is deleted, and disks stay small. Lines of failures that no
    script asked for are kept, to be shown when the soak fails."""

    def __init__(self, gateway):
        self.path = gateway.folder / "access.log"
        self.moved = gateway.folder / "access.log.1"
        self.lines = 0
        self.failures = []

    def move(self):
        self.path.rename(self.moved)

    def count(self, path):
        with contextlib.suppress(FileNotFoundError):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    assert line.endswith("\n"), f"cut: {line}"
                    entry = json.loads(line)
                    self.lines += 1
                    if (entry["status"] or 0) >= 400 and entry["model"] != "broken/*" and len(self.failures) < 100:
                        self.failures.append(line)
            path.unlink()


def thirds(samples):
    """Medians of the first and of the last third."""
    third = len(samples) // 3
    return statistics.median(samples[:third]), statistics.median(samples[-third:])


@pytest.mark.timeout(SOAK_S + 300)
def test_soak(ringway, simulate, tmp_path):
    good, http2 = simulate("good", script=GOOD), simulate("http2", script=ILL % "goaway", tls=True, http2=True)
    ill, broken = simulate("ill", script=ILL % "close_quietly"), simulate("broken", script=GOOD)
    endless = simulate("endless", script="[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n")
    models = {
        "whole": ["good/m"],
        "ill": ["ill/m", "http2/m", "good/m"],
        "http2": ["http2/m", "good/m"],
        "endless": ["endless/m"],
        "broken/*": ["broken/*"],
    }
    providers = {"good": good, "http2": http2, "ill": ill, "broken": broken, "endless": endless}
    gateway = ringway(providers=providers, models=models, shards=2)
    log = Log(gateway)
    offered_s = SOAK_S - 2
    loads = {
        "whole": Load(tmp_path / "l1", gateway, "open", "whole", offered_s, 32, "--rate", 200, "--arrivals", "poisson"),
        "streams": Load(tmp_path / "l2", gateway, "closed", "whole", offered_s, 8, "--stream"),
        "failing over": Load(tmp_path / "l3", gateway, "open", "ill", offered_s, 32, "--rate", 50),
        "http2": Load(tmp_path / "l4", gateway, "open", "http2", offered_s, 32, "--rate", 50, "--stream"),
        "large": Load(tmp_path / "l5", gateway, "open", "whole", offered_s, 4, "--rate", 2, "--body-kb", 1000),
    }
    left = Repeated(4, 1, leaves(gateway, "endless"))
    broke = [Repeated(1, 2, fails(gateway, "broken", fault)) for fault in BROKEN]

    resident, descriptors, reloads = [], [], 0
    began = reloaded = time.monotonic()
    while (now := time.monotonic()) < began + SOAK_S:
        if now >= reloaded + RELOAD_EVERY_S:
            reloaded = now
            # A model comes and goes, and the configuration of a deployment in use with it.
            gateway.config.models[f"spare-{reloads}"] = ["good/m", "ill/m"]
            gateway.config.models.pop(f"spare-{reloads - 2}", None)
            gateway.write_config()
            log.move()
            assert gateway.reload(), gateway.child.stderr[-2000:]
            reloads += 1
            wait_for("the log is opened anew", log.path.exists)
            log.count(log.moved)
        if now >= began + WARM_UP_S:
            resident.append(gateway.resident_bytes())
            descriptors.append(gateway.descriptors())
        time.sleep(EVERY_S)

    figures = {name: load.finish() for name, load in loads.items()}
    gone = left.finish()
    failed = sum(each.finish() for each in broke)
    for simulator in providers.values():
        simulator.wait("nothing runs there any more", lambda stats: stats.in_flight == 0)
    gateway.wait_metric("ringway_in_flight", lambda value: value == 0)
    gateway.wait_metric("ringway_body_held_bytes", lambda value: value == 0)

    summary = {name: (figure["requests"], figure["errors"], figure["dropped"]) for name, figure in figures.items()}
    (low, high), (few, many) = thirds(resident), thirds(descriptors)
    print(f"\n{SOAK_S} s, {reloads} reloads, {gone} clients left, {failed} scripted failures; {summary}")
    course = [
        statistics.median(resident[at : at + len(resident) // 10])
        for at in range(0, len(resident), len(resident) // 10)
    ]
    print("resident over time:", " ".join(f"{bytes_ / 1048576:.1f}" for bytes_ in course), "MiB")
    print(f"resident {low / 1048576:.1f} -> {high / 1048576:.1f} MiB, descriptors {few} -> {many}")
    # Every exchange is in the log, but for those that were dropped and counted as that.
    answers = gateway.metric("ringway_requests_total")
    lost = gateway.metric("ringway_access_log_dropped_total") + gateway.metric("ringway_access_log_lines_lost_total")
    gateway.wait_metric("ringway_access_log_lines_total", lambda value: value + lost >= answers)
    log.count(log.path)
    print("".join(log.failures), end="")
    for name, figure in figures.items():
        assert figure["requests"] > 0 and figure["errors"] == {}, (name, figure["errors"])
    assert gone > 0 and failed > 0 and reloads > 0
    if SOAK_S >= JUDGED_FROM_S:
        assert high - low <= GROWTH_BYTES_MAX, (low, high)
        assert many - few <= GROWTH_DESCRIPTORS_MAX, (few, many)
    assert "panicked" not in gateway.child.stderr
    assert log.lines + lost == answers, (log.lines, lost, answers)
