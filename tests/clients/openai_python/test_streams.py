"""Streams that are left, and many at a time."""

import asyncio

import openai
import pytest

ASK = [{"role": "user", "content": "Name three rivers."}]
ENDLESS = "[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n"


def test_cancel_of_a_stream_reaches_the_provider(client, provider):
    provider.script(ENDLESS)
    stream = client.chat.completions.create(model="sim-small", messages=ASK, stream=True)
    for _, chunk in zip(range(3), stream):
        assert chunk.choices
    stream.close()
    left = provider.wait("the stream was cancelled", lambda stats: stats.cancelled == 1)
    assert left.in_flight == 0
    assert left.content_events < 100_000


@pytest.mark.gateway_only
def test_a_client_that_left_is_counted_and_logged(client, provider, gateway):
    provider.script(ENDLESS)
    stream = client.chat.completions.create(model="sim-small", messages=ASK, stream=True)
    next(iter(stream))
    stream.close()
    line = gateway.wait_log("the client left", lambda line: line["client_gone"])
    assert line["streamed"] and line["status"] == 200
    assert gateway.metric("ringway_clients_gone_total") == 1
    gateway.wait_metric("ringway_in_flight", lambda value: value == 0)


def test_the_connection_serves_on_after_a_stream(client):
    for _ in range(20):
        assert list(client.chat.completions.create(model="sim-small", messages=ASK, stream=True))


def test_100_streams_at_a_time(gateway, provider):
    """Each has its own text, none ends before all have begun."""
    provider.script("[latency]\nttft_ms = 3000.0\ngap_ms = 10.0\n")

    async def one(client, index):
        text = ""
        messages = [{"role": "user", "content": f"River number {index}"}]
        async for chunk in await client.chat.completions.create(model="sim-small", messages=messages, stream=True):
            text += chunk.choices[0].delta.content or ""
        return text

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
            streamed = await asyncio.gather(*(one(client, index) for index in range(100)))
            provider.heal()
            for index in (0, 57, 99):
                messages = [{"role": "user", "content": f"River number {index}"}]
                whole = await client.chat.completions.create(model="sim-small", messages=messages)
                assert streamed[index] == whole.choices[0].message.content
            return streamed

    assert all(asyncio.run(all_of_them()))
    assert provider.stats().in_flight_max == 100
