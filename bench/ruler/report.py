"""A run as JSON for programs and as Markdown for people."""

import math
from dataclasses import asdict

from . import subjects
from .bench import environment, middle


def as_json(bench, rows, results):
    return {
        "preset": bench.preset.name,
        "environment": environment(bench),
        "rows": {
            row.name: {
                "work": row.work,
                "must": row.must,
                "goal": row.goal,
                "unit": row.unit,
                "at_most": row.at_most,
                "drivers": {
                    driver: {"skipped": result} if isinstance(result, str) else plain(result)
                    for driver, result in results[row.name].items()
                },
            }
            for row in rows
        },
        "measurements": [
            {"subject": name, "load": vars(load), "unit": load.unit, "rounds": rounds}
            for name, load, rounds in loads(bench)
        ],
        "latencies": {key[2]: found for key, found in bench.measured.items() if key[0] == "latencies"},
        "unavailable": bench.unavailable,
        "failures": bench.failures,
    }


def plain(result):
    """A result as JSON can say it: an interval without an upper end has none."""
    found = asdict(result)
    found["interval"] = {end: None if math.isinf(value) else value for end, value in found["interval"].items()}
    return found


def markdown(bench, rows, results):
    lines = [*about(environment(bench), bench.preset), "", *table(rows, results), "", *counts(bench), *failures(bench)]
    return "\n".join(lines) + "\n"


def about(found, preset):
    foreign = found["foreign_cores_median"]
    yield (
        f"{found['measured_at']}, preset `{preset.name}`, commit {found['commit'] or 'unknown'}, {found['ringway']}; {found['cpu']}, "
        f"{found['cpus']} CPUs, Linux {found['kernel']} {found['architecture']}; {found['nginx'] or 'no nginx'}; "
        f"{found['perf'] or 'no perf'}."
    )
    if foreign is not None:
        yield (
            f"Other work on the machine took {foreign:.2f} cores (median of the windows, at most "
            f"{found['foreign_cores_max']:.2f})."
        )


def table(rows, results):
    yield "| Work | Driver | Ringway | Compared with | Result | Must | | Goal | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        for driver in subjects.DRIVERS:
            result = results[row.name][driver]
            work = f"`{row.name}`: {row.work}" if driver == subjects.DRIVERS[0] else ""
            if isinstance(result, str):
                yield f"| {work} | {driver} | not measured: {' '.join(result.split())} | | | | | | |"
                continue
            theirs = "" if result.theirs is None else number(result.theirs)
            yield (
                f"| {work} | {driver} | {number(result.ours)} {result.of} | {theirs} | {shown(result.interval, row.unit)} | "
                f"{bound(row, row.must)} | {result.must or ''} | {bound(row, row.goal)} | {result.goal or ''} |"
            )


def shown(interval, unit):
    if interval.low == interval.high:
        return f"{number(interval.value)} {unit}"
    return f"{interval.value:.2f} {unit} ({interval.low:.2f} to {interval.high:.2f})"


def bound(row, value):
    return "" if value is None else f"{'<=' if row.at_most else '>='} {value:g} {row.unit}"


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def counts(bench):
    """Every load, for reading beside the table: where the instructions go, and how busy the gateway's core was."""
    yield "| Load | Subject | Instructions, user + kernel | CPU us | Each | Requests/s | Cores |"
    yield "|---|---|---|---|---|---|---|"
    for name, load, rounds in loads(bench):
        what = f"{load.route}, {load.connections} connections, {load.body_kb:g} KB"
        if load.streams_per_s:
            what = f"{load.route}, {load.streams_per_s} streams/s"
        else:
            what += ", streams" if load.stream else ""
            what += ", in turn" if load.beside else ""
        user, kernel = middle(rounds, "instructions_user"), middle(rounds, "instructions_kernel")
        instructions = f"{number(user)} + {number(kernel)}" if user is not None else ""
        cpu = number(middle(rounds, "cpu_us")) if name != "direct" else ""
        cores = f"{middle(rounds, 'cores'):.2f}" if name != "direct" else ""
        yield f"| {what} | {name} | {instructions} | {cpu} | {load.unit} | {number(middle(rounds, 'rps'))} | {cores} |"
    yield ""
    for key, found in bench.measured.items():
        if key[0] == "memory":
            yield (
                f"Memory on {key[1]}: {found['idle_mib']:.1f} MiB idle ({found['idle_private_mib']:.1f} private), "
                f"{found['crowded_mib']:.1f} with {found['idle_connections']:,} idle connections, "
                f"{found['loaded_mib']:.1f} after those and a load of 64."
            )


def loads(bench):
    for key, rounds in bench.measured.items():
        if len(key) == 2 and not isinstance(key[1], str) and rounds:
            yield *key, rounds


def failures(bench):
    if bench.failures:
        yield ""
        yield "Requests that failed or were never sent:"
        for failure in bench.failures:
            load = failure["load"]
            yield (
                f"- {failure['subject']}, {load['route']}, {load['connections']} connections: {failure['errors'] or 'none failed'}, "
                f"{failure['dropped']} not sent, beside {failure['requests']:,} that went well"
            )
