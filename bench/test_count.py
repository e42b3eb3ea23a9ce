"""What `bench/count` says about figures, without counting any.

python3 -m unittest bench/test_count.py        (pytest finds it too)
"""

import dataclasses
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from ruler.instructions import Measured, compare  # noqa: E402

TOOLS = {"rustc": "1.95.0", "libc": "glibc 2.36"}


def verdicts(now, before, tools=TOOLS):
    return {finding.step: finding.verdict for finding in compare(Measured(tools, now), Measured(TOOLS, before))}


class Comparison(unittest.TestCase):
    def test_names_what_takes_more_than_a_twentieth_more(self):
        now = {"scan": 1051, "plan": 1049, "admit": 1000, "settle": 940}
        self.assertEqual(
            verdicts(now, dict.fromkeys(now, 1000)), {"scan": "slower", "plan": "", "admit": "", "settle": "faster"}
        )

    def test_lets_more_pass_under_another_compiler(self):
        other = {**TOOLS, "rustc": "1.96.0"}
        now = {"scan": 1190, "plan": 1210}
        self.assertEqual(verdicts(now, dict.fromkeys(now, 1000), other), {"scan": "", "plan": "slower"})

    def test_holds_steps_without_a_partner_against_the_code(self):
        findings = compare(Measured(TOOLS, {"scan": 1}), Measured(TOOLS, {"plan": 1}))
        self.assertEqual([(finding.step, finding.verdict) for finding in findings], [("scan", "new"), ("plan", "gone")])
        self.assertTrue(all(finding.fails for finding in findings))


class Command(unittest.TestCase):
    """The shipped baseline, measured against doctored copies of itself."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.shipped = Measured.read(HERE / "instructions.toml")

    def count(self, baseline, *options):
        (self.folder / "measured.toml").write_text((HERE / "instructions.toml").read_text())
        baseline.write(self.folder / "baseline.toml")
        command = [
            HERE / "count",
            "--measured",
            self.folder / "measured.toml",
            "--baseline",
            self.folder / "baseline.toml",
        ]
        return subprocess.run([*command, *options], capture_output=True, text=True)

    def test_passes_against_what_was_measured(self):
        done = self.count(self.shipped)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_fails_with_the_name_of_each_step_that_was_faster_before(self):
        for step in self.shipped.steps:
            doctored = dataclasses.replace(
                self.shipped, steps={**self.shipped.steps, step: self.shipped.steps[step] / 1.1}
            )
            done = self.count(doctored)
            self.assertEqual(done.returncode, 1, step)
            self.assertEqual(done.stderr.count("FAILED"), 1)
            self.assertIn(f"FAILED: {step} takes ", done.stderr)

    def test_says_that_another_compiler_was_used(self):
        done = self.count(dataclasses.replace(self.shipped, tools={**self.shipped.tools, "rustc": "1.0.0"}))
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"rustc {self.shipped.tools['rustc']} instead of 1.0.0", done.stdout)

    def test_update_writes_what_was_measured(self):
        doctored = dataclasses.replace(self.shipped, steps={"scan-1k": 1.0})
        self.assertEqual(self.count(doctored, "--update").returncode, 0)
        self.assertEqual(Measured.read(self.folder / "baseline.toml"), self.shipped)


if __name__ == "__main__":
    unittest.main()
