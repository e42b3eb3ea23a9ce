"""`/v1/explain`: what is told of a call is what the call then does, and no credential is told."""

import json
import re
from pathlib import Path

import openai
import pytest

from harness.control import ask, connect

HIDDEN = "<credential>"
QUESTION = "hello there"
MESSAGES = [{"role": "user", "content": QUESTION}]

# Every name that stands in docs/explain.md as code.
DOCUMENTED = set(re.findall(r"`(\w+)`", (Path(__file__).parents[3] / "docs/explain.md").read_text()))

# Path, header with the key, body: what the official clients send, less what makes no difference.
CALLS = {
    "chat": ("/v1/chat/completions", "authorization", {"model": "model", "messages": MESSAGES, "n": 1}),
    "chat_stream": ("/v1/chat/completions", "authorization", {"model": "model", "messages": MESSAGES, "stream": True}),
    "responses": ("/v1/responses", "authorization", {"model": "model", "input": QUESTION, "store": False}),
    "messages": ("/v1/messages", "x-api-key", {"model": "model", "messages": MESSAGES, "max_tokens": 50}),
    "gemini": (
        "/v1beta/models/model:generateContent",
        "x-goog-api-key",
        {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]},
    ),
    "gemini_stream": (
        "/v1beta/models/model:streamGenerateContent?alt=sse",
        "x-goog-api-key",
        {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]},
    ),
    "embeddings": ("/v1/embeddings", "api-key", {"model": "sim-embedding", "input": QUESTION}),
}


def post(gateway, path, body, key_header="authorization", **headers):
    key = f"Bearer {gateway.key}" if key_header == "authorization" else gateway.key
    headers = {key_header: key, "content-type": "application/json", **headers}
    status, head, answer = ask(connect(gateway.url), "POST", path, json.dumps(body).encode(), headers)
    return status, head, answer.decode()


def explain(gateway, path, body, key_header="authorization", **headers):
    status, _, text = post(gateway, "/v1/explain" + path, body, key_header, **headers)
    assert gateway.key not in text and gateway.credential not in text
    explained = json.loads(text)
    assert status == 200 and explained["object"] == "ringway.explanation" and explained["version"] == 1, explained
    return explained


def members(explained):
    """The names of everything in an explanation but what is the provider's: headers and bodies."""
    names = set()
    for name, value in explained.items():
        names.add(name)
        if name in ("headers", "body"):
            continue
        for inner in value if isinstance(value, list) else [value]:
            names |= members(inner) if isinstance(inner, dict) else set()
    return names


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def kind(request):
    """One provider of each API that clients speak too."""
    return request.param


@pytest.fixture
def gateway(ringway, provider, kind):
    paths = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
    headers = {"x-team": "${env:TEST_CREDENTIAL}"}
    at = {"kind": kind, "base_url": provider.origin + paths[kind], "headers": headers}
    return ringway(providers={"a": at}, models={"model": ["a/sim-small"], "sim-embedding": ["a/sim-embedding"]})


@pytest.mark.parametrize("call", CALLS)
def test_what_is_explained_is_what_is_sent(gateway, provider, kind, call):
    path, key_header, body = CALLS[call]
    headers = {"x-client-request-id": "r-1"}
    explained = explain(gateway, path, body, key_header, **headers)
    assert provider.stats().requests == 0
    (candidate,) = explained["candidates"]
    assert (candidate["deployment"][:2], candidate["provider"], candidate["dialect"]) == ("a/", kind, kind)
    assert explained["skipped"] == []
    if call == "embeddings" and kind == "anthropic":
        assert candidate["way"] == "none" and "request" not in candidate
        assert candidate["failure"] == explained["failure"] and explained["failure"]["status"] == 404
        return
    assert explained["failure"] is None
    same = {"openai": ("chat", "responses", "embed"), "anthropic": ("messages",), "gemini": ("gemini",)}
    assert candidate["way"] == ("pass_through" if call.startswith(same[kind]) else "translated")

    status, _, text = post(gateway, path, body, key_header, **headers)
    assert status == 200, text
    sent, told = provider.last_request(), candidate["request"]
    assert (told["method"], told["url"].partition("?")[0]) == (sent.method, provider.origin + sent.path)
    assert (told["body"], told["body_bytes"]) == (sent.json, sent.body_bytes)
    hidden = {name for name, value in told["headers"].items() if value == HIDDEN}
    credential = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}[kind]
    assert hidden == {credential, "x-team"}
    for name, value in told["headers"].items():
        assert value == HIDDEN or sent.headers[name] == value, name
    assert set(sent.headers) - {"content-length"} == set(told["headers"])


def test_nothing_is_counted_against_a_deployment(gateway, provider):
    path, key_header, body = CALLS["chat"]
    figures = "ringway_deployment_attempts_total"
    explain(gateway, path, body, key_header)
    gateway.wait_log("of the explanation", lambda line: line["endpoint"] == "explain" and line["attempts"] == 0)
    assert gateway.metric(figures, deployment="a/sim-small") == 0
    assert provider.stats().requests == 0


def test_what_cannot_be_said_is_named(gateway, kind):
    path, key_header, body = CALLS["chat"]
    body = {**body, "logit_bias": {"50256": -100}, "reasoning_effort": "high"}
    (candidate,) = explain(gateway, path, body, key_header)["candidates"]
    if kind == "openai":
        assert candidate["request"]["body"]["logit_bias"] == body["logit_bias"]
        return
    assert candidate["unsupported"]["param"] == "logit_bias" and candidate["unsupported"]["reason"]
    assert "request" not in candidate
    assert members(candidate) <= DOCUMENTED
    dropped = explain(gateway, path, body, key_header, **{"x-ringway-unsupported": "drop"})
    assert {"dropped", "says", "body_bytes"} <= members(dropped) <= DOCUMENTED
    assert dropped["unsupported"] == "drop" and dropped["failure"] is None
    (candidate,) = dropped["candidates"]
    assert [note["param"] for note in candidate["dropped"]] == ["logit_bias"]
    assert "logit_bias" not in candidate["request"]["body"]


def test_the_path_alone_means_chat_completions(gateway):
    _, _, body = CALLS["chat"]
    assert explain(gateway, "", body)["endpoint"] == "chat.completions"
    assert explain(gateway, "/chat/completions", body)["endpoint"] == "chat.completions"


def test_a_client_needs_another_base_url_and_nothing_else(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1/explain/v1", api_key=gateway.key, max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(model="model", messages=MESSAGES)
    assert json.loads(answer.text)["candidates"][0]["deployment"] == "a/sim-small"


@pytest.mark.parametrize("call", ["chat", "messages", "gemini"])
def test_errors_are_those_of_the_call(gateway, kind, call):
    """In the client's own words, with the status that the call itself gets."""
    path, key_header, body = CALLS[call]
    for headers, change in [
        ({key_header: "Bearer nobody" if key_header == "authorization" else "nobody"}, {}),
        ({}, {"model": "unheard-of"}),
        # A provider of Gemini's own API is the judge of its clients' requests.
        *([({}, {"messages": 5, "contents": 5})] if (kind, call) != ("gemini", "gemini") else []),
    ]:
        at = path.replace("models/model", "models/" + change.get("model", "model"))
        answers = [
            post(gateway, prefix + at, {**body, **change}, key_header, **headers) for prefix in ("/v1/explain", "")
        ]
        assert answers[0][0] in (400, 401, 404) and answers[0][0] == answers[1][0]
        assert answers[0][2] == answers[1][2]


def test_what_is_asked_of_nobody_is_not_explained(gateway):
    key = {"authorization": f"Bearer {gateway.key}"}
    for method, path, status in [
        ("GET", "/v1/explain/v1/models", 404),
        ("GET", "/v1/explain/v1/models/model", 404),
        ("GET", "/v1/explain/v1/chat/completions", 404),
        ("POST", "/v1/explain/v1/nothing", 404),
        ("POST", "/v1/explained", 404),
    ]:
        assert ask(connect(gateway.url), method, path, b"", key)[0] == status, path
    form = {**key, "content-type": "multipart/form-data; boundary=b"}
    assert ask(connect(gateway.url), "POST", "/v1/explain/v1/audio/transcriptions", b"--b--", form)[0] == 415


def test_who_is_skipped_and_why(ringway, simulate):
    """The first deployment has asked to be left alone; the third is one too many."""
    limited = simulate("limited", script='[[rule]]\nfault = "rate_limited:60"\n')
    provider = simulate("provider")
    gateway = ringway(
        providers={"a": limited, "b": provider},
        models={"model": {"deployments": ["a/sim-small", "b/sim-small", "b/sim-large"], "attempts_max": 1}},
    )
    path, key_header, body = CALLS["chat"]
    assert post(gateway, path, body, key_header)[0] == 429
    explained = explain(gateway, path, body, key_header)
    assert [candidate["deployment"] for candidate in explained["candidates"]] == ["b/sim-small"]
    parked, beyond = explained["skipped"]
    assert {"for_ms", "reason", "skipped"} <= members(explained) <= DOCUMENTED
    assert (parked["deployment"], parked["reason"], parked["failure"]["status"]) == ("a/sim-small", "parked", 429)
    assert 0 < parked["for_ms"] <= 60_000
    assert (beyond["deployment"], beyond["reason"]) == ("b/sim-large", "attempts_max")


def test_a_large_body_is_counted_and_left_out(gateway, kind):
    path, key_header, body = CALLS["chat"]
    body = {**body, "messages": [{"role": "user", "content": "x" * (1 << 20)}]}
    (candidate,) = explain(gateway, path, body, key_header)["candidates"]
    assert candidate["request"]["body"] is None and candidate["request"]["body_bytes"] > 1 << 20


@pytest.mark.parametrize(
    ("server", "model", "header", "status"),
    [
        ("refuse", None, None, 400),
        ("drop", None, None, 200),
        ("drop", "refuse", None, 400),
        ("refuse", "drop", None, 200),
        ("refuse", "drop", "refuse", 400),
        ("refuse", None, "drop", 200),
        ("drop", None, "Refuse", 400),
        ("drop", None, "whatever", 200),
    ],
)
def test_operator_and_request_say_what_is_dropped(ringway, simulate, server, model, header, status):
    simulator = simulate("provider")
    gateway = ringway(
        providers={"a": {"kind": "anthropic", "base_url": simulator.endpoint}},
        models={"model": {"deployments": ["a/sim-small"], **({"unsupported": model} if model else {})}},
        server={"unsupported": server},
    )
    path, key_header, body = CALLS["chat"]
    headers = {"x-ringway-unsupported": header} if header else {}
    answered, head, text = post(gateway, path, {**body, "logit_bias": {"1": 1}}, key_header, **headers)
    assert answered == status, text
    assert head.get("x-ringway-dropped") == ("logit_bias" if status == 200 else None)
    assert "logit_bias" in text or status == 200
