"""langchain's chat models of three vendors, and providers of every dialect."""

import pydantic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from harness.pixel import PNG


def of_openai(at, **more):
    return ChatOpenAI(model="model", base_url=at.api, api_key=at.key, max_retries=0, stream_usage=True, **more)


CHATS = {
    "chat": of_openai,
    "responses": lambda at: of_openai(at, use_responses_api=True),
    "messages": lambda at: ChatAnthropic(model="model", base_url=at.url, api_key=at.key, max_retries=0),
    "gemini": lambda at: ChatGoogleGenerativeAI(model="model", base_url=at.url, api_key=at.key, max_retries=1),
}


@pytest.fixture(params=CHATS)
def chat(request, gateway):
    return CHATS[request.param](gateway)


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"


@tool
def time(city: str) -> str:
    """Tells the time."""
    return f"noon in {city}"


TOOLS = {"weather": weather, "time": time}


class River(pydantic.BaseModel):
    """A river."""

    name: str
    length_km: int


def streamed(chat, prompt):
    pieces = list(chat.stream(prompt))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return whole


def tokens(message):
    return message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]


def test_a_stream_says_what_the_whole_answer_says(chat):
    whole = chat.invoke("hello there")
    assert whole.text.startswith("You said: hello there")
    stream = streamed(chat, "hello there")
    assert stream.text == whole.text
    assert tokens(stream) == tokens(whole) and min(tokens(whole)) > 0


@pytest.mark.parametrize("answer", [lambda chat, prompt: chat.invoke(prompt), streamed], ids=["whole", "streamed"])
def test_tools_are_called_together_and_answered(chat, answer):
    with_tools = chat.bind_tools(list(TOOLS.values()))
    turns = [HumanMessage("both in parallel")]
    calls = answer(with_tools, turns)
    assert [(call["name"], call["args"]) for call in calls.tool_calls] == [
        ("weather", {"city": "example"}),
        ("time", {"city": "example"}),
    ]
    turns += [calls, *(TOOLS[call["name"]].invoke(call) for call in calls.tool_calls)]
    assert answer(with_tools, turns).text.startswith("You said: ")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_schema_is_kept_to(chat, method):
    assert isinstance(chat.with_structured_output(River, method=method).invoke("Name a river."), River)


def test_a_picture_is_passed_on(chat):
    picture = {"type": "image", "base64": PNG, "mime_type": "image/png"}
    answer = chat.invoke([HumanMessage([{"type": "text", "text": "what is it?"}, picture])])
    assert "what is it?" in answer.text


def test_what_is_refused_is_an_error(chat, provider):
    provider.fail("status:400")
    with pytest.raises(Exception, match="400|INVALID_ARGUMENT"):
        chat.invoke("hello there")
