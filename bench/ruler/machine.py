"""The machine: what it is, starting processes on one CPU of it, and ending them.

Two cores suffice: what is measured has `GATEWAY_CPU` to itself, everything that offers it work runs on `LOAD_CPU`. Processes get the highest
priority that the system grants, as a session of their own (the scheduler weighs sessions first, so niceness alone would do nothing).
Children end with this process, however it ends; only children are ever signalled, by their ids.
"""

import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

LOAD_CPU = 0
GATEWAY_CPU = 1
OPEN_FILES = 65_536
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class Unavailable(Exception):
    """Something that a measurement needs is not there. The text says what, and what to do."""


class Children:
    """Processes that were started here, and a folder for their files. Everything goes with the `with` block."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ringway-bench-"))
        self.started = []
        return self

    def __exit__(self, *_):
        for child in reversed(self.started):
            end(child)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, cpu, log, in_child=lambda: None, **options):
        """Starts a process whose standard error goes to the file `log` in the folder. `in_child` runs in it first."""
        with open(self.folder / log, "ab") as stderr:
            child = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                text=True,
                preexec_fn=lambda: (prepare(cpu), in_child()),
                **options,
            )
        self.started = [other for other in self.started if other.poll() is None] + [child]
        return child


def prepare(cpu):
    """Runs in the child, before its program."""
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.sched_setaffinity(0, {cpu})
    raise_priority()
    raise_open_files()


def stay_on_load_cpu():
    """Keeps this very process away from what is measured, and lets it read the meters when it means to.

    It sleeps nearly always; waiting for its turn behind the load would blur both ends of each window.
    """
    if (os.cpu_count() or 1) <= GATEWAY_CPU:
        raise Unavailable("two CPUs are needed: one for the gateway, one for the load")
    os.sched_setaffinity(0, {LOAD_CPU})
    raise_open_files()
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(2))


def raise_priority():
    """Best effort: without the right to it, figures are noisier and the report says so."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
        Path("/proc/self/autogroup").write_text("-20")
    except OSError:
        pass


@contextlib.contextmanager
def realtime(pids):
    """Lets these processes run the moment they are woken, as they would on a machine of their own.

    For loads far below saturation only: the kernel holds real-time work back when it takes a whole core. Best effort.
    """
    set_policy(pids, os.SCHED_RR, 1)
    try:
        yield
    finally:
        set_policy(pids, os.SCHED_OTHER, 0)


def set_policy(pids, policy, priority):
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), policy, os.sched_param(priority))
        except OSError:
            pass


def raise_open_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(hard, OPEN_FILES), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return
        except (OSError, ValueError):
            continue


def end(child):
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def await_line(path, child, pattern, seconds=30):
    """The first match of `pattern` in a file that `child` writes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = re.search(pattern, path.read_text(errors="replace"))
        if found:
            return found
        if child.poll() is not None:
            break
        time.sleep(0.01)
    raise Unavailable(f"{Path(child.args[0]).name} did not start: {path.read_text(errors='replace').strip()[-500:]}")


def tree(pid):
    """`pid` and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(entry)
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, open_ = [], [pid]
    while open_:
        found.append(open_.pop())
        open_.extend(children.get(found[-1], []))
    return found


def stat_fields(pid):
    """/proc/PID/stat from the state on; empty when the process has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def cpu_s(pid):
    """CPU time of a process tree, user and kernel.

    By nanoseconds where the kernel keeps them by thread, so that a mostly idle process can be measured in seconds; else by ticks of 10 ms.
    """
    total = 0.0
    for member in tree(pid):
        try:
            threads = list(Path(f"/proc/{member}/task").iterdir())
            total += sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
        except (OSError, IndexError):
            fields = stat_fields(member)
            total += (int(fields[11]) + int(fields[12])) / TICKS_PER_S if fields else 0.0
    return total


def busy_s():
    """CPU time of everything on the machine, and what its host took away from it."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[0:3]) + sum(fields[5:8])) / TICKS_PER_S


def resident_kib(pid):
    """Resident set of a process tree, and the part of it that is its own."""
    totals = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for member in tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split(":", 1)
            if name in totals:
                totals[name] += int(value.split()[0])
    return totals["Rss"], totals["Private_Clean"] + totals["Private_Dirty"]


def describe(binary):
    """What a reader needs to judge the figures. No host name, no path."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return {
        "kernel": os.uname().release.split("-")[0],
        "architecture": os.uname().machine,
        "cpu": cpu.group(1).strip() if cpu else "unknown",
        "cpus": os.cpu_count(),
        "ringway": first_line([binary, "--version"]),
        "nginx": first_line(["nginx", "-v"]),
        "perf": first_line(["perf", "--version"]),
        "commit": first_line(["git", "-C", Path(__file__).parent, "rev-parse", "--short=12", "HEAD"]),
    }


def first_line(command):
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines and done.returncode == 0 else None
