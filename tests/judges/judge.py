"""What the official clients would say of a request that we send upstream, and of an answer that a test gives for a provider's.

`request(dialect, path, body)` and `answer(dialect, name, data)` return complaints; none means that it passes. Requests are judged
twice: by the types of the provider's own client, read as closed (strict.py; botocore's validator for Bedrock), and by what
the provider's documents demand beyond types (rules.py), such as that each tool result answers a call.

A type says what a server may be sent, not what it takes from which model: that stays with the catalog.
"""

import functools
import json
import re
from typing import Literal, Never, Required

import cohere
import ollama
from anthropic.types import Message, RawMessageStreamEvent, RedactedThinkingBlockParam, ThinkingBlockParam
from anthropic.types.message_create_params import MessageCreateParamsBase
from cohere.types import ChatMessageV2, CitationOptions, ResponseFormatV2, Thinking, ToolV2
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from google.genai import types as google
from mistralai.client import models as mistral
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParams
from typing_extensions import TypedDict

from judges import endpoints, rules
from judges.bedrock import Bedrock
from judges.strict import Judge

# ---- what a client may send us beyond its own types, so that another provider's thoughts survive in its history ----


class GoogleContent(TypedDict):
    thought_signature: Required[str]


class ExtraContent(TypedDict):
    google: Required[GoogleContent]


CLIENT_EXTENSIONS = {
    "openai_chat": {
        "reasoning_content": str,
        "thinking_blocks": list[ThinkingBlockParam | RedactedThinkingBlockParam],
        "extra_content": ExtraContent,
    }
}

# ---- what providers that speak OpenAI's dialect take beyond it, as their documents name it ----

PROVIDER_EXTENSIONS = {
    "cerebras": ("reasoning", "disable_reasoning"),
    "dashscope": ("enable_thinking", "thinking_budget", "enable_search", "reasoning_content", "top_k", "cache_control"),
    "deepseek": ("reasoning_content", "thinking"),
    "fireworks": ("reasoning_content", "top_k", "context_length_exceeded_behavior"),
    "groq": ("reasoning", "reasoning_format"),
    "llama-cpp": ("reasoning_content", "top_k", "min_p"),
    "lm-studio": ("top_k",),
    "minimax": ("reasoning_split", "reasoning_details", "thinking"),
    "moonshot": ("reasoning_content", "thinking"),
    "nvidia": ("chat_template_kwargs", "reasoning_content", "top_k"),
    "openrouter": (
        "provider",
        "models",
        "plugins",
        "reasoning",
        "reasoning_details",
        "top_k",
        "cache_control",
        "usage",
    ),
    "perplexity": ("search_domain_filter", "search_recency_filter", "top_k"),
    "sambanova": ("top_k", "chat_template_kwargs"),
    "sglang": ("chat_template_kwargs", "separate_reasoning", "reasoning_content", "top_k", "min_p", "regex", "ebnf"),
    "together": ("top_k", "repetition_penalty", "reasoning", "reasoning_content"),
    "vllm": ("chat_template_kwargs", "structured_outputs", "reasoning", "reasoning_content", "top_k", "min_p"),
    "xai": ("reasoning_content",),
    "zai": ("thinking", "reasoning_content", "do_sample"),
    "zhipu": ("thinking", "reasoning_content", "do_sample"),
}

# ---- the requests that no client has a type for ----


class AnthropicRequest(MessageCreateParamsBase, total=False):
    """With the sampling parameters, which the client took out of its types since the newest models refuse them; the older ones do not."""

    stream: bool
    temperature: float
    top_p: float
    top_k: int


class AnthropicElsewhere(AnthropicRequest, total=False):
    """At Vertex AI and by Bedrock's invoke: the model stands in the path, the version and the betas in the body."""

    model: Never
    anthropic_version: Required[Literal["vertex-2023-10-16", "bedrock-2023-05-31"]]
    anthropic_beta: list[str]


class AnthropicPing(TypedDict):
    """Skipped by the client before it looks for a type."""

    type: Required[Literal["ping"]]


class GeminiRequest(TypedDict, total=False):
    """The client flattens its configuration into this on the way; what it reads is `_GenerateContentParameters_to_mldev`."""

    contents: Required[list[google.Content]]
    systemInstruction: google.Content
    tools: list[google.Tool]
    toolConfig: google.ToolConfig
    safetySettings: list[google.SafetySetting]
    generationConfig: google.GenerationConfig
    cachedContent: str
    serviceTier: google.ServiceTier
    labels: dict[str, str]


class CohereRequest(TypedDict, total=False):
    """The arguments of the client's `v2.chat`."""

    model: Required[str]
    messages: Required[list[ChatMessageV2]]
    stream: Required[bool]
    tools: list[ToolV2]
    strict_tools: bool
    documents: list[str | cohere.Document]
    citation_options: CitationOptions
    response_format: ResponseFormatV2
    safety_mode: Literal["CONTEXTUAL", "STRICT", "OFF"]
    max_tokens: int
    stop_sequences: list[str]
    temperature: float
    seed: int
    frequency_penalty: float
    presence_penalty: float
    k: int
    p: float
    logprobs: bool
    tool_choice: Literal["REQUIRED", "NONE"]
    thinking: Thinking
    priority: int


class OllamaFunction(TypedDict, total=False):
    """The client knows four members of a parameter's schema; the server hands the whole schema to the model's template."""

    name: Required[str]
    description: str
    parameters: dict[str, object]


class OllamaTool(TypedDict, total=False):
    type: Required[Literal["function"]]
    function: Required[OllamaFunction]


class OllamaCall(TypedDict, total=False):
    id: str
    function: Required[ollama.Message.ToolCall.Function]


class OllamaMessage(TypedDict, total=False):
    """Pictures are base64 on the wire, where the client's caller may give a path."""

    role: Required[Literal["system", "user", "assistant", "tool"]]
    content: str
    thinking: str
    images: list[bytes]
    tool_name: str
    tool_call_id: str
    tool_calls: list[OllamaCall]


class OllamaRequest(TypedDict, total=False):
    model: Required[str]
    messages: Required[list[OllamaMessage]]
    tools: list[OllamaTool]
    stream: bool
    format: Literal["json"] | dict[str, object]
    options: ollama.Options
    think: bool | Literal["low", "medium", "high", "max"]
    keep_alive: float | str
    logprobs: bool
    top_logprobs: int


# ---- one row for each dialect that somebody speaks upstream ----


class Dialect:
    """`path` must match whole. A stream must end with `end` if there is one."""

    def __init__(self, path, request, whole, events, end=None):
        self.path, self.request, self.whole, self.events, self.end = re.compile(path), request, whole, events, end


DIALECTS = {
    "openai_chat": Dialect(
        r".*/chat/completions(\?.*)?", CompletionCreateParams, ChatCompletion, ChatCompletionChunk, end="[DONE]"
    ),
    "mistral": Dialect(
        r"/v1/chat/completions",
        mistral.ChatCompletionRequest,
        mistral.ChatCompletionResponse,
        mistral.CompletionChunk,
        end="[DONE]",
    ),
    "openai_responses": Dialect(r".*/responses(\?.*)?", ResponseCreateParams, Response, ResponseStreamEvent),
    "anthropic_messages": Dialect(
        r".*/v1/messages(\?.*)?", AnthropicRequest, Message, RawMessageStreamEvent | AnthropicPing
    ),
    "anthropic_elsewhere": Dialect(
        r".*/models/[^/]+:(rawPredict|streamRawPredict)|/model/[^/]+/(invoke|invoke-with-response-stream)",
        AnthropicElsewhere,
        Message,
        RawMessageStreamEvent | AnthropicPing,
    ),
    "gemini": Dialect(
        r"/(v1|v1beta|v1beta1)/.*models/[^/:]+:(generateContent|streamGenerateContent\?alt=sse)",
        GeminiRequest,
        google.GenerateContentResponse,
        google.GenerateContentResponse,
    ),
    "bedrock_converse": Dialect(r"/model/[^/]+/(converse|converse-stream)", None, None, None),
    "cohere_chat": Dialect(r"/v2/chat", CohereRequest, V2ChatResponse, V2ChatStreamResponse),
    "ollama": Dialect(r"/api/chat", OllamaRequest, ollama.ChatResponse, ollama.ChatResponse),
}


def dialect_of(path):
    """Which dialect a request line speaks. Mistral speaks OpenAI's, so its folder has to say that it is Mistral's."""
    for name, dialect in DIALECTS.items():
        if name != "mistral" and dialect.path.fullmatch(path):
            return name
    return None


def request(dialect, path, body, extensions=()):
    """Complaints about one request. `path` may be None where only a body is known."""
    row = DIALECTS[dialect]
    said = []
    if path is not None and not row.path.fullmatch(path):
        said.append(f"{path} is no path of {dialect}")
    if dialect == "bedrock_converse":
        said += bedrock().request(path or "/model/m/converse", body)
    else:
        said += Judge(extensions).complaints(body, row.request)
    # Rules read members that the types have promised.
    return said or rules.broken(dialect, body)


def provider_request(provider, path, body):
    """Complaints about a request to a provider, whose path says which dialect it speaks there."""
    extensions = PROVIDER_EXTENSIONS.get(provider, ())
    dialect = dialect_of(path)
    if dialect is None:
        wanted = endpoints.type_of(provider, path)
        return Judge(extensions).complaints(body, wanted) if wanted else [f"{path} is no path of any dialect"]
    # Mistral's client has types of its own for what looks like OpenAI's.
    if dialect == "openai_chat" and provider == "mistral":
        dialect = "mistral"
    return request(dialect, path, body, extensions)


def client_request(dialect, body):
    """Complaints about what a client of ours may send: its own dialect, with our extensions, and Gemini's names in both spellings."""
    return request(dialect, None, camel(body) if dialect == "gemini" else body, CLIENT_EXTENSIONS.get(dialect, ()))


def camel(value):
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"(?<=[a-z])_([a-z])", lambda found: found[1].upper(), name): camel(one) for name, one in value.items()
    }


@functools.cache
def bedrock():
    return Bedrock()


# ---- answers ----


def answer(dialect, name, data, extensions=()):
    """Complaints about one answer, of the bytes of a file with the name `name`, whose extension says what it is."""
    row, judge = DIALECTS[dialect], Judge(extensions)
    kind = name.rpartition(".")[2]
    if dialect == "bedrock_converse":
        return bedrock().events(data) if kind == "bin" else bedrock().answer(json.loads(data))
    if kind == "json":
        return of_answer(dialect, judge, json.loads(data), row.whole, "$")
    if kind == "bin":
        values, said = bedrock().invoked(data)
        events = [("", value) for value in values if "type" in value]
        if said or len(events) < len(values):
            # A failure of Amazon's ends the stream, and leaves Anthropic's half done.
            events.append(("", {"type": "error", "error": {"type": "api_error", "message": ""}}))
    elif kind == "ndjson":
        events, said = [("", json.loads(line)) for line in data.decode().splitlines()], []
    else:
        events, said = events_of(data.decode(), row.end)
    for at, (event, value) in enumerate(events):
        said += of_answer(dialect, judge, value, row.events, f"event {at}")
        if event and value.get("type") != event:
            said.append(f"event {at}: is called {event} and says it is {value.get('type')}")
    return said or rules.broken_stream(dialect, [value for _, value in events])


def of_answer(dialect, judge, value, wanted, path):
    if dialect == "ollama" and "error" not in value:
        # A call's id and place, which the server says and the client's type leaves out.
        judge = Judge(judge.extensions | {"id": str, "index": int})
    if dialect == "gemini" and isinstance(value, list):
        # A stream without alt=sse is an array, and so is an error in it.
        return [
            said for at, one in enumerate(value) for said in of_answer(dialect, judge, one, wanted, f"{path}[{at}]")
        ]
    if is_error(dialect, value):
        return rules.broken_error(dialect, value, path)
    return judge.complaints(value, wanted, path)


def is_error(dialect, value):
    """Errors stand in for an answer or for an event; no client has a type for most of them, so rules.py knows their shapes."""
    if dialect == "cohere_chat":
        return "message" in value and isinstance(value["message"], str)
    if dialect == "openai_responses":
        return "object" not in value and "error" in value and "type" not in value
    return bool(value.get("error")) or (dialect == "mistral" and value.get("object") == "error")


def events_of(text, end):
    """The events of a stream as (name, value), and complaints about its form."""
    events, said = [], []
    blocks = text.replace("\r\n", "\n").split("\n\n")
    if blocks.pop():
        said.append("the last event is not closed by an empty line")
    ended = False
    for block in blocks:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        name = "".join(line[6:].strip() for line in lines if line.startswith("event:"))
        if not data:
            continue
        if ended:
            said.append("something comes after [DONE]")
        # Cohere sends it too, not always.
        if data == "[DONE]":
            ended = True
            continue
        events.append((name, json.loads(data)))
    if end and not ended and not any("error" in value for _, value in events):
        said.append(f"{end} is missing")
    return events, said
