"""Anthropic's client and providers of every dialect."""

import json

import anthropic
import pytest

from harness.pixel import PNG

ASK = {"model": "model", "max_tokens": 2048, "messages": [{"role": "user", "content": "hello there"}]}
TOOLS = [
    {
        "name": name,
        "description": f"Tells the {name}.",
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


def ask(client, **more):
    return client.messages.create(**{**ASK, **more})


def streamed(client, **more):
    """The message that the client's own accumulation makes of a stream."""
    with client.messages.stream(**{**ASK, **more}) as stream:
        return stream.get_final_message()


def texts(message):
    return "".join(block.text for block in message.content if block.type == "text")


def calls(message):
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def test_a_stream_says_what_the_whole_answer_says(of_anthropic):
    whole = ask(of_anthropic, system="be brief")
    assert (whole.type, whole.role, whole.stop_reason) == ("message", "assistant", "end_turn")
    assert texts(whole).startswith("You said: hello there")
    stream = streamed(of_anthropic, system="be brief")
    assert (texts(stream), stream.stop_reason) == (texts(whole), "end_turn")
    assert whole.usage.input_tokens > 0 and whole.usage.output_tokens > 0
    assert stream.usage.input_tokens == whole.usage.input_tokens
    assert stream.usage.output_tokens == whole.usage.output_tokens


def refused(client, param, **more):
    """The provider's API has no word for it."""
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask(client, **more)
    error = refused.value.body["error"]
    assert error["type"] == "invalid_request_error" and param in error["message"]


def test_limits_and_stops(of_anthropic, lacks):
    assert ask(of_anthropic, max_tokens=2).stop_reason == "max_tokens"
    if "stop" in lacks:
        return refused(of_anthropic, "stop_sequences", stop_sequences=[" there"])
    stopped = ask(of_anthropic, stop_sequences=[" there"])
    # Other APIs do not say which sequence it was, or that it was one.
    assert stopped.stop_reason in ("stop_sequence", "end_turn")
    assert texts(stopped) == "You said: hello"


def test_tools_are_called_together_and_answered(of_anthropic, lacks):
    messages = [{"role": "user", "content": "both in parallel"}]
    answer = ask(of_anthropic, messages=messages, tools=TOOLS)
    assert answer.stop_reason == "tool_use"
    assert calls(answer) == [("weather", {"city": "example"}), ("time", {"city": "example"})]
    stream = streamed(of_anthropic, messages=messages, tools=TOOLS)
    assert (calls(stream), stream.stop_reason) == (calls(answer), "tool_use")
    used = [block for block in answer.content if block.type == "tool_use"]
    assert len({block.id for block in used}) == 2
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "sunny"} for block in reversed(used)]
    turns = [*messages, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    if "forbid" in lacks:
        refused(of_anthropic, "tool_choice", messages=turns, tools=TOOLS, tool_choice={"type": "none"})
        assert texts(ask(of_anthropic, messages=turns, tools=TOOLS))
    else:
        assert texts(ask(of_anthropic, messages=turns, tools=TOOLS, tool_choice={"type": "none"}))


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "time"}])
def test_a_tool_can_be_demanded(of_anthropic, choice, lacks):
    if "force" in lacks:
        return refused(of_anthropic, "tool_choice", tools=TOOLS, tool_choice=choice)
    # Some cannot be told to call one tool at a time; not to say it means the same here.
    one = {} if "one_call" in lacks else {"disable_parallel_tool_use": True}
    answer = ask(of_anthropic, tools=TOOLS, tool_choice={**choice, **one})
    assert [name for name, _ in calls(answer)] == [choice.get("name", "weather")]


def test_pictures(of_anthropic):
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}]
    assert texts(ask(of_anthropic, messages=[{"role": "user", "content": content}]))


def test_a_schema_is_kept_to(of_anthropic):
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    whole = ask(of_anthropic, output_config=form)
    assert isinstance(json.loads(texts(whole))["n"], int)
    assert (whole.stop_reason, calls(whole)) == ("end_turn", [])
    assert texts(streamed(of_anthropic, output_config=form)) == texts(whole)


def test_thoughts_come_back_signed(of_anthropic, kind):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    for answer in (ask, streamed):
        message = answer(of_anthropic, model="newest", thinking=thinking)
        assert texts(message)
        if kind in ("anthropic", "gemini", "openai-responses"):
            assert any(block.type == "thinking" and block.signature for block in message.content)
        turns = [*ASK["messages"], {"role": "assistant", "content": message.content}]
        turns += [{"role": "user", "content": "go on"}]
        assert texts(ask(of_anthropic, model="newest", messages=turns, thinking=thinking))


@pytest.mark.parametrize(
    ("fault", "error", "kind_of_error"),
    [
        ("status:400", anthropic.BadRequestError, "invalid_request_error"),
        ("status:429", anthropic.RateLimitError, "rate_limit_error"),
        ("status:500", anthropic.InternalServerError, "api_error"),
    ],
)
def test_a_provider_that_fails(of_anthropic, provider, fault, error, kind_of_error):
    provider.fail(fault)
    with pytest.raises(error) as failed:
        ask(of_anthropic)
    assert failed.value.body["type"] == "error"
    assert failed.value.body["error"]["type"] == kind_of_error and failed.value.body["error"]["message"]


def test_a_stream_that_breaks_off_is_an_error(of_anthropic, provider):
    provider.fail("error_after:3")
    with pytest.raises(anthropic.APIError):
        streamed(of_anthropic)


def test_answers_and_errors_have_an_id(of_anthropic, provider):
    assert ask(of_anthropic)._request_id.startswith("req_")
    provider.fail("status:400")
    with pytest.raises(anthropic.BadRequestError) as failed:
        ask(of_anthropic)
    assert failed.value.request_id.startswith("req_")


def test_models_are_listed_as_its_own_api_does(of_anthropic):
    assert {"model", "newest"} <= {model.id for model in of_anthropic.models.list()}


def test_a_wrong_key_is_refused_in_its_own_words(gateway):
    stranger = anthropic.Anthropic(base_url=gateway.url, api_key="sk-stranger", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as refused:
        ask(stranger)
    assert refused.value.body["error"]["type"] == "authentication_error"
