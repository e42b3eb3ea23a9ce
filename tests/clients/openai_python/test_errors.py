"""Error classes of the SDK: which one a program catches, and what it finds in it."""

try:
    import httpx2 as httpx
except ImportError:
    # What the client was made with until its version 3.
    import httpx
import openai
import pytest

ASK = [{"role": "user", "content": "Name three rivers."}]


@pytest.fixture
def fault(gateway, client):
    """Asks for an answer that meets this fault of the simulator."""

    def meet(spec, client=client, **arguments):
        model = gateway.model_of("a", f"fault:{spec}")
        return client.chat.completions.create(model=model, messages=ASK, **arguments)

    return meet


@pytest.mark.gateway_only
def test_unknown_key(gateway, connect):
    with pytest.raises(openai.AuthenticationError) as caught:
        connect(gateway, key="rw-unknown").chat.completions.create(model="sim-small", messages=ASK)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


@pytest.mark.gateway_only
def test_no_key(gateway):
    answer = httpx.post(f"{gateway.api}/chat/completions", json={"model": "sim-small", "messages": ASK})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "missing_api_key"
    assert "www-authenticate" in answer.headers


@pytest.mark.gateway_only
def test_unknown_model(client, provider):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=ASK)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "no-such-model" in caught.value.message
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    assert provider.stats().requests == 0


def test_bad_request_of_the_provider_is_passed_on(client, provider):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="sim-small", messages=ASK, temperature=5)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "temperature")
    assert caught.value.type == "invalid_request_error"
    assert provider.stats().requests == 1


def test_context_length(fault):
    with pytest.raises(openai.BadRequestError) as caught:
        fault("context_length")
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


@pytest.mark.gateway_only
def test_malformed_json_is_refused_here(gateway, provider):
    for body in ('{"model": "sim-small", "messages": [', "[]", "", '{"messages": []}', '{"model": 3}'):
        answer = httpx.post(
            f"{gateway.api}/chat/completions",
            content=body,
            headers={"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
        )
        assert answer.status_code == 400, body
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert isinstance(error["code"], str) and error["message"]
    assert provider.stats().requests == 0


def test_rate_limit(fault):
    with pytest.raises(openai.RateLimitError) as caught:
        fault("rate_limited:7")
    assert caught.value.code == "rate_limit_exceeded"
    assert 1 <= float(caught.value.response.headers["retry-after"]) <= 7


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_server_errors(fault, status):
    with pytest.raises(openai.InternalServerError) as caught:
        fault(f"status:{status}")
    assert caught.value.status_code >= 500


@pytest.mark.gateway_only
def test_credential_trouble_is_final_and_not_shown(fault, gateway, connect, provider):
    with pytest.raises(openai.APIStatusError) as caught:
        fault("echo_key:401", connect(gateway, max_retries=5))
    error = caught.value
    assert error.status_code == 502 and error.code == "upstream_credential"
    assert error.response.headers["x-should-retry"] == "false"
    assert "sk-canary" not in error.response.text
    assert provider.stats().requests == 1


@pytest.mark.gateway_only
def test_what_this_gateway_does_not_do(client):
    for call in (
        lambda: client.files.list(),
        lambda: client.batches.list(),
        lambda: client.fine_tuning.jobs.list(),
        lambda: client.chat.completions.list(),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            call()
        assert caught.value.code == "unsupported_endpoint"


def test_an_error_in_a_stream_is_raised(fault):
    with pytest.raises(openai.APIError):
        list(fault("error_after:3", stream=True))


@pytest.mark.gateway_only
@pytest.mark.parametrize("cut", ["eof_after:3", "close_after:3", "reset_after:3"])
def test_a_truncated_stream_is_raised(fault, cut):
    """The SDK by itself takes such a stream for a complete answer; the gateway tells it."""
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in fault(cut, stream=True):
            seen.append(chunk)
    assert len([chunk for chunk in seen if chunk.choices[0].delta.content]) == 3
