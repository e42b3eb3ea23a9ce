"""The official clients of three APIs in front of Ringway, with providers of three APIs behind it.

Each test runs for every kind of provider, so every pair of dialects is met, the same on both sides included. The simulated provider
checks each body that it gets against its own API's rules; a gateway that translates well keeps its list of breaches empty.
"""

import anthropic
import openai
import pytest
from google import genai

KINDS = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}


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
    """`model` is served by a provider of the kind; `gemini-3-pro` by the same under a name whose calls are signed."""
    at = {"kind": kind, "base_url": provider.origin + KINDS[kind]}
    return ringway(
        providers={"a": at},
        models={
            "model": ["a/sim-small"],
            "sim-embedding": ["a/sim-embedding"],
            "newest": ["a/gemini-3-pro"],
            "bigger": ["a/sim-large"],
        },
    )


@pytest.fixture
def of_openai(gateway):
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def of_anthropic(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def of_google(gateway):
    return genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url, "retry_options": {"attempts": 1}})
