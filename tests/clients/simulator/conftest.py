"""The official clients of three providers, pointed at the simulated one with no gateway between them."""

import anthropic
import openai
import pytest
from google import genai

KEY = "sk-simulated"


@pytest.fixture
def simulator(simulate):
    """Knows two models and one key, and counts what breaks its rules; a healthy client breaks none."""
    simulator = simulate("direct", script=f'models = ["sim-small", "sim-embedding"]\nrequire_key = "{KEY}"\n')
    yield simulator
    expected = getattr(simulator, "expect_invalid", False)
    assert bool(simulator.stats().invalid) == expected, simulator.stats().invalid


@pytest.fixture
def limited(simulate):
    """Lets one request of each key through, and then none for a minute."""
    return simulate("limited", script="[rate_limit]\nrequests_per_min = 1\n")


@pytest.fixture
def of_openai():
    def make(simulator, key=KEY, max_retries=0):
        return openai.OpenAI(base_url=simulator.endpoint, api_key=key, max_retries=max_retries)

    return make


@pytest.fixture
def of_anthropic():
    def make(simulator, key=KEY, max_retries=0):
        return anthropic.Anthropic(base_url=simulator.origin, api_key=key, max_retries=max_retries)

    return make


@pytest.fixture
def of_google():
    def make(simulator, key=KEY, attempts=1):
        options = {"base_url": simulator.origin, "retry_options": {"attempts": attempts, "initial_delay": 0.01}}
        return genai.Client(api_key=key, http_options=options)

    return make
