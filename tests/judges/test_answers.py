"""The answers that the golden tests give for a provider's are ones that its official client would read, whole and in order."""

import json
import tomllib
from pathlib import Path

import pytest

from judges import judge
from judges.frames import encode

ANSWERS = Path(__file__).parent.parent / "golden/_answers"
INDEX = {path.parent.name: tomllib.loads(path.read_text()) for path in ANSWERS.glob("*/cases.toml")}
CASES = [(dialect, case) for dialect, index in INDEX.items() for case in index if isinstance(index[case], dict)]
KINDS = (".json", ".sse", ".ndjson", ".bin", ".html")
ERRORS = {
    *("client", "credential", "quota", "not_found", "rate_limit", "overload", "timeout"),
    *("content_policy", "context_length", "unsupported", "server", "interrupted"),
}
USAGE = {"input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"}


def file_of(dialect, case):
    (path,) = (path for kind in KINDS if (path := ANSWERS / dialect / f"{case}{kind}").exists())
    return path


def complaints(dialect, case):
    path, facts = file_of(dialect, case), INDEX[dialect][case]
    return judge.answer(dialect, path.name, path.read_bytes(), facts.get("extensions", ()))


@pytest.mark.parametrize(("dialect", "case"), CASES)
def test_the_client_would_read_this(dialect, case):
    facts = INDEX[dialect][case]
    said = complaints(dialect, case)
    # What is broken on purpose, or is no provider's dialect but its own, must be noticed.
    assert bool(said) == bool(facts.get("broken") or facts.get("untyped")), said


@pytest.mark.parametrize(("dialect", "case"), CASES)
def test_what_is_said_of_it(dialect, case):
    facts = INDEX[dialect][case]
    assert ("finish" in facts) != ("error" in facts), "either an answer or a failure"
    assert facts.get("finish", "stop") in {"stop", "length", "tool_calls", "content_filter"}
    assert facts.get("error", "server") in ERRORS
    assert facts.get("status", 200) == 200 or "error" in facts
    assert set(facts.get("usage", {})) <= USAGE
    assert ("stream" in case.split("_")) == (file_of(dialect, case).suffix in (".sse", ".ndjson", ".bin"))


def test_every_file_has_a_sentence():
    files = {(path.parent.name, path.name.split(".")[0]) for path in ANSWERS.glob("*/*") if path.name != "cases.toml"}
    assert files == set(CASES)
    assert set(INDEX) == set(judge.DIALECTS)


@pytest.mark.parametrize("path", sorted(ANSWERS.glob("*/*.frames.json")), ids=lambda path: path.name.split(".")[0])
def test_frames_are_what_they_were_written_from(path):
    assert path.with_name(path.name.replace(".frames.json", ".bin")).read_bytes() == encode(
        json.loads(path.read_text())
    )


# What each row replaces in a right answer, and a piece of a complaint that this must cause.
WRONG = [
    ("openai_chat", "text.json", '"finish_reason": "stop"', '"finish_reason": "end_turn"', "is none of"),
    ("openai_chat", "text.json", '"total_tokens": 21', '"total": 21', "total is unknown"),
    ("openai_chat", "stream_text.sse", "data: [DONE]\n\n", "", "[DONE] is missing"),
    ("openai_chat", "stream_text.sse", '"finish_reason":"stop"', '"finish_reason":null', "no finish reason"),
    ("openai_chat", "stream_tool_call.sse", '"id":"call_w1",', "", "begins without id"),
    ("openai_chat", "error_server.json", '"message"', '"text"', "no error"),
    ("openai_responses", "stream_text.sse", '"sequence_number":4', '"sequence_number":3', "do not rise"),
    ("openai_responses", "stream_text.sse", "event: response.completed", "event: response.done", "is called"),
    ("anthropic_messages", "stream_text.sse", '"index":0,"delta"', '"index":1,"delta"', "is not open"),
    ("anthropic_messages", "stream_text.sse", '"text_delta"', '"text"', "fits no member"),
    ("anthropic_messages", "stream_parallel_tools.sse", '"index":2,"content', '"index":1,"content', "block 1 opens"),
    ("anthropic_messages", "error_server.json", '"api_error"', '"api_error", "code": 1}, "x": {"y": 1', "no error"),
    ("gemini", "text.json", '"candidatesTokenCount": 9', '"candidates_tokens": 9', "is unknown"),
    ("gemini", "text.json", '"finishReason": "STOP"', '"finishReason": "FUNCTION_CALL"', "is none of"),
    ("gemini", "error_server.json", '"code": 500', '"code": "500"', "no error"),
    ("mistral", "text.json", '"total_tokens": 21', '"total": 21', "total is unknown"),
    ("bedrock_converse", "text.json", '"stopReason": "end_turn"', '"stopReason": "stop"', "is none of"),
    ("bedrock_converse", "text.json", '"totalTokens": 21', '"total": 21', "total is unknown"),
    ("cohere_chat", "text.json", '"finish_reason": "COMPLETE"', '"finish_reason": "DONE"', "is none of"),
    ("cohere_chat", "stream_reasoning.sse", '"type":"content-delta"', '"type":"content"', "is called"),
    ("ollama", "tool_call.json", '"city": "Paris"', '"city": "Paris"}, "x": {', "is unknown"),
    ("ollama", "stream_text.ndjson", '"done":true', '"done":"yes"', "true or false"),
]


@pytest.mark.parametrize(("dialect", "name", "old", "new", "complaint"), WRONG)
def test_refuses(dialect, name, old, new, complaint):
    right = (ANSWERS / dialect / name).read_text()
    assert old in right
    assert judge.answer(dialect, name, right.encode()) == []
    said = judge.answer(dialect, name, right.replace(old, new).encode())
    assert any(complaint in one for one in said), said


def test_refuses_damaged_frames():
    right = (ANSWERS / "bedrock_converse/stream_text.bin").read_bytes()
    assert judge.answer("bedrock_converse", "x.bin", right[:-1]) != []
    with pytest.raises(Exception, match="[Cc]hecksum"):
        judge.answer("bedrock_converse", "x.bin", right[:-5] + b"!" + right[-4:])
    renamed = encode([{"event": "messageBegin", "payload": {"role": "assistant"}}])
    assert judge.answer("bedrock_converse", "x.bin", renamed) == ["frame 0: 'messageBegin' is no event"]
