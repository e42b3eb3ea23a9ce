"""When a bound is met: pure arithmetic on what was measured.

A ratio comes with an interval. For latency it is the bootstrap interval of at least ten interleaved pairs; for the other rows it is the
least and the greatest of the rounds. A bound is met when the whole interval is on its good side, not met when the whole
interval is on its bad side, and unresolved otherwise. Fewer than ten pairs resolve nothing, whatever they say.
"""

import random
from dataclasses import dataclass
from statistics import median

PAIRS_MIN = 10
RESAMPLES = 10_000

MET = "met"
NOT_MET = "not met"
UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float

    @staticmethod
    def of_rounds(values):
        """Median, least and greatest. `values` is not empty."""
        return Interval(median(values), min(values), max(values))


def judge(interval, bound, at_most=True):
    """`bound` may be None: nothing was promised."""
    if bound is None:
        return None
    if not at_most:
        interval, bound = Interval(-interval.value, -interval.high, -interval.low), -bound
    if interval.high <= bound:
        return MET
    return NOT_MET if interval.low > bound else UNRESOLVED


def ratio_of_added(pairs, seed=1):
    """The ratio of the added latencies of two relays, from triples (direct, peer, ours) measured side by side.

    `ratio = median over the triples of (ours - direct) / (peer - direct)`; the interval is the middle 95 % of the same over resampled
    triples. Ratios within a triple, because the machine's speed changes by two from minute to minute; the median, because one
    disturbed second would decide a mean. Where the peer added nothing the ratio counts as infinite: it can only widen the interval.
    """
    ratios = [(ours - direct) / (peer - direct) if peer > direct else float("inf") for direct, peer, ours in pairs]
    chance = random.Random(seed)
    resampled = sorted(median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return Interval(median(ratios), resampled[int(0.025 * RESAMPLES)], resampled[int(0.975 * RESAMPLES) - 1])


def judge_pairs(interval, bound, pairs):
    """As `judge`, for a latency row of so many pairs."""
    return UNRESOLVED if pairs < PAIRS_MIN else judge(interval, bound)
