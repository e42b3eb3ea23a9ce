"""Faults of upstream connections: rows 17-19 of the fault table. One deployment has to do; another must not be needed."""

import pytest

from harness.children import in_threads
from peers.exchange import answered, chat, open_stream, refused

HTTP2 = {"tls": True, "http2": True}


def rule(fault, nth):
    return f'[[rule]]\nmatch.nth = "{nth}"\nfault = "{fault}"\n'


# Row 17


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", ["goaway", "goaway_below"])
def test_goaway(couple, fault, stream):
    sides = couple(HTTP2)
    sides.ill.script(rule(fault, 2))
    for _ in range(4):
        answered(chat(sides.gateway, "alone", stream=stream))
    stats = sides.ill.stats()
    assert stats.completed == 4 and stats.connections >= 2
    # Answered on the old connection, or asked again on another one.
    assert stats.requests == (4 if fault == "goaway" else 5)
    sides.gateway.wait_metric("ringway_upstream_goaways_total", lambda value: value == 1)


def test_streams_below_a_goaway_go_on(couple):
    """One long stream is under way when another one is refused by GOAWAY."""
    sides = couple(HTTP2, provider={"pool": {"warm_min": 1}})
    sides.ill.script("[latency]\ngap_ms = 20.0\n" + rule("goaway_below", 2))
    first, second = in_threads(2, lambda _: chat(sides.gateway, "alone", stream=True))
    answered(first)
    answered(second)
    assert first.content == second.content


def test_goaway_with_an_error_goes_elsewhere(couple):
    sides = couple(HTTP2)
    sides.ill.script(rule("goaway_abrupt", 1))
    answered(chat(sides.gateway))
    answered(chat(sides.gateway, "alone"))


def test_rotation_by_goaway_costs_no_request_a_connect(couple):
    """A provider that sends every connection away after ten requests: the next one is warm before."""
    sides = couple({**HTTP2, "script": "[connection]\ngoaway_after_requests = 10\n"})
    before = sides.gateway.metric("ringway_connects_on_request_path_total")
    for _ in range(60):
        answered(chat(sides.gateway, "alone"))
    assert sides.ill.stats().connections >= 6
    assert sides.gateway.metric("ringway_connects_on_request_path_total") == before


# Row 18


def test_refused_stream(couple):
    sides = couple(HTTP2)
    sides.ill.script(rule("refuse_stream", 1))
    answered(chat(sides.gateway, "alone"))
    assert sides.ill.stats().requests == 2


def test_connections_that_refuse_their_first_streams(couple):
    sides = couple({**HTTP2, "script": "[connection]\nrefuse_first_streams = 1\n"})
    answered(chat(sides.gateway, "alone"))


def test_one_stream_at_a_time_is_respected(couple):
    sides = couple(
        {**HTTP2, "script": "[connection]\nmax_concurrent_streams = 1\n[latency]\nttft_ms = 20.0\n"},
        provider={"pool": {"connections_max": 2}},
        model={"deadlines": {"connect_ms": 20_000}},
    )
    for answer in in_threads(20, lambda _: chat(sides.gateway, "alone")):
        answered(answer)
    stats = sides.ill.stats()
    assert stats.in_flight_max <= 2
    assert stats.completed == 20


def test_a_wait_for_a_free_stream_is_bounded(couple):
    sides = couple(
        {**HTTP2, "script": "[connection]\nmax_concurrent_streams = 1\n"},
        provider={"pool": {"connections_max": 1}},
        model={"deadlines": {"connect_ms": 300}},
    )
    sides.ill.script("[connection]\nmax_concurrent_streams = 1\n[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n")
    with open_stream(sides.gateway, "alone") as endless:
        sides.ill.wait("the only stream is taken", lambda stats: stats.in_flight == 1)
        refused(chat(sides.gateway, "alone"), 504, "upstream_connect_timeout")
        answered(chat(sides.gateway))
        assert endless.recv(1)


@pytest.mark.parametrize("window", [0, 1, 100])
def test_a_small_window_that_opens_late(couple, window):
    script = f"[connection]\ninitial_window_bytes = {window}\nwindow_opens_after_ms = 400\n"
    sides = couple({**HTTP2, "script": script})
    answered(chat(sides.gateway, "alone", padding="x" * 100_000))
    assert sides.ill.last_request().body_bytes > 100_000


def test_a_window_that_never_opens(couple):
    script = "[connection]\ninitial_window_bytes = 0\n"
    sides = couple({**HTTP2, "script": script}, model={"deadlines": {"headers_ms": 400}})
    answer = chat(sides.gateway, "alone", padding="x" * 100_000)
    assert answer.status == 504 and answer.error["code"] in ("upstream_timeout", "upstream_connect_timeout")
    sides.ill.wait("the upload was given up", lambda stats: stats.in_flight == 0)


# Row 19


@pytest.mark.parametrize("fault", ["keep_alive_race", "close_quietly"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_pooled_connection_that_is_gone(couple, fault, stream):
    sides = couple()
    sides.ill.script(rule(fault, "1..3"))
    for _ in range(6):
        answered(chat(sides.gateway, "alone", stream=stream))
    assert sides.ill.stats().completed == 6
    assert sides.well.stats().requests == 0


def test_idle_connections_that_the_provider_closes(couple):
    sides = couple({"script": "[connection]\nidle_close_ms = 30\n"})
    for _ in range(5):
        answered(chat(sides.gateway, "alone"))
        sides.ill.wait("what was idle has been closed", lambda stats: stats.in_flight == 0)
    assert sides.ill.stats().completed == 5


def test_a_fresh_connection_that_is_reset_is_no_race(couple):
    """One transparent retry, not an endless one."""
    sides = couple()
    sides.ill.fail("reset")
    refused(chat(sides.gateway, "alone"), 502, "upstream_reset")
    assert sides.ill.stats().requests <= 4


def test_early_answer_ends_the_upload(couple):
    """413 before the body was read: it is passed on, and the connection is not used again."""
    sides = couple()
    sides.ill.fail("early_answer:413")
    answer = chat(sides.gateway, "alone", padding="x" * 5_000_000)
    assert answer.status == 413
    sides.ill.heal()
    answered(chat(sides.gateway, "alone"))
