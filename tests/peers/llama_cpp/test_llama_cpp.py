"""A real model behind Ringway: llama.cpp's server with SmolLM2-135M.

What a client gets through Ringway is compared with what the server says when it is asked directly. Clients of the other APIs have to get the
same text and the same usage.
"""

import json
import os
from types import SimpleNamespace

import anthropic
import openai
import pydantic
import pytest
from google import genai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from harness.llama_cpp import LlamaCpp
from harness.waiting import wait_for

ASK = [{"role": "user", "content": "Name three rivers of Europe."}]
FIXED = {"model": "smollm2", "temperature": 0, "seed": 7, "max_tokens": 24}


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    server = LlamaCpp.serve(tmp_path_factory.mktemp("llama"))
    yield server
    server.stop()


@pytest.fixture
def gateway(ringway, llama):
    if os.environ.get("RINGWAY_TARGET") == "direct":
        return SimpleNamespace(api=llama.api, key="none")
    return ringway(providers={"llama": llama.entry}, models={"smollm2": ["llama/smollm2"]})


def client_of(api, key="none"):
    return openai.OpenAI(base_url=api, api_key=key, max_retries=0)


@pytest.fixture
def through(gateway):
    return client_of(gateway.api, gateway.key)


@pytest.fixture
def directly(llama):
    return client_of(llama.api)


def raw(client, **arguments):
    """The whole answer as it came, less what differs from one answer to the next by nature."""
    text = client.chat.completions.with_raw_response.create(**FIXED, **arguments).text
    answer = json.loads(text if isinstance(text, str) else text())
    for name in ("id", "created", "timings"):
        answer.pop(name, None)
    return answer


def test_whole_answer_equals_the_direct_one(through, directly):
    ours, theirs = raw(through, messages=ASK), raw(directly, messages=ASK)
    for choice in (*ours["choices"], *theirs["choices"]):
        # What the server leaves out is filled in; the next test looks at that.
        choice.setdefault("logprobs", None)
        choice["message"].setdefault("refusal", None)
    assert ours == theirs
    assert ours["choices"][0]["message"]["content"]


@pytest.mark.gateway_only
def test_whole_answer_satisfies_the_schema(through):
    answer = raw(through, messages=ASK) | {"id": "x", "created": 1}
    choice = answer["choices"][0]
    assert choice["logprobs"] is None and choice["message"]["refusal"] is None
    ChatCompletion.model_validate(answer, strict=True)


def test_streamed_answer_equals_the_direct_one_and_the_whole_one(through, directly):
    def streamed(client):
        chunks = list(client.chat.completions.create(**FIXED, messages=ASK, stream=True))
        for chunk in chunks:
            ChatCompletionChunk.model_validate(chunk.model_dump(warnings="error"), strict=True)
            assert chunk.choices, "no usage chunk was asked for"
        return [(chunk.choices[0].delta.content, chunk.choices[0].finish_reason) for chunk in chunks]

    ours, theirs = streamed(through), streamed(directly)
    assert ours == theirs
    assert ours[-1][1] in ("stop", "length")
    text = "".join(content or "" for content, _ in ours)
    assert text == raw(through, messages=ASK)["choices"][0]["message"]["content"]


def test_streamed_usage(through, directly):
    def usage(client):
        chunks = client.chat.completions.create(
            **FIXED, messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        last = list(chunks)[-1]
        assert last.choices == []
        return last.usage.prompt_tokens, last.usage.completion_tokens

    assert usage(through) == usage(directly)


class River(pydantic.BaseModel):
    name: str
    length_km: int


def test_json_schema_output_parses(through):
    answer = through.chat.completions.parse(
        **FIXED | {"max_tokens": 80},
        messages=[{"role": "user", "content": "Describe the Rhine."}],
        response_format=River,
    )
    assert isinstance(answer.choices[0].message.parsed, River)


def test_embedding_style_completions_pass_through(through, directly):
    arguments = {**FIXED, "prompt": "The Rhine is"}
    assert (
        through.completions.create(**arguments).choices[0].text
        == directly.completions.create(**arguments).choices[0].text
    )


def test_context_overflow(through):
    with pytest.raises(openai.BadRequestError) as caught:
        through.chat.completions.create(**FIXED, messages=[{"role": "user", "content": "river " * 4000}])
    assert "context" in caught.value.message
    assert caught.value.type == "exceed_context_size_error"


PROMPT = ASK[0]["content"]
SCHEMA = River.model_json_schema()


def responses_of(gateway, prompt, streamed, tokens, schema):
    form = {"format": {"type": "json_schema", "name": "river", "schema": schema, "strict": True}} if schema else {}
    asked = {"model": "smollm2", "input": prompt, "temperature": 0, "max_output_tokens": tokens, "text": form}
    client = client_of(gateway.api, gateway.key)
    answer = (
        list(client.responses.create(**asked, stream=True))[-1].response
        if streamed
        else client.responses.create(**asked)
    )
    return answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens


def messages_of(gateway, prompt, streamed, tokens, schema):
    form = {"output_config": {"format": {"type": "json_schema", "schema": schema}}} if schema else {}
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, **form}
    # This client no longer names it.
    asked["extra_body"] = {"temperature": 0}
    client = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    if streamed:
        with client.messages.stream(**asked) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**asked)
    return "".join(block.text for block in answer.content), answer.usage.input_tokens, answer.usage.output_tokens


def gemini_of(gateway, prompt, streamed, tokens, schema):
    form = {"response_mime_type": "application/json", "response_json_schema": schema} if schema else {}
    config = {"temperature": 0, "max_output_tokens": tokens, **form}
    client = genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url})
    ask = client.models.generate_content_stream if streamed else client.models.generate_content
    answer = ask(model="smollm2", contents=prompt, config=config)
    chunks = list(answer) if streamed else [answer]
    usage = chunks[-1].usage_metadata
    return "".join(chunk.text or "" for chunk in chunks), usage.prompt_token_count, usage.candidates_token_count


@pytest.mark.gateway_only
@pytest.mark.parametrize("ask_of", [responses_of, messages_of, gemini_of])
class TestOtherClients:
    @pytest.mark.parametrize("streamed", [False, True])
    def test_it_says_the_same_at_the_same_usage(self, gateway, directly, ask_of, streamed):
        theirs = raw(directly, messages=ASK)
        usage = theirs["usage"]["prompt_tokens"], theirs["usage"]["completion_tokens"]
        assert ask_of(gateway, PROMPT, streamed, 24, None) == (theirs["choices"][0]["message"]["content"], *usage)

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_schema_is_kept_to(self, gateway, ask_of, streamed):
        text, _, _ = ask_of(gateway, "Describe the Rhine.", streamed, 80, SCHEMA | {"additionalProperties": False})
        River.model_validate_json(text)


@pytest.mark.gateway_only
def test_unavailable_while_loading_then_served(ringway, tmp_path):
    """Sixteen slots and a check of every tensor make loading slow enough to be met by a request."""
    gateway, statuses = None, []
    server = LlamaCpp.start(tmp_path / "slow", context_tokens=131_072, slots=16)
    try:
        wait_for("the server listens", lambda: server.health() != 0)
        gateway = ringway(providers={"llama": server.entry}, models={"smollm2": ["llama/smollm2"]})
        client = client_of(gateway.api, gateway.key)

        def attempt():
            try:
                client.chat.completions.create(**FIXED | {"max_tokens": 1}, messages=ASK)
                statuses.append(200)
            except openai.APIStatusError as error:
                assert error.code == "upstream_error" and error.type == "server_error"
                statuses.append(error.status_code)
            return statuses[-1] == 200

        wait_for("the model answers", attempt, limit_s=60)
    finally:
        server.stop()
    assert 503 in statuses[:-1], "loading was over before the first request; give the server more to load"
    assert set(statuses) == {503, 200}
