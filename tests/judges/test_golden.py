"""Every request in the golden folders is one that the provider's own client would have sent, every answer there one that the client's would read.

A folder that does not begin with `_` is an upstream's. What it has no file for stands in the folder that its `upstream.toml` is like, with the
other's path and model. What is passed on as it came is the client's own, and judged as such. `deliberate.toml` lists what we
send although a judge complains, with the reason.
"""

import functools
import json
import tomllib
from pathlib import Path

import pytest

from judges import judge
from judges.meaning import meaning
from judges.test_answers import INDEX, file_of

GOLDEN = Path(__file__).parent.parent / "golden"
UPSTREAMS = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(GOLDEN.glob("*/upstream.toml"))}
DELIBERATE = tomllib.loads((Path(__file__).parent / "deliberate.toml").read_text())
END = ".upstream_request.http"
USED = set()


def files_of(upstream):
    """The files of an upstream's own folder: what becomes of each request, by case and client."""
    folder = GOLDEN / upstream
    return {
        (path.parent.name, path.name.split(".")[0].removeprefix("from_")): path for path in sorted(folder.glob("*/*"))
    }


def requests_of(upstream):
    """Every request that the upstream gets, as (case, client, text)."""
    facts = UPSTREAMS[upstream]
    own, others, theirs = files_of(upstream), {}, {}
    if like := facts.get("like"):
        others, theirs = files_of(like), UPSTREAMS[like]
    for key in sorted({**others, **own}):
        path = own.get(key) or others[key]
        if not path.name.endswith(END):
            continue
        text = path.read_text()
        if key not in own:
            text = text.replace(f" {theirs['base_path']}/", f" {facts['base_path']}/", 1)
            text = text.replace(theirs["model"], facts["model"])
        yield *key, text


def parts_of(text):
    """Path and first body of a request that is written as on the wire, behind the lines that say what was noted."""
    path, (body, *_) = all_parts_of(text)
    return path, body


def all_parts_of(text):
    """The same with the bodies of every call that it takes."""
    head, *bodies = text.split("\n\n")
    line = next(line for line in head.split("\n") if not line.startswith("#"))
    _, path, _ = line.split(" ")
    return path, [json.loads(body) for body in bodies]


@functools.cache
def complaints_of(provider, path, body):
    return judge.provider_request(provider, path, json.loads(body))


def undeliberate(kind, where, said):
    """The complaints that no row explains. `where` is what a row may name to be about it."""
    left = []
    for complaint in said:
        rows = [
            at
            for at, row in enumerate(DELIBERATE[kind])
            if row["says"] in complaint and all(where[name] in row[name] for name in where if name in row)
        ]
        USED.update((kind, at) for at in rows)
        left += [] if rows else [complaint]
    return left


@functools.cache
def wrong_requests(upstream):
    provider = UPSTREAMS[upstream]["provider"]
    wrong = {}
    for case, client, text in requests_of(upstream):
        path, bodies = all_parts_of(text)
        if text.startswith("# as it came\n"):
            said = judge.client_request(client, bodies[0])
        else:
            said = [one for body in bodies for one in complaints_of(provider, path, json.dumps(body))]
        said = undeliberate("requests", {"upstream": upstream, "case": case, "client": client}, said)
        if said:
            wrong[f"{case} from {client}"] = said
    return wrong


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_provider_would_take_it(upstream):
    assert wrong_requests(upstream) == {}
    assert sum(1 for _ in requests_of(upstream)) > 100, "nothing of it would be judged"


# What our answers say beyond the types of the client's own SDK, which keeps it for whoever looks: thoughts and their proofs; pictures as
# OpenRouter has them, citations as Cohere; what OpenAI's server says of a response although its types do not.
RECEIVED_EXTENSIONS = {
    "openai_chat": {**judge.CLIENT_EXTENSIONS["openai_chat"], "images": object, "citations": object},
    "openai_responses": {"store": bool},
}
RECEIVED = sorted((GOLDEN / "_received").glob("*/*/to_*.http"))


def received(path):
    """Name and bytes of an answer as judges take them."""
    head, _, body = path.read_text().partition("\n\n")
    kind = "sse" if "text/event-stream" in head else "json"
    return f"{path.parent.name}.{kind}", body.encode()


CLIENTS = sorted({path.stem.removeprefix("to_") for path in RECEIVED})


def received_by(client):
    """Every answer that a client gets, as (dialect, case, name, bytes)."""
    for path in RECEIVED:
        if path.stem == f"to_{client}":
            yield *path.parts[-3:-1], *received(path)


@functools.cache
def wrong_answers(client):
    wrong = {}
    for dialect, case, name, body in received_by(client):
        said = judge.answer(client, name, body, RECEIVED_EXTENSIONS.get(client, ()))
        said = undeliberate("answers", {"dialect": dialect, "case": case, "client": client}, said)
        if said:
            wrong[f"{dialect}/{case}"] = said
    return wrong


@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_would_read_it(client):
    assert wrong_answers(client) == {}


@functools.cache
def wrong_meanings(client):
    wrong = {}
    for dialect, case, name, body in received_by(client):
        if "finish" not in INDEX[dialect][case]:
            continue
        source = file_of(dialect, case)
        was, is_now = meaning(dialect, source.name, source.read_bytes()), meaning(client, name, body)
        said = [
            f"{what} was {was.get(what)!r} and is {is_now.get(what)!r}"
            for what in sorted({*was, *is_now})
            if was.get(what) != is_now.get(what)
        ]
        said = undeliberate("meanings", {"dialect": dialect, "case": case, "client": client}, said)
        if said:
            wrong[f"{dialect}/{case}"] = said
    return wrong


@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_is_told_what_the_provider_said(client):
    assert wrong_meanings(client) == {}


def test_every_deliberate_difference_is_met():
    for upstream in UPSTREAMS:
        wrong_requests(upstream)
    for client in CLIENTS:
        wrong_answers(client), wrong_meanings(client)
    known = {(kind, at) for kind, rows in DELIBERATE.items() for at in range(len(rows))}
    assert [DELIBERATE[kind][at] for kind, at in sorted(known - USED)] == []


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
        "gemini",
        "/v1beta/models/imagen-4.0-generate-001:predict",
        {"instances": [{"prompt": "a"}], "parameters": {"sampleCount": 1, "outputOptions": {"mimeType": "image/png"}}},
        {"instances": [{"prompt": "a"}], "parameters": {"sampleCount": 1, "outputFormat": "png"}},
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
