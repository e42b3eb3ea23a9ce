"""OpenAI's agents SDK over both of its APIs, and providers of every dialect."""

import asyncio

import openai
import pydantic
import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

# Traces would go to OpenAI itself.
set_tracing_disabled(True)


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel])
def model(request, gateway):
    client = openai.AsyncOpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0)
    return request.param(model="model", openai_client=client)


class River(pydantic.BaseModel):
    name: str
    length_km: int


async def run(agent, prompt, streamed):
    if not streamed:
        return await Runner.run(agent, prompt)
    result = Runner.run_streamed(agent, prompt)
    async for _ in result.stream_events():
        pass
    return result


def usage(result):
    usages = [response.usage for response in result.raw_responses]
    return [(usage.input_tokens, usage.output_tokens) for usage in usages]


def test_a_stream_says_what_the_whole_answer_says(model):
    settings = ModelSettings(include_usage=True)
    agent = Agent(name="brief", instructions="be brief", model=model, model_settings=settings)

    # The client's connections belong to one event loop.
    async def both():
        return [await run(agent, "hello there", streamed) for streamed in (False, True)]

    whole, streamed = asyncio.run(both())
    assert whole.final_output.startswith("You said: hello there")
    assert streamed.final_output == whole.final_output
    assert usage(streamed) == usage(whole) and min(usage(whole)[0]) > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_together_and_answered(model, streamed):
    called = []

    @function_tool
    def weather(city: str) -> str:
        """Tells the weather."""
        called.append(("weather", city))
        return f"rain in {city}"

    @function_tool
    def time(city: str) -> str:
        """Tells the time."""
        called.append(("time", city))
        return f"noon in {city}"

    agent = Agent(name="both", model=model, tools=[weather, time])
    answer = asyncio.run(run(agent, "both in parallel", streamed))
    assert answer.final_output.startswith("You said: ")
    assert sorted(called) == [("time", "example"), ("weather", "example")]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_schema_is_kept_to(model, streamed):
    agent = Agent(name="rivers", model=model, output_type=River)
    assert isinstance(asyncio.run(run(agent, "Name a river.", streamed)).final_output, River)


def test_a_handoff_is_a_tool_call(model):
    other = Agent(name="other", instructions="be brief", model=model)
    answer = asyncio.run(run(Agent(name="first", model=model, handoffs=[other]), "hello there", False))
    assert answer.last_agent is other and answer.final_output


def test_what_is_refused_is_an_error(model, provider):
    provider.fail("status:400")
    with pytest.raises(openai.BadRequestError):
        asyncio.run(run(Agent(name="refused", model=model), "hello there", False))
