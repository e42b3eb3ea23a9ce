"""langchain-openai with nothing but another base URL."""

import asyncio

import pydantic
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

ASK = "Name three rivers."


@pytest.fixture
def provider(simulate):
    return simulate("a")


@pytest.fixture
def gateway(ringway, provider):
    models = {"sim-small": ["a/sim-small"], "sim-embedding": ["a/sim-embedding"], "a/*": ["a/*"]}
    return ringway(providers={"a": provider}, models=models)


@pytest.fixture
def chat(gateway):
    return ChatOpenAI(model="sim-small", base_url=gateway.api, api_key=gateway.key, max_retries=0)


def test_invoke(chat):
    answer = chat.invoke(ASK)
    assert answer.content
    assert answer.usage_metadata["total_tokens"] > 0
    assert answer.response_metadata["finish_reason"] == "stop"


def test_stream_says_the_same_with_usage(chat):
    pieces = list(chat.stream(ASK, stream_usage=True))
    total = pieces[0]
    for piece in pieces[1:]:
        total += piece
    whole = chat.invoke(ASK)
    assert total.content == whole.content
    assert total.usage_metadata["total_tokens"] == whole.usage_metadata["total_tokens"]


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


def test_tools(chat):
    answer = chat.bind_tools([weather]).invoke(ASK)
    call = answer.tool_calls[0]
    assert call["name"] == "weather"
    assert "rain" in weather.invoke(call).content


class River(pydantic.BaseModel):
    """A river."""

    name: str
    length_km: int


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(chat, method):
    assert isinstance(chat.with_structured_output(River, method=method).invoke(ASK), River)


def test_batch_and_async(chat):
    answers = chat.batch([f"River {index}" for index in range(20)], config={"max_concurrency": 20})
    assert len({answer.content for answer in answers}) > 1
    again = asyncio.run(chat.ainvoke("River 7"))
    assert again.content == answers[7].content


def test_embeddings(gateway):
    # Counting tokens first would fetch an encoding from the network.
    embeddings = OpenAIEmbeddings(
        model="sim-embedding", base_url=gateway.api, api_key=gateway.key, check_embedding_ctx_length=False
    )
    vectors = embeddings.embed_documents(["one", "two"])
    assert len(vectors) == 2 and vectors[0] != vectors[1]
    assert embeddings.embed_query("one") == pytest.approx(vectors[0])


def test_it_retries_by_itself(gateway, provider):
    provider.script('[[rule]]\nmatch.nth = "1"\nfault = "rate_limited,retry_after_ms=40"\n')
    chat = ChatOpenAI(model="sim-small", base_url=gateway.api, api_key=gateway.key, max_retries=2)
    assert chat.invoke(ASK).content
    assert provider.stats().answers_by_status == {"429": 1, "200": 1}


@pytest.mark.gateway_only
def test_a_truncated_stream_is_an_error(gateway):
    chat = ChatOpenAI(
        model=gateway.model_of("a", "fault:eof_after:3"), base_url=gateway.api, api_key=gateway.key, max_retries=0
    )
    with pytest.raises(Exception, match="."):
        list(chat.stream(ASK))
