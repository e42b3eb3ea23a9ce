"""Waiting for something to become true, with a limit that only a failure reaches."""

import time

LIMIT_S = 20


def wait_for(what, holds, limit_s=LIMIT_S):
    """Calls `holds` until its value is true, and returns that value. `what` names the event that did not come."""
    end = time.monotonic() + limit_s
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {limit_s} s: {what}")
        time.sleep(0.005)
