"""The benchmark keeps working: every row is still measured, and what counts as met is what the table says.

    python3 -m unittest bench/test_run.py        (pytest finds it too)

Measures with windows of a fraction of a second and asserts nothing about time.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from ruler.rows import ROWS  # noqa: E402
from ruler.subjects import DRIVERS  # noqa: E402
from ruler.verdict import MET, NOT_MET, UNRESOLVED, Interval, judge, judge_pairs, ratio_of_added  # noqa: E402


class EveryRow(unittest.TestCase):
    def test_is_measured_or_says_why_not(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "smoke.json"
            done = subprocess.run(
                [HERE / "run", "--smoke", "--json", path], capture_output=True, text=True, timeout=600
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(path.read_text())
        self.assertEqual(list(found["rows"]), [row.name for row in ROWS])
        self.assertEqual(found["failures"], [], "requests that failed")
        # io_uring may be forbidden here, perf and nginx may be missing; epoll and memory need none of them.
        self.assertNotIn("skipped", found["rows"]["memory-idle"]["drivers"]["epoll"])
        measured = 0
        for name, row in found["rows"].items():
            self.assertEqual(list(row["drivers"]), list(DRIVERS), name)
            for result in row["drivers"].values():
                if "skipped" in result:
                    self.assertTrue(result["skipped"], name)
                    continue
                measured += 1
                self.assertEqual(result["must"] is None, row["must"] is None, name)
                self.assertIn(f"`{name}`", done.stdout)
        self.assertGreater(measured, 0)


class Verdict(unittest.TestCase):
    def test_depends_on_the_whole_interval(self):
        for low, high, expected in [
            (0.5, 0.8, MET),
            (0.9, 1.1, NOT_MET),
            (0.7, 0.9, UNRESOLVED),
            (0.81, 0.81, NOT_MET),
        ]:
            self.assertEqual(judge(Interval((low + high) / 2, low, high), 0.8), expected, (low, high))

    def test_of_a_lower_bound_is_the_mirror_image(self):
        for low, high, expected in [(0.9, 1.0, MET), (0.5, 0.8, NOT_MET), (0.8, 0.9, UNRESOLVED), (0.85, 0.85, MET)]:
            self.assertEqual(judge(Interval((low + high) / 2, low, high), 0.85, at_most=False), expected, (low, high))

    def test_is_none_without_a_bound(self):
        self.assertIsNone(judge(Interval(1, 1, 1), None))

    def test_of_few_pairs_is_open(self):
        self.assertEqual(judge_pairs(Interval(0.1, 0.1, 0.1), 1.0, 9), UNRESOLVED)
        self.assertEqual(judge_pairs(Interval(0.1, 0.1, 0.1), 1.0, 10), MET)


class AddedLatency(unittest.TestCase):
    def test_is_what_a_relay_adds_to_the_direct_way(self):
        interval = ratio_of_added([(10, 30, 20)] * 10)
        self.assertEqual(interval, Interval(0.5, 0.5, 0.5))

    def test_interval_covers_the_spread_and_one_bad_second_does_not_decide(self):
        pairs = [(10, 30, 18), (10, 30, 22)] * 5
        interval = ratio_of_added(pairs)
        self.assertEqual((interval.low, interval.high), (0.4, 0.6))
        disturbed = ratio_of_added([*[(10, 30, 20)] * 11, (10, 30, 9_000)])
        self.assertEqual(disturbed, Interval(0.5, 0.5, 0.5))

    def test_is_not_moved_by_a_machine_that_changes_its_speed(self):
        interval = ratio_of_added([(10, 30, 20)] * 6 + [(30, 90, 60)] * 6)
        self.assertEqual(interval, Interval(0.5, 0.5, 0.5))

    def test_of_a_peer_that_adds_nothing_excludes_no_bound_above(self):
        self.assertEqual(ratio_of_added([(10, 10, 20)] * 10).high, float("inf"))


if __name__ == "__main__":
    unittest.main()
