"""Clients that live in environments of their own, at Ringway with llama.cpp's server behind it."""

import json
from types import SimpleNamespace

import pytest

from harness.control import ask, connect
from harness.gateway import Gateway
from harness.llama_cpp import LlamaCpp

# The model ends its answer to it by itself, after two dozen tokens: some clients send a limit of their own, and not all let it be chosen.
PROMPT = "Say hello."


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    server = LlamaCpp.serve(tmp_path_factory.mktemp("llama"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gateway(llama, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ringway") / "run"
    gateway = Gateway.start(folder, providers={"llama": llama.entry}, models={"model": ["llama/smollm2"]})
    yield gateway
    gateway.finish()


@pytest.fixture(scope="session")
def direct(llama):
    """What the server itself answers to `prompt`: its text and its usage."""
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": PROMPT}]}
    headers = {"content-type": "application/json"}
    status, _, body = ask(connect(llama.origin), "POST", "/v1/chat/completions", json.dumps(asked), headers)
    assert status == 200, body
    answer = json.loads(body)
    assert answer["choices"][0]["finish_reason"] == "stop"
    usage = answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]
    return SimpleNamespace(prompt=PROMPT, text=answer["choices"][0]["message"]["content"], usage=usage)
