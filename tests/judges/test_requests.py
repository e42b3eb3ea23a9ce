"""The judges accept what each official client would send, and refuse what is wrong with it in one place."""

import copy
import json
import tomllib
from pathlib import Path

import pytest

from judges import judge

GOLDEN = Path(__file__).parent.parent / "golden"
RIGHT = Path(__file__).parent / "right"
CASES = sorted((GOLDEN / "_requests").glob("*/*.json"))
GONE = object()


def body_of(dialect, case):
    """Of the dialects that clients speak to us the shared requests; of the others the one that stands beside the judges."""
    path = RIGHT / f"{dialect}.json" if case is None else GOLDEN / "_requests" / dialect / f"{case}.json"
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_clients_send_this(path):
    body = json.loads(path.read_text())
    assert judge.client_request(path.parent.name, body) == []
    assert path.read_text() == json.dumps(body, indent=2, ensure_ascii=False) + "\n", "two spaces deep, and a newline"
    assert body.get("model", "golden") == "golden"
    if path.parent.name != "gemini":
        assert body.get("stream", False) == path.stem.startswith("stream_")


def test_every_case_has_a_sentence():
    said = tomllib.loads((GOLDEN / "_requests/cases.toml").read_text())
    assert sorted(said) == sorted({path.stem for path in CASES})


@pytest.mark.parametrize("path", sorted(RIGHT.glob("*.json")), ids=lambda path: path.stem)
def test_upstreams_would_take_this(path):
    assert judge.request(path.stem, None, json.loads(path.read_text())) == []


def test_every_dialect_is_judged():
    shown = {path.parent.name for path in CASES} | {path.stem for path in RIGHT.glob("*.json")}
    assert shown == set(judge.DIALECTS)


# What each row changes in a right request, and a piece of a complaint that this must cause.
WRONG = [
    ("openai_chat", "text", {"messages.0.content": 7}, "messages[0].content"),
    ("openai_chat", "text", {"messages": GONE}, "messages is missing"),
    ("openai_chat", "text", {"top_k": 40}, "top_k is unknown"),
    ("openai_chat", "text", {"messages.0.cache_control": {"type": "ephemeral"}}, "cache_control is unknown"),
    ("openai_chat", "text", {"messages.0.role": "model"}, "fits no member"),
    ("openai_chat", "text", {"temperature": "1"}, "is not a number"),
    ("openai_chat", "text", {"temperature": True}, "is not a number"),
    ("openai_chat", "text", {"n": 1.5}, "is not an integer"),
    ("openai_chat", "text", {"temperature": 2.5}, "temperature is 2.5"),
    ("openai_chat", "text", {"reasoning_effort": "huge"}, "is none of"),
    ("openai_chat", "text", {"tool_choice": "auto"}, "tool_choice without tools"),
    ("openai_chat", "tool_choice_named", {"tool_choice.function.name": "nobody"}, "nobody is chosen"),
    ("openai_chat", "tools", {"tools.0.function.name": "get.weather"}, "is no name"),
    ("openai_chat", "tools", {"tools.1.function.name": "get_weather"}, "a name twice"),
    ("openai_chat", "tool_result", {"messages.2.tool_call_id": "call_9"}, "answers no open call"),
    (
        "openai_chat",
        "tool_result",
        {"messages.1.tool_calls.0.function.arguments": {"city": "Paris"}},
        "is not a string",
    ),
    ("openai_chat", "tool_result", {"messages.1.tool_calls.0.function.arguments": "{"}, "are no JSON"),
    ("openai_chat", "parallel_tools", {"messages.3": GONE}, "calls are not answered"),
    (
        "openai_chat",
        "json_schema",
        {"response_format.json_schema.schema.additionalProperties": GONE},
        "additionalProperties",
    ),
    ("openai_chat", "json_schema", {"response_format.json_schema.schema.required": ["name"]}, "not every property"),
    ("openai_chat", "stop_and_limits", {"stop": list("12345")}, "more than four"),
    ("openai_chat", "stream_text", {"stream": False}, "stream_options without stream"),
    ("openai_responses", "text", {"max_tokens": 64}, "max_tokens is unknown"),
    ("openai_responses", "tools", {"tools.0": {"type": "function", "function": {"name": "f"}}}, "function is unknown"),
    ("openai_responses", "tool_result", {"input.2.call_id": "call_9"}, "answers no call"),
    ("openai_responses", "image_inline", {"input.0.content.1.image_url": {"url": "x"}}, "input"),
    ("openai_responses", "json_schema", {"text.format.schema.additionalProperties": True}, "additionalProperties"),
    ("anthropic_messages", "text", {"max_tokens": GONE}, "max_tokens is missing"),
    ("anthropic_messages", "text", {"n": 2}, "n is unknown"),
    ("anthropic_messages", "text", {"messages.0.content": [{"type": "text", "text": ""}]}, "an empty text"),
    ("anthropic_messages", "text", {"messages.0.role": "assistant"}, "not the user's"),
    ("anthropic_messages", "tools", {"tools.0.parameters": {}}, "parameters is unknown"),
    ("anthropic_messages", "tools", {"tools.0.input_schema": GONE}, "input_schema is missing"),
    ("anthropic_messages", "tool_choice_auto", {"tool_choice": "auto"}, "tool_choice"),
    ("anthropic_messages", "parallel_tools", {"messages.2.content.1": GONE}, "calls are not answered"),
    ("anthropic_messages", "tool_result", {"messages.2.content.0.tool_use_id": "call_9"}, "call_9"),
    ("anthropic_messages", "tool_result", {"tools": GONE}, "no tools"),
    ("anthropic_messages", "tool_result_then_text", {"messages.2.content": "@reversed"}, "after other content"),
    ("anthropic_messages", "reasoning_budget", {"max_tokens": 2048}, "budget_tokens"),
    ("anthropic_messages", "reasoning_budget", {"temperature": 0.5}, "while thinking"),
    ("anthropic_messages", "reasoning_history", {"messages.1.content.0.signature": GONE}, "signature is missing"),
    ("anthropic_messages", "cache_hints", {"system.0.cache_control.ttl": "2h"}, "is none of"),
    ("anthropic_messages", "sampling", {"temperature": 1.5}, "temperature is 1.5"),
    (
        "anthropic_messages",
        "json_schema",
        {"output_config.format.schema.properties.age.minimum": 0},
        "minimum is not known",
    ),
    ("gemini", "text", {"contents.0.role": "assistant"}, "the role is assistant"),
    ("gemini", "text", {"contents.0.parts.0": {}}, "nothing"),
    ("gemini", "text", {"contents.0.parts.0.type": "text"}, "type is unknown"),
    ("gemini", "text", {"model": "golden"}, "model is unknown"),
    ("gemini", "limits", {"generationConfig.max_tokens": 4}, "max_tokens is unknown"),
    ("gemini", "image_inline", {"contents.0.parts.1.inlineData.data": "no base64"}, "is no base64"),
    ("gemini", "tool_choice_auto", {"toolConfig.functionCallingConfig.mode": "auto"}, "is none of"),
    ("gemini", "tool_choice_named", {"toolConfig.functionCallingConfig.mode": "AUTO"}, "where no call is forced"),
    ("gemini", "parallel_tools", {"contents.2.parts.1": GONE}, "as many answers as calls"),
    ("gemini", "tool_result", {"contents.2.parts.0.functionResponse.response": "21"}, "fits no member"),
    ("gemini", "tool_result", {"contents.2.parts.0.functionResponse.id": "call_9"}, "other ids"),
    ("gemini", "reasoning_budget", {"generationConfig.thinkingConfig.thinkingLevel": "LOW"}, "both thinkingBudget"),
    ("gemini", "json_schema", {"generationConfig.responseMimeType": GONE}, "without responseMimeType"),
    ("anthropic_elsewhere", None, {"model": "golden"}, "must not be there"),
    ("anthropic_elsewhere", None, {"anthropic_version": "2023-06-01"}, "is none of"),
    ("mistral", None, {"seed": 7}, "seed is unknown"),
    ("mistral", None, {"stream_options": {"include_usage": True}}, "stream_options is unknown"),
    ("mistral", None, {"messages.1.name": "Ada"}, "name is unknown"),
    ("mistral", None, {"tool_choice": "some"}, "tool_choice"),
    ("mistral", None, {"messages.2.tool_calls.0.id": "call_1", "messages.3.tool_call_id": "call_1"}, "nine letters"),
    ("mistral", None, {"messages": [{"role": "assistant", "content": "1."}]}, "no prefix"),
    ("bedrock_converse", None, {"messages.0.content.0": "Hello"}, "is no object"),
    ("bedrock_converse", None, {"messages.0.content.0.type": "text"}, "type is unknown"),
    ("bedrock_converse", None, {"messages.0.content.0.cachePoint": {"type": "default"}}, "exactly one"),
    ("bedrock_converse", None, {"messages.0.content.1.image.format": "bmp"}, "is none of"),
    ("bedrock_converse", None, {"messages.0.content.1.image.source.bytes": "?"}, "no base64"),
    ("bedrock_converse", None, {"messages.1.content.2.toolUse.toolUseId": "a/b"}, "does not match"),
    ("bedrock_converse", None, {"messages.2.content.0.toolResult.toolUseId": "call_9"}, "are open"),
    ("bedrock_converse", None, {"inferenceConfig.maxTokens": 0}, "maxTokens"),
    ("bedrock_converse", None, {"inferenceConfig.topK": 4}, "topK is unknown"),
    ("bedrock_converse", None, {"toolConfig": GONE}, "no toolConfig"),
    ("bedrock_converse", None, {"toolConfig.toolChoice": {"none": {}}}, "none is unknown"),
    ("bedrock_converse", None, {"modelId": "golden"}, "modelId is unknown"),
    ("cohere_chat", None, {"top_p": 0.9}, "top_p is unknown"),
    ("cohere_chat", None, {"tool_choice": "AUTO"}, "is none of"),
    ("cohere_chat", None, {"thinking.type": "adaptive"}, "is none of"),
    ("cohere_chat", None, {"messages.2.reasoning_content": "x"}, "reasoning_content is unknown"),
    ("cohere_chat", None, {"response_format": {"type": "json_object"}}, "with tools"),
    ("cohere_chat", None, {"messages.3.tool_call_id": "call_9"}, "answers no open call"),
    ("ollama", None, {"max_tokens": 64}, "max_tokens is unknown"),
    ("ollama", None, {"options.max_tokens": 64}, "max_tokens is unknown"),
    ("ollama", None, {"messages.1.content": [{"type": "text", "text": "Hello"}]}, "is not a string"),
    ("ollama", None, {"messages.2.tool_calls.0.function.arguments": "{}"}, "is no object"),
    ("ollama", None, {"messages.1.images.0": "data:image/png;base64,AAAA"}, "is no base64"),
]


@pytest.mark.parametrize(
    ("dialect", "case", "changes", "complaint"), WRONG, ids=lambda value: None if isinstance(value, str | dict) else ""
)
def test_refuses(dialect, case, changes, complaint):
    right = body_of(dialect, case)
    assert judge.request(dialect, None, right, judge.CLIENT_EXTENSIONS.get(dialect, ())) == []
    wrong = changed(right, changes)
    said = judge.request(dialect, None, wrong, judge.CLIENT_EXTENSIONS.get(dialect, ()))
    assert any(complaint in one for one in said), said


def test_our_extensions_are_not_sent_to_openai():
    said = judge.request("openai_chat", None, body_of("openai_chat", "reasoning_history"))
    assert any("thinking_blocks is unknown" in one for one in said)


def test_mistral_refuses_a_question_beside_a_result():
    body = body_of("mistral", None)
    body["messages"].append({"role": "user", "content": "In French, please."})
    assert judge.request("mistral", None, body) == ["messages[4]: a user's turn directly after a result"]


def test_knows_a_dialect_by_its_path():
    for path, dialect in (
        ("/v1/chat/completions", "openai_chat"),
        ("/openai/deployments/golden/chat/completions?api-version=2024-10-21", "openai_chat"),
        ("/v1/responses", "openai_responses"),
        ("/v1/messages", "anthropic_messages"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/golden:streamRawPredict", "anthropic_elsewhere"),
        ("/model/anthropic.golden-v1%3A0/invoke", "anthropic_elsewhere"),
        ("/model/anthropic.golden-v1%3A0/converse-stream", "bedrock_converse"),
        ("/v1beta/models/golden:streamGenerateContent?alt=sse", "gemini"),
        ("/v1beta/models/golden:streamGenerateContent", None),
        ("/v1/projects/p/locations/l/publishers/google/models/golden:generateContent", "gemini"),
        ("/v2/chat", "cohere_chat"),
        ("/api/chat", "ollama"),
        ("/v1/embeddings", None),
    ):
        assert judge.dialect_of(path) == dialect, path


def changed(body, changes):
    body = copy.deepcopy(body)
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        at = body
        for step in way:
            at = at[step]
        if value is GONE:
            del at[last]
        elif value == "@reversed":
            at[last] = at[last][::-1]
        else:
            at[last] = value
    return body
