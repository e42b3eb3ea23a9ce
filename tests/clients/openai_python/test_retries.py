"""Who retries: the gateway first, at another deployment; the SDK where the gateway could not help."""

import pytest

ASK = [{"role": "user", "content": "Name three rivers."}]
FIRST = '[[rule]]\nmatch.nth = "1"\nfault = "{}"\n'


def test_sdk_retries_a_429_after_the_time_it_was_told(connect, gateway, provider):
    provider.script(FIRST.format("rate_limited,retry_after_ms=40"))
    answer = connect(gateway, max_retries=2).chat.completions.create(model="sim-small", messages=ASK)
    assert answer.choices[0].message.content
    assert provider.stats().answers_by_status == {"429": 1, "200": 1}


def test_sdk_retries_a_503(connect, gateway, provider):
    provider.script(FIRST.format("status:503,retry_after_ms=40"))
    answer = connect(gateway, max_retries=2).chat.completions.create(model="sim-small", messages=ASK)
    assert answer.choices[0].message.content
    assert provider.stats().answers_by_status == {"503": 1, "200": 1}


@pytest.mark.gateway_only
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["rate_limited:30", "status:500", "status:503", "status:529", "status:408"])
def test_the_gateway_goes_elsewhere_and_the_sdk_sees_nothing(ringway, simulate, connect, fault, stream):
    ill, well = simulate("ill"), simulate("well")
    ill.fail(fault)
    gateway = ringway(providers={"ill": ill, "well": well}, models={"m": ["ill/m", "well/m"]})
    answer = connect(gateway).chat.completions.create(model="m", messages=ASK, stream=stream)
    text = "".join(c.choices[0].delta.content or "" for c in answer) if stream else answer.choices[0].message.content
    assert text
    assert (ill.stats().requests, well.stats().requests) == (1, 1)


@pytest.mark.gateway_only
def test_a_parked_deployment_is_left_alone_for_the_time_it_asked_for(ringway, simulate, connect):
    ill, well = simulate("ill"), simulate("well")
    ill.fail("rate_limited:30")
    gateway = ringway(providers={"ill": ill, "well": well}, models={"m": ["ill/m", "well/m"]})
    client = connect(gateway)
    for _ in range(5):
        client.chat.completions.create(model="m", messages=ASK)
    assert (ill.stats().requests, well.stats().requests) == (1, 5)
