"""The official clients of three APIs in front of Ringway, with providers of three APIs behind it.

Each test runs for every kind of provider, so every pair of dialects is met, the same on both sides included.
"""

import anthropic
import openai
import pytest
from google import genai


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
