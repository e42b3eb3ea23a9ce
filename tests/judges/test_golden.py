"""Every request in the golden folders is one that the provider's own client would have sent.

A folder that does not begin with `_` is a provider's or a dialect's. Each must have a request at least, or nothing of it would be judged.
"""

import json
from pathlib import Path

import pytest

from judges import judge

GOLDEN = Path(__file__).parent.parent / "golden"
FOLDERS = sorted(path for path in GOLDEN.iterdir() if path.is_dir() and not path.name.startswith("_"))
REQUESTS = sorted(path for folder in FOLDERS for path in folder.glob("*/upstream_request.http"))


def parts_of(text):
    """Path and body of a request that is written as on the wire."""
    head, _, body = text.partition("\n\n")
    _, path, _ = head.split("\n", 1)[0].split(" ")
    return path, json.loads(body)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_folder_has_a_request(folder):
    assert any(folder.glob("*/upstream_request.http"))


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_the_provider_would_take_it(path):
    line, body = parts_of(path.read_text())
    assert judge.provider_request(path.parent.parent.name, line, body) == []


def test_a_request_on_the_wire_is_read_and_judged():
    wire = 'POST /v1/chat/completions HTTP/1.1\ncontent-type: application/json\n\n{"model": "m", "messages": [], "thinking": {}}\n'
    path, body = parts_of(wire)
    assert judge.provider_request("deepseek", path, body) == []
    assert judge.provider_request("openai", path, body) == [
        "$: thinking is unknown (CompletionCreateParamsNonStreaming)"
    ]
    assert judge.provider_request("openai", "/v1/chat", body) == ["/v1/chat is no path of any dialect"]
    assert judge.provider_request("mistral", path, body) == ["$: thinking is unknown (ChatCompletionRequest)"]


# A right body, and one that is wrong in one place.
ELSEWHERE = [
    (
        "openai",
        "/v1/embeddings",
        {"model": "m", "input": ["a"], "dimensions": 8},
        {"model": "m", "input": ["a"], "truncate": True},
    ),
    ("mistral", "/v1/embeddings", {"model": "m", "input": ["a"]}, {"model": "m", "input": ["a"], "dimensions": 8}),
    (
        "openai",
        "/v1/images/generations",
        {"model": "m", "prompt": "a", "size": "1024x1024"},
        {"model": "m", "prompt": ["a"]},
    ),
    ("openai", "/v1/audio/speech", {"model": "m", "input": "a", "voice": "alloy"}, {"model": "m", "input": "a"}),
    ("openai", "/v1/moderations", {"input": "a"}, {"text": "a"}),
    (
        "anthropic",
        "/v1/messages/count_tokens",
        {"model": "m", "messages": [{"role": "user", "content": "a"}]},
        {"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 8},
    ),
    ("gemini", "/v1beta/models/m:embedContent", {"content": {"parts": [{"text": "a"}]}}, {"content": "a"}),
    (
        "gemini",
        "/v1beta/models/m:batchEmbedContents",
        {"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8}]},
        {"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}]}, "dimensions": 8}]},
    ),
    (
        "gemini",
        "/v1beta/models/m:countTokens",
        {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        {"contents": "a"},
    ),
    (
        "cohere",
        "/v2/embed",
        {"model": "m", "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]},
        {"model": "m", "texts": ["a"], "embedding_types": ["float"]},
    ),
    (
        "cohere",
        "/v2/rerank",
        {"model": "m", "query": "a", "documents": ["b"], "top_n": 1},
        {"model": "m", "query": "a"},
    ),
    ("ollama", "/api/embed", {"model": "m", "input": ["a"], "dimensions": 8}, {"model": "m", "input": [1]}),
]


@pytest.mark.parametrize(("provider", "path", "right", "wrong"), ELSEWHERE)
def test_other_endpoints_are_judged_by_their_types(provider, path, right, wrong):
    assert judge.provider_request(provider, path, right) == []
    assert judge.provider_request(provider, path, wrong) != []


def test_every_other_endpoint_has_a_row():
    assert {judge.endpoints.type_of(provider, path) for provider, path, _, _ in ELSEWHERE} == {
        wanted for _, _, wanted in judge.endpoints.ENDPOINTS
    }
