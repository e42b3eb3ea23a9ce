"""OpenAI's client (chat completions) and providers of every dialect."""

import json

import openai
import pytest

from harness.pixel import PNG

ASK = {"model": "model", "messages": [{"role": "user", "content": "hello there"}]}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Tells the {name}.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
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
    return client.chat.completions.create(**{**ASK, **more})


def streamed(client, **more):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}, **more))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    calls = {}
    for chunk in chunks:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                seen = calls.setdefault(call.index, {"name": "", "arguments": ""})
                seen["id"] = seen.get("id") or call.id
                seen["name"] += call.function.name or ""
                seen["arguments"] += call.function.arguments or ""
    (finish,) = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    return text, [calls[index] for index in sorted(calls)], finish, chunks[-1].usage


def test_a_stream_says_what_the_whole_answer_says(of_openai):
    system = {"role": "system", "content": "be brief"}
    messages = [system, *ASK["messages"]]
    whole = ask(of_openai, messages=messages)
    choice = whole.choices[0]
    assert whole.object == "chat.completion" and choice.message.role == "assistant"
    assert choice.message.content.startswith("You said: hello there")
    text, calls, finish, usage = streamed(of_openai, messages=messages)
    assert (text, calls, finish) == (choice.message.content, [], "stop")
    assert choice.finish_reason == "stop"
    assert whole.usage.prompt_tokens > 0 and whole.usage.completion_tokens > 0
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def refused(client, param, **more):
    """The provider's API has no word for it."""
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, **more)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_limits_and_stops(of_openai, lacks):
    assert ask(of_openai, max_completion_tokens=2).choices[0].finish_reason == "length"
    if "stop" in lacks:
        return refused(of_openai, "stop", stop=[" there"])
    stopped = ask(of_openai, stop=[" there"])
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].message.content == "You said: hello"


def test_tools_are_called_together_and_answered(of_openai, lacks):
    messages = [{"role": "user", "content": "both in parallel"}]
    answer = ask(of_openai, messages=messages, tools=TOOLS)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [call.function.name for call in choice.message.tool_calls] == ["weather", "time"]
    assert all(json.loads(call.function.arguments) == {"city": "example"} for call in choice.message.tool_calls)
    assert len({call.id for call in choice.message.tool_calls}) == 2
    _, calls, finish, _ = streamed(of_openai, messages=messages, tools=TOOLS)
    assert finish == "tool_calls"
    assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [
        ("weather", {"city": "example"}),
        ("time", {"city": "example"}),
    ]
    turns = [*messages, choice.message.model_dump(exclude_none=True)]
    turns += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in choice.message.tool_calls]
    none = {} if "forbid" in lacks else {"tool_choice": "none"}
    assert ask(of_openai, messages=turns, tools=TOOLS, **none).choices[0].message.content


def test_one_call_at_a_time(of_openai, lacks):
    messages = [{"role": "user", "content": "both in parallel"}]
    asked = {"messages": messages, "tools": TOOLS, "parallel_tool_calls": False}
    if "one_call" in lacks:
        return refused(of_openai, "parallel_tool_calls", **asked)
    choice = ask(of_openai, **asked).choices[0]
    (call,) = choice.message.tool_calls
    assert (call.function.name, choice.finish_reason) == ("weather", "tool_calls")
    _, calls, finish, _ = streamed(of_openai, **asked)
    assert ([one["name"] for one in calls], finish) == (["weather"], "tool_calls")
    turns = [*messages, choice.message.model_dump(exclude_none=True)]
    turns += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    assert ask(of_openai, messages=turns, tools=TOOLS, tool_choice="none").choices[0].message.content


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "time"}}])
def test_a_tool_can_be_demanded(of_openai, choice, lacks):
    if "force" in lacks:
        return refused(of_openai, "tool_choice", tools=TOOLS, tool_choice=choice)
    # Some cannot be told to call one tool at a time; not to say it means the same here.
    one = {} if "one_call" in lacks else {"parallel_tool_calls": False}
    (call,) = ask(of_openai, tools=TOOLS, tool_choice=choice, **one).choices[0].message.tool_calls
    assert call.function.name == ("weather" if choice == "required" else "time")


NOTE = {"type": "custom", "custom": {"name": "note", "description": "Takes a note."}}


def test_a_tool_with_a_text_is_called_with_one(of_openai, lacks):
    """Where the provider has functions alone, too."""
    choice = {} if "force" in lacks else {"tool_choice": {"type": "custom", "custom": {"name": "note"}}}
    asked = {"messages": ASK["messages"], "tools": [NOTE], **choice}
    whole = ask(of_openai, **asked).choices[0]
    assert whole.finish_reason == "tool_calls"
    (call,) = whole.message.tool_calls
    assert (call.type, call.custom.name) == ("custom", "note") and isinstance(call.custom.input, str)
    chunks = list(ask(of_openai, stream=True, **asked))
    pieces = [
        call.model_dump() for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []
    ]
    assert (pieces[0]["type"], pieces[0]["custom"]["name"]) == ("custom", "note")
    assert "".join(piece["custom"]["input"] for piece in pieces) == call.custom.input
    turns = [*ASK["messages"], whole.message.model_dump(exclude_none=True)]
    turns.append({"role": "tool", "tool_call_id": call.id, "content": "noted"})
    none = {} if "forbid" in lacks else {"tool_choice": "none"}
    assert ask(of_openai, messages=turns, tools=[NOTE], **none).choices[0].message


def test_functions_of_before_there_were_tools(of_openai, kind, lacks):
    if kind == "openai":
        pytest.skip("its own dialect: what the provider answers passes as it is")
    functions = [tool["function"] for tool in TOOLS]
    choice = {} if "force" in lacks else {"function_call": {"name": "time"}}
    asked = {"messages": ASK["messages"], "functions": functions, **choice}
    whole = ask(of_openai, **asked).choices[0]
    assert whole.finish_reason == "function_call" and not whole.message.tool_calls
    called = whole.message.function_call
    assert json.loads(called.arguments) == {"city": "example"}
    chunks = [choice for chunk in ask(of_openai, stream=True, **asked) for choice in chunk.choices]
    deltas = [choice.delta.function_call for choice in chunks if choice.delta.function_call]
    assert (deltas[0].name, "".join(delta.arguments for delta in deltas)) == (called.name, called.arguments)
    assert [choice.finish_reason for choice in chunks if choice.finish_reason] == ["function_call"]
    turns = [*ASK["messages"], whole.message.model_dump(exclude_none=True)]
    turns.append({"role": "function", "name": called.name, "content": "noon"})
    assert ask(of_openai, messages=turns, functions=functions).choices[0].message


def test_pictures(of_openai):
    url = "data:image/png;base64," + PNG
    content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert ask(of_openai, messages=[{"role": "user", "content": content}]).choices[0].message.content


def test_a_schema_is_kept_to(of_openai):
    form = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA, "strict": True}}
    whole = ask(of_openai, response_format=form).choices[0]
    assert isinstance(json.loads(whole.message.content)["n"], int)
    assert whole.finish_reason == "stop" and not whole.message.tool_calls
    text, calls, finish, _ = streamed(of_openai, response_format=form)
    assert (json.loads(text), calls, finish) == (json.loads(whole.message.content), [], "stop")


def test_reasoning_is_shown_and_comes_back(of_openai):
    whole = ask(of_openai, model="newest", reasoning_effort="high").choices[0].message
    turns = [*ASK["messages"], whole.model_dump(exclude_none=True), {"role": "user", "content": "go on"}]
    assert ask(of_openai, model="newest", messages=turns, reasoning_effort="high").choices[0].message.content


def test_what_cannot_be_said_is_refused_or_dropped(of_openai, kind):
    if kind.startswith("openai"):
        pytest.skip("its own dialect says everything")
    refused(of_openai, "logit_bias", logit_bias={"50256": -100})
    drop = {"x-ringway-unsupported": "drop"}
    answer = of_openai.chat.completions.with_raw_response.create(**ASK, logit_bias={"50256": -100}, extra_headers=drop)
    assert answer.headers["x-ringway-dropped"] == "logit_bias"
    assert answer.parse().choices[0].message.content


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_a_provider_that_fails(of_openai, provider, status, error):
    provider.fail(f"status:{status}")
    with pytest.raises(error) as failed:
        ask(of_openai)
    assert failed.value.body["message"] and failed.value.body["type"]


def test_what_was_dropped_for_a_provider_that_failed_is_not_named(ringway, simulate):
    """The first provider cannot be told of `logit_bias` and fails; the second is."""
    simulator = simulate("provider", script='[[rule]]\nmatch.path = "/messages"\nfault = "status:503"\n')
    providers = {"a": {"kind": "anthropic", "base_url": simulator.endpoint}, "b": simulator}
    gateway = ringway(providers=providers, models={"model": ["a/sim-small", "b/sim-small"]})
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(
            **ASK, logit_bias={"50256": -100}, extra_headers={"x-ringway-unsupported": "drop", "x-ringway-debug": "1"}
        )
    assert answer.headers["x-ringway-attempts"] == "2"
    assert "x-ringway-dropped" not in answer.headers
