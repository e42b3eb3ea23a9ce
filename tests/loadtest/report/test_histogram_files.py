"""The histogram files that loadtest/tests/report.rs holds, read by the Python port of HdrHistogram."""

from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

FILES = Path(__file__).parents[3] / "loadtest/tests/report"
LOG = FILES / "sample.made-up.whole.hlog"
DISTRIBUTION = FILES / "sample.made-up.whole.hgrm"
BOUNDS = (1, 600_000_000, 3)


def values():
    """What the Rust test records."""
    state = 1
    while True:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        yield (state >> 40) % 10 ** (1 + (state >> 61) % 6) + 1


def recorded(count, source):
    histogram = HdrHistogram(*BOUNDS)
    for _ in range(count):
        histogram.record_value(next(source))
    return histogram


def test_each_interval_of_the_log_is_what_was_recorded():
    reader = HistogramLogReader(str(LOG), HdrHistogram(*BOUNDS))
    source = values()
    for second, count in [(0, 1_000), (1, 0), (2, 9_000)]:
        interval = reader.get_next_interval_histogram()
        assert interval.equals(recorded(count, source)), f"interval {second}"
        assert interval.get_start_time_stamp() == 1_763_000_000_250 + second * 1_000
        assert interval.get_end_time_stamp() == 1_763_000_001_250 + second * 1_000
    assert reader.get_next_interval_histogram() is None
    assert reader.get_start_time_sec() == 1_763_000_000.250


def test_the_distribution_says_what_the_log_holds():
    """Not compared with what this reader prints: it spreads its percentiles otherwise than the library it is a port of."""
    total = HdrHistogram(*BOUNDS)
    reader = HistogramLogReader(str(LOG), total)
    while reader.add_next_interval_histogram():
        pass
    lines = DISTRIBUTION.read_text().splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    rows = [[float(field) for field in line.split()] for line in lines[2:] if not line.startswith("#")]
    # Five steps in each half of what is left.
    assert [row[1] for row in rows[:12]] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.775]
    recorded = [(step.value_iterated_to, step.count_at_value_iterated_to) for step in total.get_recorded_iterator()]
    for value, quantile, count, *inverse in rows:
        highest = total.get_highest_equivalent_value(int(value))
        assert value == highest
        assert count == sum(times for own, times in recorded if own <= highest)
        below = sum(times for own, times in recorded if total.get_highest_equivalent_value(own) < highest)
        assert below / 10_000 < quantile <= count / 10_000 or quantile == 0 == below
        assert inverse == ([] if quantile == 1 else [round(1 / (1 - quantile), 2)])
    assert rows[-1][1:] == [1, 10_000]
    footer = [line for line in lines if line.startswith("#[")]
    assert f"#[Max     = {total.get_max_value():12.3f}, Total count    = {10_000:12d}]" in footer
    assert abs(float(footer[0].split("=")[1].split(",")[0]) / total.get_mean_value() - 1) < 1e-3
