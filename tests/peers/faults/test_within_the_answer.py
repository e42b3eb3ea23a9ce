"""Faults within an answer: rows 13-16 and 22 of the fault table.

What has been sent cannot be taken back, so the end of half an answer never looks like an end.
"""

import json

import pytest

from peers.exchange import answered, broken_off, chat, refused

CUTS = ["eof_after:3", "close_after:3", "reset_after:3"]


# Row 13


def test_an_event_that_is_no_json(couple, wire):
    sides = couple(wire)
    sides.ill.fail("bad_event_after:3")
    answer = broken_off(chat(sides.gateway, "alone", stream=True), "upstream_bad_response")
    good = [json.loads(event) for event in answer.events[:-1]]
    assert len([chunk for chunk in good if chunk["choices"][0]["delta"].get("content")]) == 3
    assert sides.gateway.metric("ringway_streams_broken_total") == 1


# Row 14


def test_silence_within_a_stream(couple, wire):
    sides = couple(wire, model={"deadlines": {"gap_ms": 300}})
    sides.ill.fail("silent_after:3")
    broken_off(chat(sides.gateway, "alone", stream=True), "upstream_stalled")
    sides.ill.wait("the stream was cancelled", lambda stats: stats.cancelled == 1)


# Row 15


@pytest.mark.parametrize("fault", CUTS)
def test_a_stream_that_breaks_off(couple, wire, fault):
    sides = couple(wire)
    sides.ill.fail(fault)
    answer = broken_off(chat(sides.gateway, stream=True), "upstream_truncated")
    assert len(answer.events) >= 4
    assert sides.well.stats().requests == 0, "content had been sent: another answer cannot continue it"
    line = sides.gateway.wait_log("the broken stream", lambda line: line["code"] == "upstream_truncated")
    assert line["status"] == 200 and line["streamed"]


@pytest.mark.parametrize("fault", ["eof_after:0", "close_after:0", "reset_after:0"])
def test_a_stream_that_breaks_off_before_its_first_content_goes_elsewhere(couple, wire, fault):
    sides = couple(wire)
    sides.ill.fail(fault)
    answered(chat(sides.gateway, stream=True))
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)


def test_an_error_event_within_a_stream(couple, wire):
    sides = couple(wire)
    sides.ill.fail("error_after:3")
    broken_off(chat(sides.gateway, stream=True), "upstream_error")


def test_a_stream_without_its_end_marker_but_with_a_finish_reason_is_complete(couple, wire):
    sides = couple(wire)
    sides.ill.fail("no_done")
    answered(chat(sides.gateway, "alone", stream=True))


def test_a_stream_with_its_end_marker_but_without_a_finish_reason_is_not(couple, wire):
    sides = couple(wire)
    sides.ill.fail("no_finish")
    broken_off(chat(sides.gateway, "alone", stream=True), "upstream_truncated")


# Row 16


@pytest.mark.parametrize("fault", ["short_body:10", "close_after:0", "reset_after:0"])
def test_a_whole_answer_that_breaks_off(couple, wire, fault):
    sides = couple(wire)
    sides.ill.fail(fault)
    answered(chat(sides.gateway))
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)
    refused(chat(sides.gateway, "alone"), 502, "upstream_truncated")


def test_a_whole_answer_that_breaks_off_when_its_beginning_has_been_sent(couple, wire):
    """Too large to be held back: the client must see that its end is missing."""
    sides = couple(wire)
    sides.ill.fail(f"big_answer:{16 << 20}+short_body:10")
    answer = chat(sides.gateway, "alone")
    assert answer.broken or answer.status == 502
    assert sides.gateway.wait_log("the cut answer", lambda line: line["code"] == "upstream_truncated")


def test_a_large_whole_answer_arrives(couple, wire):
    sides = couple(wire)
    sides.ill.fail(f"big_answer:{16 << 20}")
    assert len(answered(chat(sides.gateway, "alone")).content) >= 16 << 20


# Row 22


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", ["html:200", "html:502", "status:502,html=1"])
def test_a_page_of_somebody_in_between(couple, wire, fault, stream):
    sides = couple(wire)
    sides.ill.fail(fault)
    answered(chat(sides.gateway, stream=stream))
    answer = chat(sides.gateway, "alone", stream=stream)
    assert answer.status == 502
    assert answer.error["code"] in ("upstream_bad_response", "upstream_error")
    assert b"<html" not in answer.body


def test_a_stream_of_another_type_is_not_streamed(couple, wire):
    sides = couple(wire)
    sides.ill.fail("wrong_type")
    answered(chat(sides.gateway, stream=True))
    assert sides.well.stats().requests == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_compression_that_nobody_asked_for(couple, wire, stream):
    sides = couple(wire)
    sides.ill.fail("gzip")
    answer = chat(sides.gateway, "alone", stream=stream)
    assert "content-encoding" not in answer.headers
    if answer.status != 200:
        refused(answer, 502, "upstream_bad_response")
    else:
        answered(answer)
    assert "gzip" not in sides.ill.last_request().headers.get("accept-encoding", "")


# Shapes that are legal and rare


@pytest.mark.parametrize(
    "shape", ["crlf", "cr", "no_space", "multi_data", "comments:3", "pieces:1", "crlf+pieces:1", "huge_line:1048576"]
)
def test_every_legal_shape_of_a_stream(couple, wire, shape):
    sides = couple(wire)
    expected = answered(chat(sides.gateway, "alone", stream=True)).content
    sides.ill.fail(shape)
    answer = answered(chat(sides.gateway, "alone", stream=True))
    if not shape.startswith("huge_line"):
        assert answer.content == expected
    if "crlf" in shape:
        # SDKs cut at two line ends of one kind; `\r\n\r` ends an event by the standard and not for them. The client gets one kind.
        assert b"\r" not in answer.body
        assert answer.body.count(b"\n\n") == len(answer.events)
    assert b"\n:" not in answer.body, "comments of the provider are not passed on"


@pytest.mark.parametrize("fault", ["informational:100", "cl_and_te", "two_lengths", "bad_chunk", "bad_status_line",
                                   "split_header", "obs_fold", "big_head"])  # fmt: skip
def test_http_that_is_broken(couple, fault):
    """Over HTTP/1.1, where such things can be written."""
    sides = couple()
    sides.ill.fail(fault)
    # Only streams have chunks.
    stream = fault == "bad_chunk"
    answered(chat(sides.gateway, stream=stream))
    assert sides.well.stats().requests == 1
    answer = chat(sides.gateway, "alone", stream=stream)
    assert answer.status == 502
    assert answer.error["code"] in ("upstream_bad_response", "upstream_reset", "upstream_truncated")
    assert sides.well.stats().requests == 1
