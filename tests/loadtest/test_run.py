"""`quick` and `run` as a user starts them, in short.

    python3 -m unittest tests/loadtest/test_run.py        (tests/run loadtest_run builds first)

Windows are a fraction of a second, so nothing is asserted about how long anything took.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
LOADTEST, RINGWAY = BINARIES / "ringway-loadtest", BINARIES / "ringway"

SMALL = 'name = "small"\nsays = "A few requests."\n[[load]]\nname = "chat"\nconnections = 4\n'
LATENCY = "[latency]\nrate = 200\nwindow_s = 0.05\nwarmup_s = 0\n"
THROUGHPUT = "[throughput]\nconnections = [4]\nwindow_s = 0.1\nwarmup_s = 0\n"


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_it(self, *arguments, status=0):
        """The results, and what was printed."""
        out = self.folder / "report"
        done = subprocess.run(
            [LOADTEST, *map(str, arguments), "--out", out], capture_output=True, text=True, timeout=300
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads((out / "results.json").read_text()), done.stdout

    def scenario(self, text):
        path = self.folder / "scenario.toml"
        path.write_text(text)
        return path

    def simulator(self, *arguments):
        """Endpoint and process of a simulator that runs apart."""
        process = subprocess.Popen([LOADTEST, "sim", "--json", *arguments], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return json.loads(process.stdout.readline())["endpoint"], process.pid

    def test_quick_measures_ringway_against_the_direct_path(self):
        results, printed = self.run_it("quick", "--ringway", RINGWAY, "--seconds", 30)
        chat, stream = results["scenarios"]
        self.assertEqual((chat["name"], stream["name"]), ("quick", "quick-stream"))
        for scenario in (chat, stream):
            self.assertIsNone(scenario["refused"])
            self.assertGreaterEqual(scenario["calibration"]["headroom"], 2)
            self.assertEqual(len(scenario["calibration"]["rps"]["runs"]), 5)
            direct, ringway = scenario["targets"]
            self.assertTrue(direct["baseline"] and not ringway["baseline"])
            self.assertEqual((direct["failures"], ringway["failures"], ringway["errors"]), ([], [], {}))
            self.assertEqual(ringway["added"]["p50_us"]["blocks"], 20)
            self.assertEqual(ringway["latency"]["requests"], direct["latency"]["requests"], "the same arrivals")
            self.assertGreater(ringway["latency"]["requests"], 100)
            self.assertTrue(ringway["latency"]["curve"] and ringway["latency"]["over_time"])
        measured = chat["targets"][1]
        self.assertEqual(len(measured["cost"]["user_us"]["runs"]), 5)
        (point,) = measured["throughput"]
        self.assertEqual(len(point["rps"]["runs"]), 5)
        self.assertGreater(point["probe_us"]["count"], 0)
        self.assertGreater(measured["memory"]["idle_bytes"], 1 << 20)
        self.assertGreater(measured["upstream"]["requests"], 100)
        fidelity = stream["targets"][1]["fidelity"]
        self.assertEqual(fidelity["streams"], stream["targets"][1]["latency"]["requests"])
        faults = [fidelity[kind] for kind in ("lost", "repeated", "out_of_order", "altered")]
        self.assertEqual(faults, [0, 0, 0, 0])
        self.assertIsNotNone(stream["targets"][1]["added"]["ttft_p50_us"])

        environment = results["environment"]
        if os.cpu_count() > 1:
            self.assertNotEqual(environment["pinning"]["ringway"], environment["pinning"]["load"])
        self.assertIn(environment["drivers"]["ringway"], ("io_uring", "epoll"))
        self.assertIn("ringway", environment["versions"]["ringway"])
        self.assertIn("added p50", printed)
        for scenario in (chat, stream):
            self.assertTrue(0 < scenario["planned_s"] <= 30)
            self.assertTrue(any(says.startswith("latency: shortened to 20 blocks") for says in scenario["shortened"]))
            self.assertEqual(scenario["left_out"], [])
        self.assertIn("latency: shortened", printed)
        files = {path.name for path in (self.folder / "report").iterdir()}
        self.assertLessEqual({"report.html", "report.md", "results.json"}, files)
        self.assertTrue(any(name.endswith(".hlog") for name in files))
        self.assertTrue(any(name.endswith(".hgrm") for name in files))

    def test_any_endpoints_are_measured_side_by_side(self):
        provider, _ = self.simulator("--script", self.write("slow.toml", "require_key = 'sk-1'"))
        other, pid = self.simulator("--fast")
        results, _ = self.run_it(
            "run",
            self.scenario(SMALL + LATENCY + THROUGHPUT),
            *("--target", f"ours={provider}", "--target", other, "--baseline", other),
            *("--key", "ours=sk-1", "--pid", f"target 2={pid}"),
        )
        (scenario,) = results["scenarios"]
        self.assertEqual([target["name"] for target in scenario["targets"]], ["direct", "ours", "target 2"])
        ours, second = scenario["targets"][1:]
        self.assertEqual((ours["errors"], ours["failures"]), ({}, []))
        self.assertIsNotNone(ours["added"])
        self.assertIn("--pid", ours["throughput"][0]["refused"])
        self.assertGreater(second["throughput"][0]["target_cores"], 0)
        self.assertNotIn("sk-1", json.dumps(results))

    def test_a_target_that_is_never_busy_has_no_throughput(self):
        slow, pid = self.simulator("--script", self.write("slow.toml", "latency = { ttft_ms = 20 }"))
        results, printed = self.run_it(
            "run", self.scenario(SMALL + THROUGHPUT), "--target", f"slow={slow}", "--pid", pid
        )
        (point,) = results["scenarios"][0]["targets"][0]["throughput"]
        self.assertIn("something else was the limit", point["refused"])
        self.assertIn("not reported", printed)

    def test_a_rate_beyond_the_generator_is_refused(self):
        text = SMALL + LATENCY.replace("rate = 200", "rate = 9000000")
        results, printed = self.run_it("run", self.scenario(text), "--ringway", RINGWAY, status=1)
        (scenario,) = results["scenarios"]
        self.assertIn("lower the rate", scenario["refused"])
        self.assertLess(scenario["calibration"]["headroom"], 2)
        self.assertEqual(scenario["targets"], [])
        self.assertIn("REFUSED", printed)

    def test_what_does_not_start_is_listed_with_its_failure(self):
        broken = self.write("broken", "#!/bin/sh\necho no licence >&2\nexit 3\n")
        broken.chmod(0o755)
        results, printed = self.run_it("run", self.scenario(SMALL + LATENCY), "--ringway", broken, status=1)
        failed = results["scenarios"][0]["targets"][-1]
        self.assertEqual(failed["name"], "ringway")
        self.assertIn("no licence", " ".join(failed["failures"]))
        self.assertIn("FAILED", printed)

    def test_events_happen_on_the_time_axis(self):
        results, _ = self.run_it("run", "failover", "--ringway", RINGWAY, "--seconds", 8)
        (ringway,) = results["scenarios"][0]["targets"]
        self.assertEqual(len(ringway["events"]), 2)
        self.assertGreater(ringway["latency"]["requests"], 300)
        self.assertGreater(ringway["upstream"]["requests"], 300)
        self.assertTrue(all(piece["resident_bytes"] for piece in ringway["latency"]["over_time"][:-1]))

    def peer(self, name, program):
        """A folder that describes a peer: a simulator that passes for a gateway."""
        # In its own place, so that it ends with what was started.
        script = (
            f"import os, sys\nprogram = {str(LOADTEST)!r}\n"
            "os.execv(program, [program, 'sim', '--fast', '--listen', '127.0.0.1:' + sys.argv[1]])\n"
        )
        setup = 'says = "as it comes"\nupstream = "http"\ncommand = ["{program}", "{folder}/run.py", "{port}"]\n'
        folder = self.folder / "peers" / name
        folder.mkdir(parents=True)
        (folder / "stand_in.py").write_text(script)
        (folder / "peer.toml").write_text(
            f'name = "{name}"\nsays = "A stand-in."\nkind = "proxy"\ninstall = []\nprogram = "{program}"\n'
            'version = ["{program}", "--version"]\nnot_shown = ["It stands before nothing."]\n'
            '[ready]\npath = "/v1/models"\nseconds = 20\n'
            + "".join(
                f'[setups.{each}]\n{setup}files = {{ "run.py" = "stand_in.py" }}\n' for each in ("default", "tuned")
            )
        )
        return folder

    def test_a_peer_is_a_folder(self):
        folder = self.peer("stand-in", "python3")
        results, _ = self.run_it("run", self.scenario(SMALL + LATENCY), "--target", f"peer:{folder}@default")
        peer = results["scenarios"][0]["targets"][1]
        self.assertEqual((peer["name"], peer["failures"], peer["errors"]), ("stand-in", [], {}))
        self.assertRegex(peer["version"], r"^3\.\d+\.\d+$")
        self.assertEqual(peer["setup"], "default: as it comes")
        self.assertIsNotNone(peer["added"])

    def test_peers_are_measured_beside_ringway_and_what_is_missing_is_said(self):
        self.peer("stand-in", "python3")
        self.peer("not-here", "a-program-that-nobody-has")
        results, _ = self.run_it(
            "peers", self.scenario(SMALL + LATENCY), "--peers", self.folder / "peers", "--ringway", RINGWAY,
            "--setup", "default", "--setup", "tuned"
        )  # fmt: skip
        (scenario,) = results["scenarios"]
        names = [target["name"] for target in scenario["targets"]]
        self.assertEqual(names, ["direct", "ringway", "stand-in default", "stand-in tuned"])
        self.assertTrue(all(target["added"] for target in scenario["targets"][1:]))
        self.assertIn("not-here is not installed, and was left out.", results["environment"]["notes"])
        self.assertIn("stand-in: It stands before nothing.", scenario["not_shown"])

    def test_targets_end_with_the_run_that_started_them(self):
        running = subprocess.Popen(
            [LOADTEST, "run", "soak", "--ringway", RINGWAY, "--out", self.folder / "report"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
            until = time.monotonic() + 60
            started = None
            while started is None and time.monotonic() < until and running.poll() is None:
                commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in children.read_text().split()}
                started = next((pid for pid, path in commands.items() if b"serve" in path.read_bytes()), None)
                time.sleep(0.02)
            self.assertIsNotNone(started, "it starts a gateway")
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()
        until = time.monotonic() + 20
        while Path(f"/proc/{started}/exe").exists() and time.monotonic() < until:
            time.sleep(0.02)
        self.assertFalse(Path(f"/proc/{started}/exe").exists(), "it ended too")

    def test_a_run_that_is_stopped_ends_its_targets_and_leaves_what_was_measured(self):
        # Two scenarios: the first ends by itself, the second is stopped within a window of a minute.
        second = self.write("second.toml", SMALL.replace("small", "second") + "[soak]\nrate = 50\nseconds = 60\n")
        temporary = self.folder / "tmp"
        temporary.mkdir()
        out = self.folder / "report"
        workers = self.write("workers", f'#!/bin/sh\n[ $1 = serve ] && sleep 1000 &\nexec {RINGWAY} "$@"\n')
        workers.chmod(0o755)
        running = subprocess.Popen(
            [LOADTEST, "run", self.scenario(SMALL + LATENCY), second, "--ringway", workers, "--out", out],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        said = []
        for line in running.stderr:
            said.append(line)
            if "soak of ringway" in line:
                break
        self.assertEqual(
            [each["name"] for each in json.loads((out / "results.json").read_text())["scenarios"]],
            ["small"],
            "written after each scenario: " + "".join(said),
        )
        sessions = [int(stat_of(pid)[3]) for pid in children_of(running.pid)]
        self.assertTrue(sessions)
        running.send_signal(signal.SIGINT)
        printed, more = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 1, more)
        self.assertIn("the run was stopped", more)
        first, second = json.loads((out / "results.json").read_text())["scenarios"]
        self.assertIsNotNone(first["targets"][1]["added"])
        (ringway,) = second["targets"]
        self.assertTrue(any("stopped" in failure for failure in ringway["failures"]), ringway["failures"])
        self.assertTrue(ringway["latency"] is None or ringway["latency"]["requests"] < 60 * 50)
        self.assertIn("small", printed)
        self.assertEqual(list(temporary.iterdir()), [], "nothing is left in the temporary folder")
        left = [pid for pid in all_processes() if int(stat_of(pid)[3]) in sessions and stat_of(pid)[0] != "Z"]
        self.assertEqual(left, [])

    def test_a_plan_is_printed_and_nothing_is_started(self):
        out = self.folder / "report"
        done = subprocess.run(
            [LOADTEST, "run", "chat-small", "soak", "--ringway", RINGWAY, "--seconds", "20", "--plan", "--out", out],
            capture_output=True,
            text=True,
            timeout=20,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(out.exists())
        self.assertRegex(done.stdout, r"(?m)^plan: chat-small: (19|20) s, (19|20) s for each of 1: ringway$")
        self.assertRegex(done.stdout, r"(?m)^ +sustained rate: not enough time; it takes at least")
        self.assertRegex(done.stdout, r"(?m)^ +soak: shortened to \d+\.\d s, from 1200\.0 s$")

    def test_no_time_for_anything_is_an_error_and_starts_nothing(self):
        results, printed = self.run_it("run", "chat-small", "--ringway", "/bin/false", "--seconds", 1, status=1)
        (scenario,) = results["scenarios"]
        self.assertIn("Not enough time", scenario["refused"])
        self.assertEqual(scenario["targets"], [])
        self.assertIn("not enough time", printed)

    def test_who_does_not_keep_up_is_listed_and_the_others_are_measured(self):
        slow, _ = self.simulator("--script", self.write("slow.toml", "latency = { ttft_ms = 100 }"))
        fast, _ = self.simulator("--fast")
        results, printed = self.run_it(
            "run",
            self.scenario(SMALL + LATENCY + THROUGHPUT),
            *("--target", f"slow={slow}", "--target", f"fast={fast}", "--baseline", fast),
        )
        _, first, second = results["scenarios"][0]["targets"]
        self.assertEqual((first["name"], first["added"], first["latency"]), ("slow", None, None))
        self.assertIn("does not keep up with 200 requests/s", " ".join(first["failures"]))
        self.assertTrue(first["throughput"], "the other measures were taken")
        self.assertIsNotNone(second["added"])
        self.assertEqual(second["failures"], [])
        self.assertIn("does not keep up", printed)

    def test_mistakes_are_said_before_anything_runs(self):
        for arguments, expected in [
            (["run", "no-such"], "chat-small"),
            (["run", "chat-small", "--ringway", "/no/such"], "/no/such"),
            (["run", "chat-small", "--target", "a=ringway", "--target", "a=http://h"], "two targets"),
            (["run"], "SCENARIO"),
        ]:
            done = subprocess.run([LOADTEST, *arguments], capture_output=True, text=True, timeout=20, cwd=self.folder)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(expected, done.stderr)
        listed = subprocess.run([LOADTEST, "run", "--list"], capture_output=True, text=True, timeout=20)
        self.assertIn("head-of-line", listed.stdout)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


def all_processes():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def stat_of(pid):
    """Of /proc: state, parent, group, session. Nothing of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return ["Z", "0", "0", "0"]


def children_of(pid):
    return [child for child in all_processes() if stat_of(child)[1] == str(pid)]


if __name__ == "__main__":
    unittest.main()
