"""What else is sent upstream, beyond chat: a row for each path, with the type that its body has."""

import re
from typing import Literal, Required

import cohere
import ollama
from anthropic.types import MessageCountTokensParams
from google.genai import types as google
from mistralai.client.models import EmbeddingRequest
from openai.types import EmbeddingCreateParams, ImageGenerateParams, ModerationCreateParams
from openai.types.audio import SpeechCreateParams
from typing_extensions import TypedDict


class GeminiEmbed(TypedDict, total=False):
    """One of these is a body; a batch names the model in each."""

    model: str
    content: Required[google.Content]
    taskType: str
    title: str
    outputDimensionality: int


class GeminiEmbeds(TypedDict):
    requests: Required[list[GeminiEmbed]]


class GeminiCount(TypedDict):
    contents: Required[list[google.Content]]


class ImagenInstance(TypedDict):
    prompt: Required[str]


class ImagenOutput(TypedDict, total=False):
    mimeType: Literal["image/png", "image/jpeg"]
    compressionQuality: int


class ImagenParameters(TypedDict, total=False):
    """What the client of Google's makes of its `GenerateImagesConfig`."""

    sampleCount: int
    aspectRatio: str
    sampleImageSize: str
    negativePrompt: str
    seed: int
    guidanceScale: float
    personGeneration: str
    safetySetting: str
    language: str
    addWatermark: bool
    enhancePrompt: bool
    includeRaiReason: bool
    outputOptions: ImagenOutput


class ImagenPredict(TypedDict, total=False):
    instances: Required[list[ImagenInstance]]
    parameters: ImagenParameters


class CohereEmbed(TypedDict, total=False):
    """The arguments of the client's `v2.embed`."""

    model: Required[str]
    input_type: Required[Literal["search_document", "search_query", "classification", "clustering", "image"]]
    texts: list[str]
    images: list[str]
    inputs: list[cohere.EmbedInput]
    max_tokens: int
    output_dimension: int
    embedding_types: list[Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]]
    truncate: Literal["NONE", "START", "END"]
    priority: int


class CohereRerank(TypedDict, total=False):
    """The arguments of the client's `v2.rerank`."""

    model: Required[str]
    query: Required[str]
    documents: Required[list[str]]
    top_n: int
    max_tokens_per_doc: int
    priority: int


GEMINI = r"/(v1|v1beta)/models/[^/:]+"
# The first row wins whose provider, if it names one, and path fit.
ENDPOINTS = [
    ("mistral", r"/v1/embeddings", EmbeddingRequest),
    (None, r".*/embeddings(\?.*)?", EmbeddingCreateParams),
    (None, r".*/images/generations(\?.*)?", ImageGenerateParams),
    (None, r".*/audio/speech(\?.*)?", SpeechCreateParams),
    (None, r".*/moderations(\?.*)?", ModerationCreateParams),
    (None, r"/v1/messages/count_tokens(\?.*)?", MessageCountTokensParams),
    (None, GEMINI + ":embedContent", GeminiEmbed),
    (None, GEMINI + ":batchEmbedContents", GeminiEmbeds),
    (None, GEMINI + ":countTokens", GeminiCount),
    (None, GEMINI + ":predict", ImagenPredict),
    (None, r"/v2/embed", CohereEmbed),
    (None, r"/v2/rerank", CohereRerank),
    (None, r"/api/embed", ollama._types.EmbedRequest),
]


def type_of(provider, path):
    """What a body to this path has to be; None for a path that nobody knows."""
    for only_of, pattern, wanted in ENDPOINTS:
        if only_of in (None, provider) and re.fullmatch(pattern, path):
            return wanted
    return None
