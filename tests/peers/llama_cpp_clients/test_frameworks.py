"""langchain, pydantic-ai and openai-agents, each over every API that it speaks, and a real model.

Each gets the text and the usage that the server gives when it is asked directly. The server makes this model call no tool, even where the
choice is "required", since the model's template has no place for any: all that is tested of tools here is that to offer one does no harm.
"""

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
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.openai import OpenAIResponsesModel as PydanticResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

# Traces would go to OpenAI itself.
set_tracing_disabled(True)


class River(pydantic.BaseModel):
    """A river."""

    name: str
    length_km: int


def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"


class Langchain:
    def __init__(self, chat):
        self.chat = chat

    def ask(self, prompt, streamed):
        return self._told(self.chat, prompt, streamed)

    def ask_with_tool(self, prompt, streamed):
        return self._told(self.chat.bind_tools([tool(weather)]), prompt, streamed)

    @staticmethod
    def _told(chat, prompt, streamed):
        pieces = list(chat.stream(prompt)) if streamed else [chat.invoke(prompt)]
        whole = pieces[0]
        for piece in pieces[1:]:
            whole += piece
        return whole.text, (whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"])

    def schema(self, prompt):
        return self.chat.with_structured_output(River, method="json_schema").invoke(prompt)


class PydanticAi:
    def __init__(self, model):
        self.model = model

    def ask(self, prompt, streamed):
        return asyncio.run(self._told(PydanticAgent(self.model), prompt, streamed))

    def ask_with_tool(self, prompt, streamed):
        return asyncio.run(self._told(PydanticAgent(self.model, tools=[weather]), prompt, streamed))

    @staticmethod
    async def _told(agent, prompt, streamed):
        if streamed:
            async with agent.run_stream(prompt) as stream:
                text, usage = await stream.get_output(), stream.usage
        else:
            answer = await agent.run(prompt)
            text, usage = answer.output, answer.usage
        return text, (usage.input_tokens, usage.output_tokens)

    def schema(self, prompt):
        return PydanticAgent(self.model, output_type=NativeOutput(River)).run_sync(prompt).output


class OpenaiAgents:
    def __init__(self, model):
        self.model = model

    def ask(self, prompt, streamed):
        return self._told(prompt, streamed, [])

    def ask_with_tool(self, prompt, streamed):
        return self._told(prompt, streamed, [function_tool(weather)])

    def _told(self, prompt, streamed, tools):
        settings = ModelSettings(include_usage=True)
        agent = Agent(name="brief", model=self.model, model_settings=settings, tools=tools)

        async def run():
            if not streamed:
                return await Runner.run(agent, prompt)
            result = Runner.run_streamed(agent, prompt)
            async for _ in result.stream_events():
                pass
            return result

        answer = asyncio.run(run())
        [response] = answer.raw_responses
        return answer.final_output, (response.usage.input_tokens, response.usage.output_tokens)

    def schema(self, prompt):
        agent = Agent(name="rivers", model=self.model, output_type=River)
        return asyncio.run(Runner.run(agent, prompt)).final_output


def langchain_openai(at, **more):
    chat = ChatOpenAI(model="model", base_url=at.api, api_key=at.key, max_retries=0, stream_usage=True, **more)
    return Langchain(chat)


def langchain_google(at):
    # It would say 0.7 otherwise.
    return Langchain(
        ChatGoogleGenerativeAI(model="model", base_url=at.url, api_key=at.key, max_retries=1, temperature=0)
    )


def agents(model, at):
    return OpenaiAgents(model("model", openai.AsyncOpenAI(base_url=at.api, api_key=at.key, max_retries=0)))


def openai_of(at):
    return OpenAIProvider(base_url=at.api, api_key=at.key)


def pydantic_messages(at):
    # What it does not know of a model with this name.
    profile = {"supports_json_schema_output": True}
    provider = AnthropicProvider(base_url=at.url, api_key=at.key)
    return PydanticAi(AnthropicModel("model", provider=provider, profile=profile))


CLIENTS = {
    "langchain-chat": langchain_openai,
    "langchain-responses": lambda at: langchain_openai(at, use_responses_api=True),
    "langchain-messages": lambda at: Langchain(
        ChatAnthropic(model="model", base_url=at.url, api_key=at.key, max_retries=0)
    ),
    "langchain-gemini": langchain_google,
    "pydantic-chat": lambda at: PydanticAi(OpenAIChatModel("model", provider=openai_of(at))),
    "pydantic-responses": lambda at: PydanticAi(PydanticResponsesModel("model", provider=openai_of(at))),
    "pydantic-messages": pydantic_messages,
    "pydantic-gemini": lambda at: PydanticAi(
        GoogleModel("model", provider=GoogleProvider(base_url=at.url, api_key=at.key))
    ),
    "agents-chat": lambda at: agents(OpenAIChatCompletionsModel, at),
    "agents-responses": lambda at: agents(OpenAIResponsesModel, at),
}


@pytest.fixture(params=CLIENTS)
def client(request, gateway):
    return CLIENTS[request.param](gateway)


@pytest.mark.parametrize("streamed", [False, True])
def test_it_says_what_the_server_says_at_its_usage(client, direct, streamed):
    assert client.ask(direct.prompt, streamed) == (direct.text, direct.usage)


def test_a_tool_that_is_not_called_changes_nothing(client, direct):
    assert client.ask_with_tool(direct.prompt, True) == (direct.text, direct.usage)


def test_a_schema_is_kept_to(client):
    assert isinstance(client.schema("Name a river."), River)
