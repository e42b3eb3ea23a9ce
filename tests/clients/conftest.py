"""Providers of every dialect behind Ringway, for the suites that meet every pair.

The simulated provider checks each body that it gets against its own API's rules; a gateway that translates well keeps its list
of breaches empty.
"""

import json

import pytest

from harness.control import ask, connect
from harness.pairs import KINDS, served_by


@pytest.fixture(params=KINDS)
def kind(request):
    """What the provider speaks."""
    return request.param


@pytest.fixture
def provider(simulate):
    """Speaks all of them; no client sent it anything wrong."""
    simulator = simulate("provider")
    yield simulator
    expected = getattr(simulator, "expect_invalid", False)
    assert bool(simulator.stats().invalid) == expected, simulator.stats().invalid


@pytest.fixture
def gateway(ringway, provider, kind):
    return ringway(**served_by(provider, kind))


# The official clients; not every suite has them all.


@pytest.fixture
def of_openai(gateway):
    import openai

    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def of_anthropic(gateway):
    import anthropic

    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def of_google(gateway):
    from google import genai

    return genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url, "retry_options": {"attempts": 1}})


@pytest.fixture
def post(gateway):
    """Status, headers and answer to a body that no client would send by itself."""

    def post(path, body):
        headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
        status, headers, answer = ask(connect(gateway.url), "POST", path, json.dumps(body).encode(), headers)
        return status, headers, json.loads(answer)

    return post
