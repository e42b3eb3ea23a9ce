"""The official OpenAI client for Python, pointed at Ringway by its base URL and nothing else."""

import openai
import pytest


@pytest.fixture
def provider(simulate):
    """One healthy provider."""
    return simulate("a")


@pytest.fixture
def gateway(ringway, provider):
    """Ringway in front of it. `sim-*` are served as they are called; `alias` has another name there."""
    return ringway(
        providers={"a": provider},
        models={
            "sim-small": ["a/sim-small"],
            "sim-embedding": ["a/sim-embedding"],
            "alias": ["a/sim-large"],
            "a/*": ["a/*"],
        },
    )


@pytest.fixture
def connect():
    """Makes clients; by default ones that do not retry, so that a test sees the first answer."""
    clients = []

    def make(gateway, key=None, max_retries=0, **options):
        client = openai.OpenAI(base_url=gateway.api, api_key=key or gateway.key, max_retries=max_retries, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(gateway, connect):
    return connect(gateway)
