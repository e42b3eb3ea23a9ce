"""The simulated OpenAI, driven by OpenAI's client."""

import json

import openai
import pytest

from harness.pixel import PNG

MODEL = "sim-small"
QUESTION = [{"role": "user", "content": "hello there"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
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


@pytest.fixture
def client(simulator, of_openai):
    return of_openai(simulator)


def test_a_stream_says_what_the_whole_answer_says(client):
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION)
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert text.startswith("You said: hello there")
    assert chunks[-1].usage == whole.usage


def test_tools_are_called_one_by_one_and_together(client):
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, tools=TOOLS)
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "example"}
    both = client.chat.completions.create(model=MODEL, messages=QUESTION, tools=TOOLS, parallel_tool_calls=True)
    calls = both.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "time"]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in calls]
    turns = QUESTION + [both.choices[0].message.model_dump(exclude_none=True)] + results
    assert client.chat.completions.create(model=MODEL, messages=turns, tools=TOOLS).choices[0].message.content


def test_pictures_and_schemas(client):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    turns = [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, picture]}]
    assert "what is this?" in client.chat.completions.create(model=MODEL, messages=turns).choices[0].message.content
    answer = client.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
    )
    assert json.loads(answer.choices[0].message.content) == {"n": 1}


def test_responses_and_embeddings_and_models(client):
    assert client.responses.create(model=MODEL, input="hello there").output_text.startswith("You said: hello")
    with client.responses.stream(model=MODEL, input="hello there") as stream:
        assert stream.get_final_response().output_text.startswith("You said: hello")
    vectors = client.embeddings.create(model="sim-embedding", input=["a", "b"], dimensions=8)
    assert [len(item.embedding) for item in vectors.data] == [8, 8]
    assert [model.id for model in client.models.list()] == ["sim-small", "sim-embedding"]


def test_errors_have_their_classes(client, simulator, of_openai):
    with pytest.raises(openai.AuthenticationError):
        of_openai(simulator, key="sk-other").models.list()
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="none", messages=QUESTION)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model=MODEL, messages=[])
    assert bad.value.param == "messages"
    assert simulator.stats().invalid == {"openai_chat: messages has a bad value": 1}
    simulator.expect_invalid = True


def test_limits_are_refusals_that_say_when_to_come_back(limited, of_openai):
    client = of_openai(limited)
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION)
    assert raw.headers["x-ratelimit-remaining-requests"] == "0"
    with pytest.raises(openai.RateLimitError) as late:
        client.chat.completions.create(model=MODEL, messages=QUESTION)
    assert 0 < int(late.value.response.headers["retry-after"]) <= 60


def test_a_retry_after_is_waited_for(simulate, of_openai):
    script = '[[rule]]\nmatch = { nth = "1" }\nfault = "rate_limited,retry_after_ms=1"\n'
    simulator = simulate("once", script=script)
    assert of_openai(simulator, max_retries=1).chat.completions.create(model=MODEL, messages=QUESTION).choices
    assert simulator.stats().answers_by_status == {"429": 1, "200": 1}
