"""OpenAI's client and its Responses API, with providers of every dialect."""

import json

import openai
import pytest

from harness.pixel import PNG

ASK = {"model": "model", "input": "hello there"}
TOOLS = [
    {
        "type": "function",
        "name": name,
        "description": f"Tells the {name}.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
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
    return client.responses.create(**{**ASK, **more})


def streamed(client, **more):
    """What the last event says, after the order of all events has been looked at."""
    events = list(ask(client, stream=True, **more))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events][:2] == ["response.created", "response.in_progress"]
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == events[-1].response.output_text
    assert events[-1].type == f"response.{events[-1].response.status}"
    return events[-1].response


def calls(response):
    return [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]


def test_a_stream_says_what_the_whole_answer_says(of_openai):
    whole = ask(of_openai, instructions="be brief")
    assert (whole.object, whole.status) == ("response", "completed")
    assert whole.output_text.startswith("You said: hello there")
    stream = streamed(of_openai, instructions="be brief")
    assert (stream.status, stream.output_text) == ("completed", whole.output_text)
    assert whole.usage.input_tokens > 0 and whole.usage.output_tokens > 0
    assert stream.usage == whole.usage


def test_limits(of_openai):
    whole = ask(of_openai, max_output_tokens=16)
    for cut in (whole, streamed(of_openai, max_output_tokens=16)):
        assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens"
        assert cut.output_text == whole.output_text


def test_tools_are_called_together_and_answered(of_openai, lacks):
    question = [{"role": "user", "content": "both in parallel"}]
    answer = ask(of_openai, input=question, tools=TOOLS)
    assert calls(answer) == [("weather", {"city": "example"}), ("time", {"city": "example"})]
    assert calls(streamed(of_openai, input=question, tools=TOOLS)) == calls(answer)
    items = [item.model_dump(exclude_none=True) for item in answer.output]
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
        for item in answer.output
        if item.type == "function_call"
    ]
    none = {} if "forbid" in lacks else {"tool_choice": "none"}
    assert ask(of_openai, input=[*question, *items, *results], tools=TOOLS, **none).output_text


def test_tools_of_a_group_are_called_with_their_group(of_openai, kind, lacks):
    if kind.startswith("openai"):
        pytest.skip("its own dialect: the provider knows groups itself")
    note = {"type": "custom", "name": "note", "description": "Takes a note."}
    group = {"type": "namespace", "name": "here", "description": "About this place.", "tools": [*TOOLS, note]}
    choices = [{}] if "force" in lacks else [{"type": "function", "name": "time"}, {"type": "custom", "name": "note"}]
    for choice in choices:
        asked = {"tools": [group], **({"tool_choice": choice} if choice else {})}
        for response in ask(of_openai, **asked), streamed(of_openai, **asked):
            called = [item for item in response.output if item.type.endswith("_call")]
            assert called and all(item.namespace == "here" for item in called)
            assert not choice or [item.name for item in called] == [choice["name"]]
        turns = [{"role": "user", "content": "hello there"}]
        for item in called:
            turns.append(item.model_dump(exclude_none=True))
            turns.append({"type": f"{item.type}_output", "call_id": item.call_id, "output": "noon"})
        none = {} if "forbid" in lacks else {"tool_choice": "none"}
        assert ask(of_openai, input=turns, tools=[group], **none).output


def test_pictures(of_openai):
    content = [
        {"type": "input_text", "text": "what is it?"},
        {"type": "input_image", "image_url": "data:image/png;base64," + PNG, "detail": "auto"},
    ]
    assert ask(of_openai, input=[{"role": "user", "content": content}]).output_text


def test_a_schema_is_kept_to(of_openai):
    form = {"format": {"type": "json_schema", "name": "number", "schema": SCHEMA, "strict": True}}
    whole = ask(of_openai, text=form)
    assert isinstance(json.loads(whole.output_text)["n"], int)
    assert streamed(of_openai, text=form).output_text == whole.output_text


def test_what_lives_at_a_provider_has_to_be_there(of_openai, kind):
    """A provider that keeps responses has none that we did not give out; others keep none."""
    with pytest.raises(openai.BadRequestError) as refused:
        ask(of_openai, previous_response_id="resp_1")
    code = "previous_response_not_found" if kind.startswith("openai") else "unsupported_parameter"
    assert (refused.value.code, refused.value.param) == (code, "previous_response_id")


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_a_provider_that_fails(of_openai, provider, status, error):
    provider.fail(f"status:{status}")
    with pytest.raises(error) as failed:
        ask(of_openai)
    assert failed.value.body["message"] and failed.value.body["type"]


def test_a_stream_that_breaks_off_ends_as_failed(of_openai, provider, kind):
    """With what was said until then. A provider of the same API says so in its own words."""
    provider.fail("error_after:4")
    events = list(of_openai.responses.create(model="model", input="hello", stream=True))
    last = events[-1]
    if kind.startswith("openai"):
        assert last.type == "error" and last.message
        return
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert last.response.error.message
