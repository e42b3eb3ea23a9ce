"""The simulated Anthropic, driven by Anthropic's client."""

import json

import anthropic
import pytest

from harness.pixel import PNG

MODEL = "sim-small"
ASK = {"model": MODEL, "max_tokens": 2048, "messages": [{"role": "user", "content": "hello there"}]}
TOOLS = [
    {
        "name": name,
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    for name in ("weather", "time")
]
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.fixture
def client(simulator, of_anthropic):
    return of_anthropic(simulator)


def streamed(client, **ask):
    """The message that the client's own accumulation makes of a stream."""
    with client.messages.stream(**ask) as stream:
        return stream.get_final_message()


def same(whole, other):
    """Equal but for ids, and for what only the client's accumulation adds."""
    assert whole.stop_reason == other.stop_reason
    assert whole.usage.output_tokens == other.usage.output_tokens
    assert [block.type for block in whole.content] == [block.type for block in other.content]
    for one, two in zip(whole.content, other.content, strict=True):
        for member in ("text", "thinking", "signature", "name", "input"):
            assert getattr(one, member, None) == getattr(two, member, None)


def test_a_stream_says_what_the_whole_answer_says(client):
    whole = client.messages.create(**ASK, system="be brief")
    assert whole.content[0].text.startswith("You said: hello there")
    assert (whole.stop_reason, whole.usage.output_tokens) == ("end_turn", 24)
    same(whole, streamed(client, **ASK, system="be brief"))


def test_stop_reasons(client):
    assert client.messages.create(**{**ASK, "max_tokens": 2}).stop_reason == "max_tokens"
    stopped = client.messages.create(**ASK, stop_sequences=[" there"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " there")


def test_tools_are_used_one_by_one_and_together(client):
    one = client.messages.create(**ASK, tools=TOOLS)
    assert [(block.name, block.input) for block in one.content] == [("weather", {"city": "example"})]
    same(one, streamed(client, **ASK, tools=TOOLS))
    choice = {"type": "any", "disable_parallel_tool_use": False}
    both = client.messages.create(**ASK, tools=TOOLS, tool_choice=choice)
    assert [block.name for block in both.content] == ["weather", "time"]
    same(both, streamed(client, **ASK, tools=TOOLS, tool_choice=choice))
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "fine"} for block in both.content]
    turns = ASK["messages"] + [{"role": "assistant", "content": both.content}, {"role": "user", "content": results}]
    assert client.messages.create(**{**ASK, "messages": turns}, tools=TOOLS).stop_reason == "end_turn"


def test_thinking_is_shown_and_replayed(client):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    whole = client.messages.create(**ASK, thinking=thinking)
    assert [block.type for block in whole.content] == ["thinking", "text"]
    same(whole, streamed(client, **ASK, thinking=thinking))
    turns = ASK["messages"] + [
        {"role": "assistant", "content": whole.content},
        {"role": "user", "content": "and then?"},
    ]
    assert client.messages.create(**{**ASK, "messages": turns}, thinking=thinking).content


def test_pictures_and_schemas(client):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    turns = [{"role": "user", "content": [picture, {"type": "text", "text": "what is this?"}]}]
    assert "what is this?" in client.messages.create(**{**ASK, "messages": turns}).content[0].text
    shape = {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert json.loads(client.messages.create(**ASK, output_config=shape).content[0].text) == {"n": 1}


def test_counts_and_caches_and_models(client):
    counted = client.messages.count_tokens(model=MODEL, messages=ASK["messages"])
    answer = client.messages.create(**ASK)
    assert counted.input_tokens == answer.usage.input_tokens
    system = [{"type": "text", "text": "a prefix", "cache_control": {"type": "ephemeral"}}]
    assert client.messages.create(**ASK, system=system).usage.cache_creation_input_tokens > 0
    assert [model.id for model in client.models.list()] == ["sim-small", "sim-embedding"]
    assert client.models.retrieve(MODEL).display_name == MODEL


def test_errors_have_their_classes(client, simulator, of_anthropic):
    with pytest.raises(anthropic.AuthenticationError):
        of_anthropic(simulator, key="sk-other").messages.create(**ASK)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**ASK, "model": "none"})
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(**{**ASK, "messages": [{"role": "assistant", "content": "x"}]})
    assert bad.value.body["error"]["type"] == "invalid_request_error"
    simulator.expect_invalid = True


def test_an_overload_is_one_before_and_within_the_answer(client, simulator):
    simulator.fail("status:529")
    with pytest.raises(anthropic.OverloadedError) as overloaded:
        client.messages.create(**ASK)
    assert overloaded.value.status_code == 529
    simulator.fail("error_after:2")
    with pytest.raises(anthropic.APIStatusError) as within:
        streamed(client, **ASK)
    assert within.value.body["error"]["type"] == "api_error"


def test_limits_are_refusals_that_say_when_to_come_back(limited, of_anthropic):
    client = of_anthropic(limited)
    raw = client.messages.with_raw_response.create(**ASK)
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "0"
    with pytest.raises(anthropic.RateLimitError) as late:
        client.messages.create(**ASK)
    assert 0 < int(late.value.response.headers["retry-after"]) <= 60


def test_a_retry_is_answered(simulate, of_anthropic):
    script = '[[rule]]\nmatch = { nth = "1" }\nfault = "rate_limited,retry_after_ms=1"\n'
    simulator = simulate("once", script=script)
    assert of_anthropic(simulator, max_retries=1).messages.create(**ASK).content
    assert simulator.stats().answers_by_status == {"429": 1, "200": 1}
