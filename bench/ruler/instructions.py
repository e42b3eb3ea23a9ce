"""Instructions of each step, counted by callgrind, and their comparison with a stored baseline.

Callgrind runs the program on a processor of its own making: the same figures on every machine whose processor has AVX2, busy or
not. What moves them is the code, the compiler, and the C library (copies are its own). Under another compiler or C library than the
baseline's the tolerance is wider, and the comparison says so.
"""

import os
import platform
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import machine

ROOT = Path(__file__).resolve().parents[2]
# Calls per step. Enough that a step which now and then does more shows its mean.
TIMES = 64
# The function that the bench counts in; see its source. The whole name: a pattern would be counted, but not dumped.
COUNTED = "instructions::counted_step"
# Below this nothing can have happened: the compiler has seen through the bench.
INSTRUCTIONS_MIN = 8

TOLERANCE = 0.05
# Another compiler inlines other things.
TOLERANCE_OTHER_TOOLS = 0.20


@dataclass
class Measured:
    """Step to instructions per call, and what the figures depend on beside the code."""

    tools: dict
    steps: dict

    @staticmethod
    def read(path):
        text = tomllib.loads(Path(path).read_text())
        return Measured(text["tools"], text["instructions"])

    def write(self, path):
        tools = "".join(f'{name} = "{value}"\n' for name, value in self.tools.items())
        steps = "".join(f'"{name}" = {count:.1f}\n' for name, count in self.steps.items())
        Path(path).write_text(HEADER + "\n[tools]\n" + tools + "\n[instructions]\n" + steps)


HEADER = """\
# User instructions for one call of each step, as `bench/count --update` found them. `bench/count` compares: more than 5 % above fails. The
# steps are described in steps.rs.
"""


@dataclass
class Finding:
    step: str
    before: float | None
    now: float | None
    tolerance: float

    @property
    def change(self):
        return self.now / self.before - 1 if self.before and self.now is not None else None

    @property
    def verdict(self):
        if self.before is None:
            return "new"
        if self.now is None:
            return "gone"
        if self.change > self.tolerance:
            return "slower"
        return "faster" if self.change < -self.tolerance else ""

    @property
    def fails(self):
        # A step that is not compared any more, or not yet, guards nothing.
        return self.verdict in ("slower", "new", "gone")


def compare(measured, baseline):
    """One finding per step, in the order in which they were measured; then those that are gone."""
    tolerance = TOLERANCE if measured.tools == baseline.tools else TOLERANCE_OTHER_TOOLS
    names = list(dict.fromkeys([*measured.steps, *baseline.steps]))
    return [Finding(name, baseline.steps.get(name), measured.steps.get(name), tolerance) for name in names]


def other_tools(measured, baseline):
    """What is not as it was for the baseline, in words."""
    names = dict.fromkeys([*measured.tools, *baseline.tools])
    return [
        f"{name} {measured.tools.get(name, '-')} instead of {baseline.tools.get(name, '-')}"
        for name in names
        if measured.tools.get(name) != baseline.tools.get(name)
    ]


def table(findings):
    def figure(count):
        return "-" if count is None else f"{count:,.1f}"

    width = max(len(finding.step) for finding in findings)
    lines = [f"{'step':{width}} {'baseline':>13} {'now':>13} {'change':>8}"]
    for finding in findings:
        change = "" if finding.change is None else f"{finding.change:+.1%}"
        line = f"{finding.step:{width}} {figure(finding.before):>13} {figure(finding.now):>13} {change:>8}  {finding.verdict}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def measure(folder):
    """Builds the bench, runs it once under callgrind in `folder`, and returns what each step took."""
    if not shutil.which("valgrind"):
        raise machine.Unavailable("valgrind is missing (Debian: apt install valgrind)")
    program = build()
    # Nothing of the caller's environment: its size moves the stack, and with it how copies are aligned.
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/counted",
            f"--toggle-collect={COUNTED}",
            f"--dump-after={COUNTED}",
            program,
            "all",
            str(TIMES),
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise machine.Unavailable(f"valgrind failed: {done.stderr.strip()[-2000:]}")
    steps = {}
    for number, line in enumerate(done.stdout.splitlines(), 1):
        name, times, vectors = line.split()
        if vectors != "AVX2":
            raise machine.Unavailable("this processor has no AVX2, which the figures are for")
        steps[name] = round(counted(Path(folder) / f"counted.{number}") / int(times), 1)
        if steps[name] < INSTRUCTIONS_MIN:
            raise machine.Unavailable(f"{name} takes {steps[name]} instructions: it is not measured any more")
    if not steps:
        raise machine.Unavailable("the bench ran no step")
    return Measured(tools(), steps)


def build():
    """The bench's program."""
    done = subprocess.run(
        ["cargo", "bench", "--bench", "instructions", "--no-run"], cwd=ROOT, capture_output=True, text=True
    )
    found = re.search(r"Executable .*\((.*)\)", done.stderr)
    if done.returncode != 0 or not found:
        raise machine.Unavailable(f"the bench does not build:\n{done.stderr}")
    return ROOT / found.group(1)


def counted(dump):
    """The instructions of one dump."""
    text = dump.read_text() if dump.exists() else ""
    if f"desc: Trigger: --dump-after={COUNTED}" not in text:
        raise machine.Unavailable(f"{dump.name} is not what a step left behind")
    return int(re.search(r"^totals: (\d+)$", text, re.MULTILINE).group(1))


def tools():
    def version(program):
        return subprocess.run([program, "--version"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    return {
        "rustc": version("rustc").split()[1],
        "valgrind": version("valgrind").strip().removeprefix("valgrind-"),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }
