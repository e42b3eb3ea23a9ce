"""`n` and `candidateCount` where the model gives one answer at a time: as many calls, whose answers come as one."""

import json

import openai
import pytest
from google import genai

from harness.control import ask, connect

# What the providers are, where they are below the simulator's origin, and models that give one answer at a time.
KINDS = {
    "anthropic": ("/v1", "sim-small"),
    "gemini": ("/v1beta", "gemini-3-pro"),
    "groq": ("/v1", "sim-small"),
}
ASK = {"model": "model", "messages": [{"role": "user", "content": "hello there"}]}
USAGE = {"include_usage": True}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def serve(ringway, simulator, kind, model=None, **options):
    path, usual = KINDS.get(kind, ("/v1", "sim-small"))
    at = {"at": simulator, "kind": kind, "base_url": simulator.origin + path, **options}
    return ringway(providers={"a": at}, models={"model": [f"a/{model or usual}"]})


@pytest.fixture
def gateway(ringway, provider, kind):
    return serve(ringway, provider, kind)


def texts_of(chunks, count):
    """What each choice says, from chunks in any order; each begins and ends once."""
    texts, roles, finishes = [""] * count, [], []
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            roles += [choice.index] if choice.delta.role else []
            finishes += [choice.index] if choice.finish_reason else []
    assert sorted(roles) == sorted(finishes) == list(range(count))
    return texts


def test_whole_answers(of_openai, gateway, provider):
    one = of_openai.chat.completions.create(**ASK)
    several = of_openai.chat.completions.create(**ASK, n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert all(choice.message.content.startswith("You said: hello there") for choice in several.choices)
    assert all(choice.finish_reason == "stop" and choice.message.role == "assistant" for choice in several.choices)
    assert several.usage.prompt_tokens == 3 * one.usage.prompt_tokens
    assert several.usage.completion_tokens == 3 * one.usage.completion_tokens
    assert provider.stats().requests == 4
    line = gateway.wait_log("of the three", lambda line: line["input_tokens"] == several.usage.prompt_tokens)
    assert line["output_tokens"] == several.usage.completion_tokens and line["attempts"] == 1
    assert "n" not in provider.last_request().json and "candidateCount" not in provider.last_request().body


def test_streams(of_openai, gateway, provider):
    whole = of_openai.chat.completions.create(**ASK, n=3)
    chunks = list(of_openai.chat.completions.create(**ASK, n=3, stream=True, stream_options=USAGE))
    assert texts_of(chunks, 3) == [choice.message.content for choice in whole.choices]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert chunks[-1].usage == usage and not chunks[-1].choices
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)
    assert provider.stats().requests == 6
    gateway.wait_log(
        "of the stream", lambda line: line["streamed"] and line["output_tokens"] == usage.completion_tokens
    )


def test_streams_that_come_side_by_side(of_openai, provider, kind):
    """Each provider's answer lasts for some time; none waits for another."""
    provider.script("latency = { gap_ms = 20 }\nanswer = { tokens = 8 }\n")
    chunks = list(of_openai.chat.completions.create(**ASK, n=3, stream=True))
    assert all(texts_of(chunks, 3))
    order = [choice.index for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert order != sorted(order)


def test_tools(of_openai):
    function = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    several = of_openai.chat.completions.create(**ASK, n=2, tools=[{"type": "function", "function": function}])
    assert [choice.finish_reason for choice in several.choices] == ["tool_calls"] * 2
    calls = [call for choice in several.choices for call in choice.message.tool_calls]
    assert [call.function.name for call in calls] == ["weather"] * 2 and calls[0].id and calls[1].id


def test_a_schema(of_openai):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema, "strict": True}}
    several = of_openai.chat.completions.create(**ASK, n=2, response_format=form)
    assert all(isinstance(json.loads(choice.message.content)["n"], int) for choice in several.choices)


@pytest.mark.parametrize("stream", [False, True])
def test_one_that_fails_before_it_has_begun_fails_the_attempt(ringway, simulate, kind, stream):
    path, model = KINDS[kind]
    failing = simulate("failing", script='[[rule]]\nmatch.nth = "2..2"\nfault = "status:503"\n')
    other = simulate("other")
    gateway = ringway(
        providers={
            "a": {"kind": kind, "base_url": failing.origin + path},
            "b": {"kind": kind, "base_url": other.origin + path},
        },
        models={"model": [f"a/{model}", f"b/{model}"]},
    )
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        answer = client.chat.completions.create(**ASK, n=3, stream=stream)
        if stream:
            assert all(texts_of(list(answer), 3))
        else:
            assert len(answer.choices) == 3
    assert failing.stats().requests == 3 and other.stats().requests == 3
    assert gateway.metric("ringway_deployment_failures_total", deployment=f"a/{model}") == 1
    gateway.wait_log("of both attempts", lambda line: line["attempts"] == 2 and line["status"] == 200)


@pytest.mark.parametrize("status", [400, 429])
def test_a_refusal_of_one_is_that_of_all(of_openai, provider, status):
    provider.script(f'[[rule]]\nmatch.nth = "3..3"\nfault = "status:{status}"\n')
    with pytest.raises(openai.APIStatusError) as refused:
        of_openai.chat.completions.create(**ASK, n=3)
    assert refused.value.status_code == status and refused.value.body["message"]


@pytest.mark.parametrize("fault", ["error_after:2", "reset_after:2", "eof_after:2", "bad_event_after:1"])
def test_one_that_breaks_off_in_the_middle_is_an_error(of_openai, gateway, provider, fault):
    provider.script(
        f'latency = {{ gap_ms = 20 }}\nanswer = {{ tokens = 8 }}\n[[rule]]\nmatch.nth = "2..2"\nfault = "{fault}"\n'
    )
    with pytest.raises(openai.APIError) as failed:
        list(of_openai.chat.completions.create(**ASK, n=3, stream=True))
    assert failed.value.body["code"].startswith("upstream_")
    provider.wait("the others were cancelled", lambda stats: stats.in_flight == 0)
    gateway.wait_metric("ringway_streams_broken_total", lambda value: value == 1)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_them_all(of_openai, gateway, provider, stream):
    ttft_ms = 100 if stream else 60_000
    provider.script(f"answer = {{ tokens = 2000 }}\nlatency = {{ ttft_ms = {ttft_ms}, gap_ms = 50 }}\n")
    if stream:
        answer = of_openai.chat.completions.create(**ASK, n=3, stream=True)
        next(answer)
        answer.close()
    else:
        connection = connect(gateway.url)
        key = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps({**ASK, "n": 3}).encode(), key)
        provider.wait("all are under way", lambda stats: stats.in_flight == 3)
        connection.close()
    provider.wait("all were cancelled", lambda stats: stats.cancelled == 3 and stats.in_flight == 0)
    gateway.wait_log("of the client that left", lambda line: line["client_gone"])


def test_too_many_are_refused(of_openai, gateway, provider):
    assert len(of_openai.chat.completions.create(**ASK, n=8).choices) == 8
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.chat.completions.create(**ASK, n=9)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "n")
    drop = {"x-ringway-unsupported": "drop"}
    answer = of_openai.chat.completions.with_raw_response.create(**ASK, n=9, extra_headers=drop)
    assert answer.headers["x-ringway-dropped"] == "n" and len(answer.parse().choices) == 1
    assert provider.stats().requests == 9


def test_connections_are_kept(of_openai, provider, kind):
    for _ in range(3):
        of_openai.chat.completions.create(**ASK, n=4)
        list(of_openai.chat.completions.create(**ASK, n=4, stream=True))
    # Four at once, and what the pool keeps beside them.
    assert provider.stats().connections <= 8


@pytest.mark.parametrize("stream", [False, True])
def test_over_http2(ringway, simulate, kind, stream):
    provider = simulate("provider", tls=True, http2=True)
    gateway = serve(ringway, provider, kind, http="http2")
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        for _ in range(2):
            answer = client.chat.completions.create(**ASK, n=3, stream=stream)
            texts = texts_of(list(answer), 3) if stream else [choice.message.content for choice in answer.choices]
            assert len(texts) == 3 and all(texts)
    stats = provider.stats()
    assert stats.requests == 6 and not stats.invalid
    assert {(seen["protocol"], seen["connection"]) for seen in stats.recent} == {
        ("HTTP/2", stats.recent[0]["connection"])
    }


@pytest.mark.parametrize(
    ("kind_of_all", "model", "member"), [("openai", "sim-small", "n"), ("gemini", "gemini-2.5-flash", "candidateCount")]
)
def test_a_model_that_gives_several_is_asked_once(ringway, provider, kind_of_all, model, member):
    gateway = serve(ringway, provider, kind_of_all, model)
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        assert len(client.chat.completions.create(**ASK, n=3).choices) == 3
    assert provider.stats().requests == 1 and f'"{member}":3' in provider.last_request().body.replace(" ", "")


def test_seeds_differ(ringway, provider):
    gateway = serve(ringway, provider, "groq")
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        client.chat.completions.create(**ASK, n=3, seed=7)
    assert sorted(json.loads(seen["body"])["seed"] for seen in provider.stats().recent) == [7, 8, 9]


@pytest.mark.parametrize("upstream", ["anthropic", "groq"])
def test_clients_of_gemini(ringway, provider, upstream):
    gateway = serve(ringway, provider, upstream)
    client = genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url, "retry_options": {"attempts": 1}})
    config = {"candidate_count": 3}
    whole = client.models.generate_content(model="model", contents="hello there", config=config)
    texts = [candidate.content.parts[0].text for candidate in whole.candidates]
    assert len(texts) == 3 and all(text.startswith("You said") for text in texts)
    streamed = [""] * 3
    chunks = list(client.models.generate_content_stream(model="model", contents="hello there", config=config))
    for chunk in chunks:
        for candidate in chunk.candidates or []:
            streamed[candidate.index or 0] += "".join(part.text or "" for part in candidate.content.parts)
    assert streamed == texts
    assert chunks[-1].usage_metadata.prompt_token_count == whole.usage_metadata.prompt_token_count
    assert provider.stats().requests == 6


def test_it_is_explained(gateway, provider):
    key = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    body = json.dumps({**ASK, "n": 3}).encode()
    _, _, text = ask(connect(gateway.url), "POST", "/v1/explain", body, key)
    (candidate,) = json.loads(text)["candidates"]
    assert (candidate["calls"], candidate["way"]) == (3, "translated")
    (note,) = [note for note in candidate["adapted"] if note["param"] == "n"]
    assert "3 calls" in note["says"] and provider.stats().requests == 0
