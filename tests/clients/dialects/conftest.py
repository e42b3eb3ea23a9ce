"""The official clients of three APIs in front of Ringway, with providers of three APIs behind it.

Each test runs for every kind of provider, so every pair of dialects is met, the same on both sides included.
"""

import json

import json

import anthropic
import openai
import pytest
from google import genai

from harness.control import ask, connect

from harness.control import ask, connect


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


@pytest.fixture
def post(gateway):
    """Status, headers and answer to a body that no client would send by itself."""

    def post(path, body):
        headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
        status, headers, answer = ask(connect(gateway.url), "POST", path, json.dumps(body).encode(), headers)
        return status, headers, json.loads(answer)

    return post


@pytest.fixture
def post(gateway):
    """Status, headers and answer to a body that no client would send by itself."""

    def post(path, body):
        headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
        status, headers, answer = ask(connect(gateway.url), "POST", path, json.dumps(body).encode(), headers)
        return status, headers, json.loads(answer)

    return post
