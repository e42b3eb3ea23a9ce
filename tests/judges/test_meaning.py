"""The answers mean what their index says, and the same thing in every dialect and as a stream."""

import pytest

from judges.meaning import meaning
from judges.test_answers import CASES, INDEX, file_of

FINISHED = [(dialect, case) for dialect, case in CASES if "finish" in INDEX[dialect][case]]
TEXT = "Hello from Paris, Grüße!"
WEATHER = ["get_weather", {"city": "Paris"}]
TIME = ["get_time", {"city": "Zürich", "at": "é"}]


def meaning_of(dialect, case):
    path = file_of(dialect, case)
    return meaning(dialect, path.name, path.read_bytes())


@pytest.mark.parametrize(("dialect", "case"), FINISHED)
def test_ends_and_costs_what_the_index_says(dialect, case):
    said, facts = meaning_of(dialect, case), INDEX[dialect][case]
    assert (said["finish"], said.get("usage")) == (facts["finish"], facts.get("usage"))


@pytest.mark.parametrize(("dialect", "case"), FINISHED)
def test_says_the_same_everywhere(dialect, case):
    said = meaning_of(dialect, case)
    kind = case.removeprefix("stream_")
    if kind == "text" or case.endswith("_stream_text"):
        assert said["text"] == TEXT and "calls" not in said
    if kind == "tool_call":
        assert said["calls"] == [WEATHER]
    if case.endswith(("parallel_tools", "interleaved_tools")):
        assert said["calls"] == [WEATHER, TIME]
    if kind == "reasoning" or case.endswith("_reasoning"):
        assert (said["thoughts"], said["text"]) == ("Eleven, thirteen…", TEXT)
    if kind in ("max_tokens", "context_window"):
        assert said["text"] == "Hel"


# Where a stream and its whole answer are not one story: a text before the calls, or a filter that steps in later.
APART = ("parallel_tools", "guardrail", "content_filter")
PAIRS = [(dialect, case) for dialect, case in FINISHED if f"stream_{case}" in INDEX[dialect] and case not in APART]


@pytest.mark.parametrize(("dialect", "case"), PAIRS)
def test_a_stream_says_what_the_whole_answer_says(dialect, case):
    assert meaning_of(dialect, f"stream_{case}") == meaning_of(dialect, case)


def test_calls_and_usage_of_a_stream_are_those_of_the_whole_answer():
    for dialect in INDEX:
        if {"parallel_tools", "stream_parallel_tools"} <= set(INDEX[dialect]):
            whole, stream = meaning_of(dialect, "parallel_tools"), meaning_of(dialect, "stream_parallel_tools")
            assert (stream["calls"], stream["finish"], stream["usage"]) == (
                whole["calls"],
                whole["finish"],
                whole["usage"],
            )
