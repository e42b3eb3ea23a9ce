"""Providers that are asked in other dialects than the usual one of their kind, and the official clients before them.

`tests/clients/dialects` holds that every client gets from each of them what its API promises. Here is what is particular: paths and members of
their own, what becomes of streams that end early, and how it is decided which dialect a provider is asked in.
"""

import base64
import http.client
import json

import anthropic
import openai
import pytest

from harness.natives import Cohere, Ollama
from harness.pixel import PNG

ASK = {"model": "model", "messages": [{"role": "user", "content": "hello there"}]}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("weather", "time")]


@pytest.fixture
def serve():
    """Starts providers that speak a native API, and looks at the end at what they were asked."""
    running = []

    def start(native):
        running.append(native())
        return running[-1]

    yield start
    for native in running:
        native.stop()
        assert native.invalid == {}


@pytest.fixture
def ollama(serve):
    return serve(Ollama)


@pytest.fixture
def cohere(serve):
    return serve(Cohere)


def entry(native):
    """How a provider stands in the configuration."""
    if isinstance(native, Ollama):
        return {"kind": "ollama", "dialect": "ollama", "base_url": native.origin, "credential": None}
    return {"kind": "cohere", "base_url": native.origin}


@pytest.fixture
def client_of(ringway):
    """OpenAI's client, and `raw`, for the models of a provider: `model`, and any other by its own name."""

    def start(provider, model="sim-small"):
        gateway = ringway(providers={"a": provider}, models={"model": [f"a/{model}"], "*": ["a/*"]})
        client = openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0)
        client.gateway = gateway
        return client

    return start


def raw(gateway, path, body, **headers):
    """Status, headers and body of a request of which every byte is the test's."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json", **headers}
    try:
        connection.request("POST", path, body, shown)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


# ---- Ollama ----


def test_the_server_is_told_its_own_options(client_of, ollama):
    client = client_of(entry(ollama))
    more = {"num_ctx": 16384, "keep_alive": "10m", "options": {"num_gpu": 1}}
    client.chat.completions.create(**ASK, temperature=0.5, seed=7, max_tokens=5, extra_body=more)
    assert ollama.asked[-1].path == "/api/chat" and "authorization" not in ollama.asked[-1].headers
    assert ollama.asked[-1].headers["accept"] == "application/json"
    assert ollama.last["options"] == {
        "num_predict": 5,
        "temperature": 0.5,
        "seed": 7,
        "num_ctx": 16384,
        "num_gpu": 1,
    }
    assert ollama.last["keep_alive"] == "10m" and ollama.last["stream"] is False
    list(client.chat.completions.create(**ASK, stream=True))
    assert ollama.asked[-1].headers["accept"] == "application/x-ndjson" and ollama.last["stream"] is True


def test_only_some_of_its_models_know_levels_of_thinking(client_of, ollama):
    client = client_of(entry(ollama))
    for model, said in (("gpt-oss:20b", "high"), ("qwen3:8b", True)):
        answer = client.chat.completions.create(**{**ASK, "model": model}, reasoning_effort="high")
        assert ollama.last["think"] == said
        assert answer.choices[0].message.reasoning_content == "The user wants an answer."


def test_pictures_are_bytes(client_of, ollama):
    client = client_of(entry(ollama))
    for url in (f"data:image/png;base64,{PNG}", "https://example.com/a.png"):
        content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        turn = [{"role": "user", "content": content}]
        if url.startswith("data:"):
            client.chat.completions.create(model="model", messages=turn)
            (message,) = ollama.last["messages"]
            assert base64.b64decode(message["images"][0]).startswith(b"\x89PNG") and message["content"] == "what is it?"
        else:
            with pytest.raises(openai.BadRequestError, match="fetches no pictures"):
                client.chat.completions.create(model="model", messages=turn)


@pytest.mark.parametrize("stream", [False, True])
def test_calls_of_servers_that_give_them_no_ids(client_of, ollama, stream):
    ollama.call_ids = False
    client = client_of(entry(ollama))
    question = [{"role": "user", "content": "both in parallel"}]
    if stream:
        with client.chat.completions.stream(model="model", messages=question, tools=TOOLS) as chunks:
            message = chunks.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(model="model", messages=question, tools=TOOLS).choices[0].message
    ids = [call.id for call in message.tool_calls]
    assert len(set(ids)) == 2 and all(ids)
    calls = [{"id": call.id, "type": "function", "function": call.function.model_dump()} for call in message.tool_calls]
    for call in calls:
        call["function"] = {name: call["function"][name] for name in ("name", "arguments")}
    turns = [*question, {"role": "assistant", "content": None, "tool_calls": calls}]
    turns += [{"role": "tool", "tool_call_id": name, "content": "sunny"} for name in reversed(ids)]
    assert client.chat.completions.create(model="model", messages=turns, tools=TOOLS).choices[0].message.content
    results = [message for message in ollama.last["messages"] if message["role"] == "tool"]
    assert {(one["tool_name"], one["tool_call_id"]) for one in results} == set(zip(("weather", "time"), ids))


def test_its_other_endpoints_are_openai_s(client_of, ollama):
    """Wherever the operator says that the server is, with the version segment that its compatible API has or without."""
    for version in ("", "/v1"):
        client = client_of({**entry(ollama), "base_url": ollama.origin + version})
        answer = client.embeddings.create(model="model", input="a", encoding_format="float")
        assert answer.data[0].embedding == [0.5, -0.5]
        assert ollama.asked[-1].path == "/v1/embeddings" and ollama.last["model"] == "sim-small"
        assert client.chat.completions.create(**ASK).choices[0].message.content


def test_the_usual_way_to_its_models_is_a_pass_through(client_of, ollama):
    client = client_of({"kind": "ollama", "base_url": f"{ollama.origin}/v1", "credential": None})
    # This server's compatible API has no chat completions; real ones do.
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**ASK)
    assert ollama.asked[-1].path == "/v1/chat/completions"


def test_what_it_cannot_do_another_deployment_does(ringway, simulate, ollama):
    simulator = simulate("other")
    gateway = ringway(providers={"a": entry(ollama), "b": simulator}, models={"model": ["a/sim-small", "b/sim-small"]})
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        answer = client.chat.completions.create(**ASK, tools=TOOLS, tool_choice="required")
        assert answer.choices[0].message.tool_calls and ollama.asked == []
        client.chat.completions.create(**ASK, tools=TOOLS)
        assert len(ollama.asked) == 1


# ---- Cohere ----


def test_cohere_is_shown_the_key_and_tells_what_is_left(client_of, cohere):
    client = client_of(entry(cohere))
    answer = client.chat.completions.with_raw_response.create(**ASK, top_p=1, extra_body={"top_k": 7})
    assert cohere.asked[-1].path == "/v2/chat"
    assert cohere.asked[-1].headers["authorization"] == f"Bearer {client.gateway.credential}"
    assert (cohere.last["p"], cohere.last["k"]) == (0.99, 7)
    assert answer.headers["x-trial-endpoint-call-remaining"] == "19" and "x-debug-trace-id" not in answer.headers
    # Billed units count, not what Cohere's own prompts added.
    usage = answer.parse().usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (5, 24)


def test_cohere_follows_a_schema_beside_tools(client_of, cohere):
    """It takes no `response_format` with tools: one more tool stands in, and its input is the answer."""
    client = client_of(entry(cohere))
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY, "strict": True}}
    answer = client.chat.completions.create(**ASK, response_format=form)
    assert cohere.last["response_format"]["type"] == "json_object" and "tools" not in cohere.last
    assert json.loads(answer.choices[0].message.content) == {"city": "example"}
    results = [
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "time", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]
    turns = [*ASK["messages"], *results]
    client.chat.completions.create(model="model", messages=turns, tools=TOOLS, response_format=form)
    assert "response_format" not in cohere.last and cohere.last["tool_choice"] == "REQUIRED"
    assert len(cohere.last["tools"]) == 3


def test_what_cohere_plans_is_shown_as_thoughts(client_of, cohere):
    client = client_of(entry(cohere))
    whole = client.chat.completions.create(**ASK, tools=TOOLS).choices[0].message
    assert whole.reasoning_content == Cohere.plan
    chunks = list(client.chat.completions.create(**ASK, tools=TOOLS, stream=True))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == Cohere.plan


# ---- errors ----


@pytest.mark.parametrize("native", [Ollama, Cohere])
@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, openai.BadRequestError, "invalid_request"),
        (401, openai.InternalServerError, None),
        (404, openai.APIStatusError, None),
        (429, openai.RateLimitError, None),
        (503, openai.InternalServerError, None),
    ],
)
def test_refusals_are_told_in_openai_s_words(client_of, serve, native, status, error, code):
    provider = serve(native)
    provider.fail(f"status:{status}")
    client = client_of(entry(provider))
    for stream in (False, True):
        with pytest.raises(error) as failed:
            client.chat.completions.create(**ASK, stream=stream)
        body = failed.value.body
        assert body["message"] and body["type"] and (code is None or body["code"] == code)
        # Not the client's key is wrong, nor the model that it named: the operator's are.
        assert failed.value.status_code not in (401, 404)


def responses(simulate):
    """The simulated provider, to be asked through the Responses API."""
    simulator = simulate("provider")
    simulator.entry = {"kind": "openai", "dialect": "openai-responses", "base_url": simulator.endpoint}
    return simulator


@pytest.fixture(params=["ollama", "cohere", "openai-responses"])
def streaming(request, serve, simulate):
    """A provider of each dialect, and what stands in the configuration for it."""
    if request.param == "openai-responses":
        return responses(simulate)
    native = serve({"ollama": Ollama, "cohere": Cohere}[request.param])
    native.entry = entry(native)
    return native


@pytest.mark.parametrize("fault", ["error_after:2", "eof_after:2"])
def test_no_client_takes_a_stream_that_ended_early_for_a_whole_one(client_of, streaming, fault):
    streaming.fail(fault)
    client = client_of(streaming.entry)
    gateway = client.gateway
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(**ASK, stream=True))
    with (
        pytest.raises(anthropic.APIError),
        anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as of_anthropic,
        of_anthropic.messages.stream(**ASK, max_tokens=500) as stream,
    ):
        stream.get_final_message()
    contents = {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}
    _, _, said = raw(gateway, "/v1beta/models/model:streamGenerateContent?alt=sse", contents)
    last = json.loads(said.strip().split(b"data: ")[-1])
    assert last["error"]["code"] >= 500 and b"finishReason" not in said
    if streaming.entry["kind"] != "openai":
        asked = {"model": "model", "input": "hello there", "stream": True}
        _, _, said = raw(gateway, "/v1/responses", asked)
        last = json.loads(said.strip().split(b"data: ")[-1])
        assert last["type"] in ("error", "response.failed") and b"response.completed" not in said


@pytest.mark.parametrize("native", [Ollama, Cohere])
def test_a_stream_that_breaks_off_is_an_error(client_of, serve, native):
    provider = serve(native)
    provider.fail("break_after:3")
    client = client_of(entry(provider))
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(**ASK, stream=True))


@pytest.mark.parametrize("native", [Ollama, Cohere])
def test_a_stream_that_fails_before_it_said_anything_is_another_s(ringway, serve, simulate, native):
    provider, simulator = serve(native), simulate("other")
    provider.fail("error_after:0")
    gateway = ringway(
        providers={"a": entry(provider), "b": simulator}, models={"model": ["a/sim-small", "b/sim-small"]}
    )
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        chunks = list(client.chat.completions.create(**ASK, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop" and len(provider.asked) == 1


# ---- which dialect ----


def test_a_client_of_responses_passes_as_it_is(client_of, simulate):
    simulator = responses(simulate)
    client = client_of(simulator.entry)
    body = b'{ "input" :"hello there" , "model":"model",\n "metadata": {"a": "b"}}'
    status, _, _ = raw(client.gateway, "/v1/responses", body)
    assert status == 200
    seen = simulator.last_request()
    assert seen.path == "/v1/responses" and seen.body == body.decode().replace('"model":"model"', '"model":"sim-small"')
    # Everything else of the API is there too, as it came.
    client.embeddings.create(model="model", input="a")
    assert simulator.last_request().path == "/v1/embeddings"
    client.chat.completions.create(**ASK)
    assert simulator.last_request().path == "/v1/responses"


def test_models_that_have_nothing_else_are_asked_through_responses(ringway, simulate):
    simulator = simulate("provider")
    chosen = {"kind": "openai", "at": simulator, "dialect": "openai"}
    gateway = ringway(
        providers={"a": simulator, "chosen": chosen},
        models={"named": ["a/gpt-5.2-pro"], "own": ["a/ours"], "chosen": ["chosen/gpt-5.2-pro"], "*": ["a/*"]},
        **{'catalog."a/ours"': {"kind": "responses"}},
    )
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        for model, path in (
            ("named", "/v1/responses"),
            ("own", "/v1/responses"),
            ("gpt-5.2-pro", "/v1/responses"),
            ("gpt-5.2-pro-2025-12-11", "/v1/responses"),
            ("gpt-5", "/v1/chat/completions"),
            ("chosen", "/v1/chat/completions"),
        ):
            answer = client.chat.completions.create(**{**ASK, "model": model})
            assert answer.choices[0].message.content.startswith("You said: hello there")
            assert simulator.last_request().path == path, model
    assert simulator.stats().invalid == {}


def test_thoughts_that_openai_sealed_come_back_under_their_id(client_of, simulate):
    """The simulator refuses them under another."""
    simulator = responses(simulate)
    gateway = client_of(simulator.entry).gateway
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        ask = {**ASK, "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}}
        answer = client.messages.create(**ask)
        thought = answer.content[0]
        assert thought.type == "thinking" and thought.thinking and thought.signature
        turns = [*ASK["messages"], {"role": "assistant", "content": answer.content}, *ASK["messages"]]
        assert client.messages.create(**{**ask, "messages": turns}).content
    sent = simulator.last_request().json
    assert any(item.get("encrypted_content", "").startswith("gAAAA") for item in sent["input"])
    assert sent["store"] is False and sent["include"] == ["reasoning.encrypted_content"]
    assert simulator.stats().invalid == {}


def test_a_provider_is_asked_in_anthropic_s_dialect(ringway, simulate):
    simulator = simulate("provider")
    at = {"kind": "deepseek", "dialect": "anthropic", "base_url": simulator.origin}
    gateway = ringway(providers={"a": at}, models={"model": ["a/deepseek-v4-pro"]})
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        form = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY, "strict": True}}
        answer = client.chat.completions.create(**ASK, response_format=form, reasoning_effort="low")
    assert json.loads(answer.choices[0].message.content) == {"city": "example"}
    seen = simulator.last_request()
    assert seen.path == "/v1/messages" and "x-api-key" in seen.headers
    assert "authorization" not in seen.headers
    # Who imitates the API knows neither its schemas nor its adaptive thinking.
    assert "output_config" not in seen.json and seen.json["tool_choice"]["type"] in ("tool", "any", "auto")
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        assert client.messages.create(**ASK, max_tokens=50).content[0].text
    assert simulator.last_request().json == {**ASK, "model": "deepseek-v4-pro", "max_tokens": 50}
    assert simulator.stats().invalid == {}
