"""Google's client and providers of every dialect."""

import base64
import json
import urllib.request

import pytest
from google import genai
from google.genai import errors, types

from harness.pixel import PNG

QUESTION = "hello there"
CITY = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
TOOLS = [
    {
        "function_declarations": [
            {"name": name, "description": f"Tells the {name}.", "parameters": CITY} for name in ("weather", "time")
        ]
    }
]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def ask(client, contents=QUESTION, model="model", **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def streamed(client, contents=QUESTION, model="model", **config):
    return list(client.models.generate_content_stream(model=model, contents=contents, config=config))


def called(chunks):
    return [(call.name, call.args) for chunk in chunks for call in chunk.function_calls or []]


def test_a_stream_says_what_the_whole_answer_says(of_google):
    whole = ask(of_google, system_instruction="be brief")
    assert whole.text.startswith("You said: hello there")
    assert whole.candidates[0].finish_reason == types.FinishReason.STOP
    chunks = streamed(of_google, system_instruction="be brief")
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    one, other = chunks[-1].usage_metadata, whole.usage_metadata
    assert other.prompt_token_count > 0 and other.candidates_token_count > 0
    assert (one.prompt_token_count, one.candidates_token_count) == (
        other.prompt_token_count,
        other.candidates_token_count,
    )


def refused(client, param, **config):
    """The provider's API has no word for it."""
    with pytest.raises(errors.ClientError) as refused:
        ask(client, **config)
    assert refused.value.status == "INVALID_ARGUMENT" and param in refused.value.message


def test_limits_and_stops(of_google, lacks):
    assert ask(of_google, max_output_tokens=2).candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    if "stop" in lacks:
        return refused(of_google, "generationConfig.stopSequences", stop_sequences=[" there"])
    assert ask(of_google, stop_sequences=[" there"]).text == "You said: hello"


def test_tools_are_called_together_and_answered(of_google, lacks):
    answer = ask(of_google, "both in parallel", tools=TOOLS)
    assert called([answer]) == [("weather", {"city": "example"}), ("time", {"city": "example"})]
    assert called(streamed(of_google, "both in parallel", tools=TOOLS)) == called([answer])
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "sunny"}))
        for call in answer.function_calls
    ]
    turns = [types.UserContent("both in parallel"), answer.candidates[0].content, types.UserContent(results)]
    none = None if "forbid" in lacks else {"function_calling_config": {"mode": "NONE"}}
    assert ask(of_google, turns, tools=TOOLS, tool_config=none).text


def test_a_tool_can_be_demanded(of_google, lacks):
    calling = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["time"]}}
    if "force" in lacks:
        return refused(of_google, "toolConfig.functionCallingConfig", tools=TOOLS, tool_config=calling)
    assert [name for name, _ in called([ask(of_google, tools=TOOLS, tool_config=calling)])] == ["time"]


def test_a_refusal_names_google_s_own_member(of_google, kind):
    if kind.startswith("openai"):
        refused(of_google, "generationConfig.topK", top_k=40)
        headers = {"x-ringway-unsupported": "drop"}
        answer = ask(of_google, top_k=40, http_options={"headers": headers})
        assert answer.sdk_http_response.headers["x-ringway-dropped"] == "generationConfig.topK"
    else:
        pytest.skip("it has the member, too")


def test_pictures(of_google):
    picture = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
    assert ask(of_google, ["what is it?", picture]).text


def test_a_schema_is_kept_to(of_google):
    form = {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
    whole = ask(of_google, **form)
    assert isinstance(json.loads(whole.text)["n"], int)
    assert "".join(chunk.text or "" for chunk in streamed(of_google, **form)) == whole.text


def test_a_call_that_is_signed_comes_back(of_google, lacks):
    answer = ask(of_google, model="newest", tools=TOOLS)
    (call,) = answer.function_calls
    result = types.FunctionResponse(id=call.id, name=call.name, response={"result": "sunny"})
    turns = [types.UserContent(QUESTION), answer.candidates[0].content]
    turns.append(types.UserContent(types.Part(function_response=result)))
    none = None if "forbid" in lacks else {"function_calling_config": {"mode": "NONE"}}
    assert ask(of_google, turns, model="newest", tools=TOOLS, tool_config=none).text


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        ("status:400", 400, "INVALID_ARGUMENT"),
        ("status:429", 429, "RESOURCE_EXHAUSTED"),
        ("status:503", 503, "UNAVAILABLE"),
    ],
)
def test_a_provider_that_fails(of_google, provider, fault, code, status):
    provider.fail(fault)
    with pytest.raises(errors.APIError) as failed:
        ask(of_google)
    assert (failed.value.code, failed.value.status) == (code, status)


def test_models_are_listed_as_its_own_api_does(of_google):
    assert {"models/model", "models/newest"} <= {model.name for model in of_google.models.list()}


def test_a_wrong_key_is_refused_in_its_own_words(gateway):
    stranger = genai.Client(api_key="stranger-key", http_options={"base_url": gateway.url})
    with pytest.raises(errors.ClientError) as refused:
        ask(stranger)
    assert refused.value.code == 401 and refused.value.status == "UNAUTHENTICATED"


def test_the_key_in_the_query(gateway):
    """As examples with curl do it; and a stream that is not asked for as events comes as an array."""
    body = json.dumps({"contents": [{"parts": [{"text": QUESTION}]}]}).encode()
    for verb in ("generateContent", "streamGenerateContent"):
        url = f"{gateway.url}/v1beta/models/model:{verb}?key={gateway.key}"
        with urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"})) as answer:
            said = json.load(answer)
        said = said if verb == "generateContent" else said[0]
        assert said["candidates"][0]["content"]["parts"][0]["text"].startswith("You said")
