"""The simulated Gemini API, driven by Google's client."""

import base64
import json

import pytest
from google.genai import errors, types

from harness.pixel import PNG

MODEL = "sim-small"
QUESTION = "hello there"
CITY = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
TOOLS = [{"function_declarations": [{"name": name, "parameters": CITY} for name in ("weather", "time")]}]


@pytest.fixture
def client(simulator, of_google):
    return of_google(simulator)


def ask(client, contents=QUESTION, model=MODEL, **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def streamed(client, contents=QUESTION, **config):
    return list(client.models.generate_content_stream(model=MODEL, contents=contents, config=config))


def test_a_stream_says_what_the_whole_answer_says(client):
    whole = ask(client, system_instruction="be brief")
    assert whole.text.startswith("You said: hello there")
    assert whole.candidates[0].finish_reason == types.FinishReason.STOP
    chunks = streamed(client, system_instruction="be brief")
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert ask(client, max_output_tokens=2).candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_functions_are_called_one_by_one_and_together(client):
    (call,) = ask(client, tools=TOOLS).function_calls
    assert (call.name, call.args) == ("weather", {"city": "example"})
    answer = ask(client, "both in parallel", tools=TOOLS)
    assert [call.name for call in answer.function_calls] == ["weather", "time"]
    chunks = streamed(client, "both in parallel", tools=TOOLS)
    assert [call.name for chunk in chunks for call in chunk.function_calls or []] == ["weather", "time"]
    results = [types.Part.from_function_response(name=call.name, response={}) for call in answer.function_calls]
    turns = [types.UserContent("both in parallel"), answer.candidates[0].content, types.UserContent(results)]
    assert ask(client, turns, tools=TOOLS).text
    calling = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["time"]}}
    assert [call.name for call in ask(client, tools=TOOLS, tool_config=calling).function_calls] == ["time"]


def test_calls_of_newer_models_come_back_signed(simulate, of_google):
    simulator = simulate("any")
    client = of_google(simulator)
    answer = ask(client, model="gemini-3-pro", tools=TOOLS)
    part = answer.candidates[0].content.parts[0]
    assert part.function_call.id and part.thought_signature
    result = types.FunctionResponse(id=part.function_call.id, name="weather", response={"result": "sunny"})
    turns = [types.UserContent(QUESTION), answer.candidates[0].content]
    turns.append(types.UserContent(types.Part(function_response=result)))
    assert ask(client, turns, model="gemini-3-pro", tools=TOOLS).text
    assert simulator.stats().invalid == {}


def test_thoughts_are_shown(client):
    answer = ask(client, thinking_config={"include_thoughts": True, "thinking_budget": 512})
    thought, text = answer.candidates[0].content.parts
    assert thought.thought and text.thought_signature
    assert answer.usage_metadata.thoughts_token_count > 0
    assert answer.text.startswith("You said:")


@pytest.mark.parametrize(
    "schema",
    [
        {"response_schema": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}},
        {"response_json_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    ],
)
def test_schemas_are_satisfied(client, schema):
    assert json.loads(ask(client, response_mime_type="application/json", **schema).text) == {"n": 1}


def test_pictures_and_counts_and_vectors_and_models(client):
    picture = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
    assert "what is this?" in ask(client, [picture, "what is this?"]).text
    counted = client.models.count_tokens(model=MODEL, contents=QUESTION)
    assert counted.total_tokens == ask(client).usage_metadata.prompt_token_count
    config = {"output_dimensionality": 8}
    vectors = client.models.embed_content(model="sim-embedding", contents=["a", "b"], config=config)
    assert [len(vector.values) for vector in vectors.embeddings] == [8, 8]
    assert [model.name for model in client.models.list()] == ["models/sim-small", "models/sim-embedding"]
    assert client.models.get(model=MODEL).display_name == MODEL


def test_errors_have_their_statuses(client, simulator, of_google):
    def refused(call, code, status):
        with pytest.raises(errors.ClientError) as error:
            call()
        assert (error.value.code, error.value.status) == (code, status)
        return error.value

    wrong = refused(lambda: ask(of_google(simulator, key="no")), 400, "INVALID_ARGUMENT")
    assert wrong.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    refused(lambda: ask(client, model="none"), 404, "NOT_FOUND")
    refused(lambda: ask(client, response_schema=CITY), 400, "INVALID_ARGUMENT")
    simulator.expect_invalid = True


def test_an_overload_is_one_before_and_within_the_answer(client, simulator):
    simulator.fail("status:503")
    with pytest.raises(errors.ServerError) as overloaded:
        ask(client)
    assert overloaded.value.status == "UNAVAILABLE"
    simulator.fail("error_after:2")
    with pytest.raises(errors.ServerError):
        streamed(client)


def test_a_blocked_prompt_has_no_answer(client, simulator):
    simulator.fail("content_filter")
    answer = ask(client)
    assert not answer.candidates
    assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT


def test_limits_say_when_to_come_back(limited, of_google):
    client = of_google(limited)
    ask(client)
    with pytest.raises(errors.ClientError) as late:
        ask(client)
    assert (late.value.code, late.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert late.value.details["error"]["details"][1]["retryDelay"].endswith("s")


def test_a_retry_is_answered(simulate, of_google):
    simulator = simulate("once", script='[[rule]]\nmatch = { nth = "1" }\nfault = "rate_limited:1"\n')
    assert ask(of_google(simulator, attempts=2)).text
    assert simulator.stats().answers_by_status == {"429": 1, "200": 1}
