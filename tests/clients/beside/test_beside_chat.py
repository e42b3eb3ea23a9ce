"""Endpoints beside chat that pass through where a provider has them, and what is told where it has not."""

import cohere
import openai
import pytest

DOCUMENTS = ["red apples", "green apples and pears", "nothing of the kind"]


@pytest.fixture
def kind():
    """A server of OpenAI's API that has everything."""
    return "openai-compatible"


@pytest.fixture
def gateway(ringway, provider, kind):
    """`model` is at a server that has everything; `lacking` at a provider without it, then there; `nowhere` at the former alone."""
    at = {"base_url": f"{provider.origin}/v1"}
    return ringway(
        providers={
            "a": {"kind": kind, **at},
            "b": {"kind": "groq", **at},
            "c": {"kind": "anthropic", **at},
            "d": {"kind": "cohere", "base_url": f"{provider.origin}/v2"},
            "e": {"kind": "jina", **at},
            "f": {"kind": "cohere", "dialect": "openai", **at},
            "g": {"kind": "perplexity", **at},
        },
        models={
            "model": ["a/sim-small"],
            "lacking": ["b/sim-small", "c/sim-small", "a/sim-small"],
            "nowhere": ["b/sim-small", "c/sim-small"],
            "of-anthropic": ["c/sim-small"],
            "of-cohere": ["d/sim-small"],
            "cohere-twice": ["f/sim-small", "d/sim-small"],
            "of-jina": ["e/sim-small"],
            "jina-first": ["e/sim-small", "a/sim-small"],
            "of-sonar": ["g/sim-small"],
            "sonar-first": ["g/sim-small", "a/sim-small"],
        },
    )


@pytest.mark.parametrize("model", ["model", "lacking", "of-cohere", "cohere-twice"])
def test_cohere_s_client_reranks(gateway, provider, model):
    client = cohere.ClientV2(api_key=gateway.key, base_url=gateway.url)
    answer = client.rerank(model=model, query="green apples", documents=DOCUMENTS, top_n=2)
    assert [one.index for one in answer.results] == [1, 0]
    assert answer.results[0].relevance_score == 1.0 and answer.results[1].relevance_score == 0.5
    assert provider.last_request().json["model"] == "sim-small" and provider.stats().requests == 1
    assert provider.last_request().path == ("/v2/rerank" if "cohere" in model else "/v1/rerank")


def test_rerank_in_jina_s_form(post, provider):
    asked = {"model": "model", "query": "red", "documents": [{"text": text} for text in DOCUMENTS]}
    status, _, answer = post("/v1/rerank", {**asked, "return_documents": True})
    assert status == 200 and answer["results"][0] == {
        "index": 0,
        "relevance_score": 1.0,
        "document": {"text": DOCUMENTS[0]},
    }
    assert answer["usage"]["total_tokens"] > 0
    provider.expect_invalid = True
    status, _, answer = post("/v1/rerank", {**asked, "documents": []})
    assert status == 400 and answer["error"]["type"] == "invalid_request_error"


def test_what_a_provider_lacks_is_had_from_the_next(of_openai, provider):
    assert of_openai.moderations.create(model="lacking", input="flag-me").results[0].flagged
    assert of_openai.images.generate(model="lacking", prompt="a pixel").data
    assert of_openai.embeddings.create(model="lacking", input="x").data
    # Neither of the first two was asked.
    assert provider.stats().requests == 3


ASKED = {
    "embeddings": lambda client: client.embeddings.create(model="nowhere", input="x"),
    "moderations": lambda client: client.moderations.create(model="nowhere", input="x"),
    "images": lambda client: client.images.generate(model="nowhere", prompt="x"),
    # The first provider has these.
    "speech": lambda client: client.audio.speech.create(model="of-anthropic", voice="alloy", input="x"),
    "transcriptions": lambda client: client.audio.transcriptions.create(model="of-anthropic", file=("a.wav", b"x")),
}


@pytest.mark.parametrize("endpoint", ASKED)
def test_what_nobody_has_is_said(of_openai, provider, endpoint):
    with pytest.raises(openai.NotFoundError) as refused:
        ASKED[endpoint](of_openai)
    assert refused.value.code == "unsupported_endpoint"
    assert "add a deployment" in refused.value.message
    assert provider.stats().requests == 0


HELLO = [{"role": "user", "content": "hello there"}]


def test_who_only_embeds_is_not_asked_to_chat(of_openai, provider):
    assert of_openai.embeddings.create(model="of-jina", input="x").data
    with pytest.raises(openai.NotFoundError) as refused:
        of_openai.chat.completions.create(model="of-jina", messages=HELLO)
    assert refused.value.code == "unsupported_endpoint" and provider.stats().requests == 1
    assert of_openai.chat.completions.create(model="jina-first", messages=HELLO).choices
    assert of_openai.responses.create(model="jina-first", input="hello there").output_text
    assert provider.stats().requests == 3


def test_who_takes_no_tools_is_not_shown_any(of_openai, provider):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    asked = {"messages": HELLO, "tools": tools}
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.chat.completions.create(model="of-sonar", **asked)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "tools")
    assert provider.stats().requests == 0
    assert of_openai.chat.completions.create(model="sonar-first", **asked).choices
    assert provider.last_request().json["tools"] == tools and provider.stats().requests == 1
    dropping = {"x-ringway-unsupported": "drop"}
    assert of_openai.chat.completions.create(model="of-sonar", **asked, extra_headers=dropping).choices
    assert "tools" not in provider.last_request().json
    # Without tools they pass as they came.
    assert of_openai.chat.completions.create(model="of-sonar", messages=HELLO, top_p=0.5).choices
    assert provider.stats().requests == 3


def test_nobody_reranks(post, provider):
    status, _, answer = post("/v1/rerank", {"model": "nowhere", "query": "x", "documents": ["x"]})
    assert (status, answer["error"]["code"]) == (404, "unsupported_endpoint")
    assert provider.stats().requests == 0


def test_objects_that_live_at_a_provider(of_openai, provider):
    for ask in (of_openai.files.list, of_openai.batches.list, of_openai.vector_stores.list):
        with pytest.raises(openai.NotFoundError) as refused:
            ask()
        assert refused.value.code == "unsupported_endpoint"
    assert provider.stats().requests == 0
