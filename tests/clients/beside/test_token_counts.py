"""Counts of tokens: Anthropic's and Google's clients, and providers of every dialect."""

import pytest
from google.genai import types

TOOL = {
    "name": "weather",
    "description": "Tells the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTION = {"model": "model", "messages": [{"role": "user", "content": "what is the weather in this city?"}]}


@pytest.fixture
def counts(kind):
    """Whether the provider counts; otherwise the gateway estimates, and says so."""
    return not kind.startswith("openai")


def test_anthropic_s_client_gets_a_count(of_anthropic, provider, kind, counts):
    raw = of_anthropic.messages.with_raw_response.count_tokens(**QUESTION, system="be brief", tools=[TOOL])
    count = raw.parse().input_tokens
    assert 20 < count < 120
    assert raw.headers.get("x-ringway-estimated") == (None if counts else "tokens")
    paths = {"anthropic": "/v1/messages/count_tokens", "gemini": "/v1beta/models/sim-small:countTokens"}
    if counts:
        assert provider.last_request().path == paths[kind]
        assert "max_tokens" not in provider.last_request().json
    else:
        assert provider.stats().requests == 0
    # More to read counts more.
    longer = {"role": "user", "content": "and " * 400}
    assert of_anthropic.messages.count_tokens(model="model", messages=[longer]).input_tokens > 300


def test_an_agent_s_request_is_counted(of_anthropic, counts):
    """What Claude Code sends: betas, tools of the provider's own, thinking, hints for the cache, results of tools."""
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "x"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny " * 100}]},
    ]
    count = of_anthropic.beta.messages.count_tokens(
        model="model",
        messages=messages,
        tools=[TOOL],
        thinking={"type": "enabled", "budget_tokens": 2048},
        betas=["context-1m-2025-08-07"],
    )
    assert count.input_tokens > 100


def test_a_picture_counts(of_anthropic):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    messages = [{"role": "user", "content": [picture, {"type": "text", "text": "what is it?"}]}]
    assert of_anthropic.messages.count_tokens(model="model", messages=messages).input_tokens > 5


def test_google_s_client_gets_a_count(of_google, provider, kind, counts):
    answer = of_google.models.count_tokens(model="model", contents="what is the weather in this city?")
    assert 5 < answer.total_tokens < 40
    headers = {name.lower(): value for name, value in answer.sdk_http_response.headers.items()}
    assert headers.get("x-ringway-estimated") == (None if counts else "tokens")
    if kind == "anthropic":
        assert provider.last_request().path == "/v1/messages/count_tokens"
    longer = types.Content(role="user", parts=[types.Part(text="and " * 400)])
    assert of_google.models.count_tokens(model="model", contents=[longer]).total_tokens > 300


def test_a_whole_request_of_google_s_is_counted(post, provider, kind):
    request = {"model": "models/model", "contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    status, _, plain = post("/v1beta/models/model:countTokens", {"generateContentRequest": request})
    assert status == 200, plain
    request["systemInstruction"] = {"parts": [{"text": "be brief, " * 10}]}
    status, _, more = post("/v1/models/model:countTokens", {"generate_content_request": request})
    assert status == 200 and more["totalTokens"] > plain["totalTokens"]
    if kind == "gemini":
        assert provider.last_request().json["generateContentRequest"]["model"] == "models/sim-small"


def test_what_is_no_request_is_refused(post, kind):
    status, _, answer = post("/v1/messages/count_tokens", {"model": "model", "messages": "hello"})
    assert status == 400 and answer["type"] == "error" and answer["error"]["type"] == "invalid_request_error"
