"""Providers of three APIs behind Ringway, for the suites that meet every pair of dialects.

The simulated provider checks each body that it gets against its own API's rules; a gateway that translates well keeps its list
of breaches empty.
"""

import pytest

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
    """`model` is served by a provider of the kind; `newest` by the same under a name whose calls are signed."""
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
