"""The official clients of three APIs in front of Ringway, with providers of seven APIs behind it.

Each test runs for every kind of provider, so every pair of dialects is met, the same on both sides included. The provider
checks each body that it gets against its own API's rules; a gateway that translates well keeps its list of breaches empty.
"""

import pytest

from harness.natives import Bedrock, Cohere, Ollama

# What stands in the configuration, and the path of the base URL.
KINDS = {
    "openai": ({"kind": "openai"}, "/v1"),
    "openai-responses": ({"kind": "openai", "dialect": "openai-responses"}, "/v1"),
    "anthropic": ({"kind": "anthropic"}, "/v1"),
    "gemini": ({"kind": "gemini"}, "/v1beta"),
    "cohere": ({"kind": "cohere"}, "/v2"),
    "ollama": ({"kind": "ollama", "dialect": "ollama", "credential": None}, "/v1"),
    "bedrock-converse": (
        {
            "kind": "bedrock",
            "region": "eu-central-1",
            "access_key_id": "AKIDTESTTESTTEST",
            "secret_access_key": "secret-of-a-test-0123456789",
            "credential": None,
        },
        "",
    ),
}
NATIVES = {"cohere": Cohere, "ollama": Ollama, "bedrock-converse": Bedrock}

# What an API has no word for: tools that have to be called, tools that must not be, one call at a time, stop sequences.
LACKS = {
    "openai-responses": {"stop"},
    "cohere": {"one_call"},
    "bedrock-converse": {"forbid", "one_call"},
    "ollama": {"force", "one_call"},
}


@pytest.fixture(params=KINDS)
def kind(request):
    """What the provider speaks."""
    return request.param


@pytest.fixture
def lacks(kind):
    return LACKS.get(kind, set())


@pytest.fixture
def provider(simulate, kind):
    """Speaks what is asked of it; no client sent it anything wrong."""
    native = NATIVES[kind]() if kind in NATIVES else None
    provider = native or simulate("provider")
    yield provider
    expected = getattr(provider, "expect_invalid", False)
    invalid = provider.stats().invalid
    if native:
        native.stop()
    assert bool(invalid) == expected, invalid


@pytest.fixture
def gateway(ringway, provider, kind):
    """`model` is served by a provider of the kind; `gemini-3-pro` by the same under a name whose calls are signed."""
    keys, path = KINDS[kind]
    at = {**keys, "base_url": provider.origin + path}
    return ringway(
        providers={"a": at},
        models={
            "model": ["a/sim-small"],
            "sim-embedding": ["a/sim-embedding"],
            "newest": ["a/gemini-3-pro"],
            "bigger": ["a/sim-large"],
        },
    )
