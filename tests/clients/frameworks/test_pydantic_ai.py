"""pydantic-ai with each of its models, and providers of every dialect."""

import asyncio

import pydantic
import pytest
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

# What it does not know of a model with this name.
SCHEMAS = {"supports_json_schema_output": True}
MODELS = {
    "chat": lambda at: OpenAIChatModel("model", provider=OpenAIProvider(base_url=at.api, api_key=at.key)),
    "responses": lambda at: OpenAIResponsesModel("model", provider=OpenAIProvider(base_url=at.api, api_key=at.key)),
    "messages": lambda at: AnthropicModel(
        "model", provider=AnthropicProvider(base_url=at.url, api_key=at.key), profile=SCHEMAS
    ),
    "gemini": lambda at: GoogleModel("model", provider=GoogleProvider(base_url=at.url, api_key=at.key)),
}


@pytest.fixture(params=MODELS)
def model(request, gateway):
    return MODELS[request.param](gateway)


class River(pydantic.BaseModel):
    """A river."""

    name: str
    length_km: int


def test_a_stream_says_what_the_whole_answer_says(model):
    agent = Agent(model, instructions="be brief")
    whole = agent.run_sync("hello there")
    assert whole.output.startswith("You said: hello there")

    async def streamed():
        async with agent.run_stream("hello there") as stream:
            return await stream.get_output(), stream.usage

    text, usage = asyncio.run(streamed())
    assert text == whole.output
    assert (usage.input_tokens, usage.output_tokens) == (whole.usage.input_tokens, whole.usage.output_tokens)
    assert usage.input_tokens > 0 and usage.output_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_together_and_answered(model, streamed):
    called = []
    agent = Agent(model)

    @agent.tool_plain
    def weather(city: str) -> str:
        """Tells the weather."""
        called.append(("weather", city))
        return f"rain in {city}"

    @agent.tool_plain
    def time(city: str) -> str:
        """Tells the time."""
        called.append(("time", city))
        return f"noon in {city}"

    async def ask():
        if not streamed:
            return (await agent.run("both in parallel")).output
        async with agent.run_stream("both in parallel") as stream:
            return await stream.get_output()

    assert asyncio.run(ask()).startswith("You said: ")
    assert sorted(called) == [("time", "example"), ("weather", "example")]


@pytest.mark.parametrize("form", [NativeOutput, ToolOutput])
def test_a_schema_is_kept_to(model, form):
    assert isinstance(Agent(model, output_type=form(River)).run_sync("Name a river.").output, River)


def test_a_picture_is_passed_on(model, picture):
    answer = Agent(model).run_sync(["what is it?", BinaryContent(picture, media_type="image/png")])
    assert "what is it?" in answer.output


def test_what_is_refused_is_an_error(model, provider):
    provider.fail("status:400")
    with pytest.raises(ModelHTTPError) as refused:
        Agent(model).run_sync("hello there")
    assert refused.value.status_code == 400
