"""Vectors: clients of OpenAI's and of Google's, and providers of either.

The simulated provider makes the same vector of the same text whichever API it is asked in, so what clients get can be compared with what
it would have told them itself.
"""

import base64
import math
import struct

import openai
import pytest
from google.genai import errors, types

TEXTS = ["one", "two", 'three, with "quotes" and é']


@pytest.fixture
def direct(provider):
    """The provider itself, without a gateway."""
    with openai.OpenAI(base_url=f"{provider.origin}/v1", api_key="sk-direct", max_retries=0) as client:
        yield client


# How a provider is configured, for everything that has vectors.
KINDS = {
    "openai": {"kind": "openai", "base_url": "/v1"},
    "gemini": {"kind": "gemini", "base_url": "/v1beta"},
    "cohere": {"kind": "cohere", "base_url": "/v2"},
    "ollama": {"kind": "ollama", "base_url": "", "dialect": "ollama"},
}
COUNTS = ("openai", "cohere", "ollama")


@pytest.fixture(params=KINDS)
def kind(request):
    """What providers with vectors speak."""
    return request.param


@pytest.fixture
def gateway(ringway, provider, kind):
    at = {**KINDS[kind], "base_url": provider.origin + KINDS[kind]["base_url"]}
    models = {"model": ["a/sim-small"], "sim-embedding": ["a/sim-embedding"]}
    return ringway(providers={"a": at}, models=models)


def vectors(client, model="sim-embedding", texts=TEXTS, **more):
    answer = client.embeddings.create(model=model, input=texts, **more)
    assert [one.index for one in answer.data] == list(range(len(answer.data)))
    return [one.embedding for one in answer.data]


def same(one, other):
    return len(one) == len(other) and all(
        len(a) == len(b) and all(math.isclose(x, y, rel_tol=1e-6) for x, y in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def test_openai_s_client_gets_what_the_provider_made(of_openai, direct):
    expected = vectors(direct, encoding_format="float")
    # Unless told otherwise the client asks for base64 and unpacks it.
    assert same(vectors(of_openai), expected)
    assert same(vectors(of_openai, encoding_format="float"), expected)
    answer = of_openai.embeddings.create(model="sim-embedding", input=TEXTS)
    assert answer.object == "list" and answer.model == "sim-embedding"
    assert answer.usage.prompt_tokens > 0 and answer.usage.total_tokens == answer.usage.prompt_tokens


def test_base64_is_little_endian_floats(of_openai):
    raw = of_openai.with_raw_response.embeddings.create(model="sim-embedding", input="one", encoding_format="base64")
    (one,) = raw.http_response.json()["data"]
    packed = base64.b64decode(one["embedding"], validate=True)
    numbers = struct.unpack(f"<{len(packed) // 4}f", packed)
    (expected,) = vectors(of_openai, texts=["one"], encoding_format="float")
    assert same([numbers], [expected])


def test_one_input_and_its_length(of_openai, direct, provider, kind):
    (short,) = vectors(of_openai, texts="one", dimensions=8, encoding_format="float")
    assert len(short) == 8
    if kind == "gemini":
        assert provider.last_request().path.endswith(":embedContent")
        assert provider.last_request().json["outputDimensionality"] == 8
    assert same([short], vectors(direct, texts="one", dimensions=8, encoding_format="float"))


def test_a_model_of_another_name(of_openai, direct):
    expected = vectors(direct, model="sim-small", encoding_format="float")
    assert same(vectors(of_openai, model="model"), expected)
    assert of_openai.embeddings.create(model="model", input="x").model in ("model", "sim-small")


def test_what_the_vectors_are_for(of_openai, provider, kind):
    vectors(of_openai, extra_body={"input_type": "query"})
    asked = provider.last_request().json
    if kind == "gemini":
        assert [one["taskType"] for one in asked["requests"]] == ["RETRIEVAL_QUERY"] * 3
    else:
        assert asked["input_type"] == ("search_query" if kind == "cohere" else "query")


def test_tokens_are_the_model_s_own(of_openai, kind):
    # Ollama's server has the endpoint in OpenAI's form.
    if kind in ("openai", "ollama"):
        assert len(vectors(of_openai, texts=[[1, 2, 3], [4]])) == 2
        return
    with pytest.raises(openai.BadRequestError) as refused:
        vectors(of_openai, texts=[[1, 2, 3], [4]])
    assert refused.value.code == "unsupported_parameter" and refused.value.param == "input[0]"


def test_a_count_that_nobody_made_is_marked(of_openai, gateway, kind):
    raw = of_openai.with_raw_response.embeddings.create(model="sim-embedding", input="12345678")
    assert raw.parse().usage.prompt_tokens == 2
    assert raw.headers.get("x-ringway-estimated") == (None if kind in COUNTS else "usage")
    line = gateway.wait_log("the embeddings", lambda line: line["endpoint"] == "embeddings")
    assert line["input_tokens"] == 2 and line.get("estimated", False) == (kind not in COUNTS)


def test_openai_s_client_is_told_in_its_own_words(of_openai, provider):
    provider.expect_invalid = True
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.embeddings.create(model="sim-embedding", input="x", dimensions=1_000_000)
    assert refused.value.type == "invalid_request_error" and refused.value.message
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.embeddings.create(model="sim-embedding", input=[])
    assert refused.value.type == "invalid_request_error"


def test_google_s_client_gets_what_the_provider_made(of_google, direct):
    expected = vectors(direct, encoding_format="float")
    answer = of_google.models.embed_content(model="sim-embedding", contents=TEXTS)
    assert same([one.values for one in answer.embeddings], expected)
    config = types.EmbedContentConfig(output_dimensionality=8, task_type="RETRIEVAL_QUERY")
    answer = of_google.models.embed_content(model="sim-embedding", contents="one", config=config)
    assert same([one.values for one in answer.embeddings], vectors(direct, texts="one", dimensions=8))


def test_google_s_client_and_a_model_of_another_name(of_google, direct):
    answer = of_google.models.embed_content(model="model", contents=TEXTS)
    assert same([one.values for one in answer.embeddings], vectors(direct, model="sim-small", encoding_format="float"))


def test_embed_content_for_one(gateway, post, direct):
    asked = {"content": {"parts": [{"text": "one"}]}, "task_type": "CLUSTERING"}
    for path in ("/v1beta/models/model:embedContent", "/v1/models/model:embedContent"):
        status, headers, answer = post(path, asked)
        assert status == 200 and same([answer["embedding"]["values"]], vectors(direct, model="sim-small", texts="one"))
        assert headers["content-type"].startswith("application/json")


def test_google_s_client_is_told_in_its_own_words(of_google, provider):
    provider.expect_invalid = True
    with pytest.raises(errors.ClientError) as refused:
        config = types.EmbedContentConfig(output_dimensionality=1_000_000)
        of_google.models.embed_content(model="sim-embedding", contents="x", config=config)
    assert refused.value.code == 400 and refused.value.status == "INVALID_ARGUMENT"


def test_long_answers_of_many_vectors(of_openai, direct):
    # As many as Cohere takes, 5 MB of numbers.
    texts = [f"text {nth}" for nth in range(96)]
    expected = vectors(direct, texts=texts, dimensions=3072, encoding_format="float")
    assert same(vectors(of_openai, texts=texts, dimensions=3072), expected)
