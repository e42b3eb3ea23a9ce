"""What the gateway writes down about the tokens of an exchange: the provider's counts, whole and streamed alike, and an estimate where
there are none, or where the answer broke off before they came."""

import pytest

TEXT = "Tell me a story, please. " * 40


def openai_chat(client, stream):
    answer = client.chat.completions.create(model="bigger", messages=[{"role": "user", "content": TEXT}], stream=stream)
    return list(answer) if stream else answer


def openai_responses(client, stream):
    answer = client.responses.create(model="bigger", input=TEXT, stream=stream)
    return list(answer) if stream else answer


def anthropic_messages(client, stream):
    ask = {"model": "bigger", "max_tokens": 4096, "messages": [{"role": "user", "content": TEXT}]}
    answer = client.messages.create(**ask, stream=stream)
    return list(answer) if stream else answer


def google_content(client, stream):
    ask = {"model": "bigger", "contents": TEXT}
    if stream:
        return list(client.models.generate_content_stream(**ask))
    return client.models.generate_content(**ask)


CLIENTS = {
    openai_chat: "of_openai",
    openai_responses: "of_openai",
    anthropic_messages: "of_anthropic",
    google_content: "of_google",
}


@pytest.fixture(params=CLIENTS, ids=lambda ask: ask.__name__)
def ask(request):
    """Asks as a client of one of the APIs does: `ask(stream)`."""
    client = request.getfixturevalue(CLIENTS[request.param])
    return lambda stream: request.param(client, stream)


def lines(gateway, count):
    """The access log's first lines, when they are there."""
    gateway.wait_log("the last one", lambda _: len(gateway.access_log()) >= count)
    return gateway.access_log()


def test_whole_and_streamed_answers_count_alike(ask, gateway):
    for stream in (False, True):
        ask(stream)
    whole, streamed = lines(gateway, 2)
    for name in ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"):
        assert whole[name] == streamed[name], name
    assert whole["input_tokens"] > 0 and whole["output_tokens"] > 0
    assert "estimated" not in whole and "estimated" not in streamed


def test_what_nobody_counted_is_estimated(ask, gateway, provider):
    for stream in (False, True):
        ask(stream)
        provider.fail("no_usage")
        answer = ask(stream)
        provider.heal()
        counted, estimated = lines(gateway, 4 if stream else 2)[-2:]
        assert "estimated" not in counted and estimated["estimated"] is True
        for name in ("input_tokens", "output_tokens"):
            assert counted[name] / 3 <= estimated[name] <= counted[name] * 3, name
        assert answer


def test_what_was_said_before_a_stream_broke_off_is_estimated(gateway, provider, of_openai):
    whole = openai_chat(of_openai, True)
    provider.fail("error_after:8")
    with pytest.raises(Exception, match="."):
        openai_chat(of_openai, True)
    first, broken = lines(gateway, 2)
    assert broken["estimated"] is True and 0 < broken["output_tokens"] < first["output_tokens"]
    assert broken["input_tokens"] > 0 and whole


def test_what_was_said_before_a_client_left_is_estimated(gateway, provider, of_openai):
    provider.script("[[rule]]\nlatency = { gap_ms = 20 }\n")
    stream = of_openai.chat.completions.create(
        model="bigger", messages=[{"role": "user", "content": TEXT}], stream=True
    )
    for _, _ in zip(range(5), stream, strict=False):
        pass
    stream.close()
    line = gateway.wait_log("it left", lambda line: line["client_gone"])
    assert line["estimated"] is True and line["input_tokens"] > 0 and line["output_tokens"] > 0


def test_clients_of_other_apis_are_told_the_estimate(gateway, kind, provider, of_openai):
    provider.fail("no_usage")
    answer = of_openai.chat.completions.with_raw_response.create(
        model="bigger", messages=[{"role": "user", "content": TEXT}]
    )
    told = answer.parse().usage
    if kind.startswith("openai"):
        assert told is None
        return
    assert answer.headers["x-ringway-estimated"] == "usage"
    (line,) = lines(gateway, 1)
    assert (told.prompt_tokens, told.completion_tokens) == (line["input_tokens"], line["output_tokens"])


def test_advice_in_the_words_of_a_refusal_reaches_the_client(ask, gateway, provider):
    """Google's says in its body alone when to come back; here that is a second, or more as the simulator rounds it."""
    provider.fail("status:429,retry_after=2")
    with pytest.raises(Exception, match=".") as failed:
        ask(False)
    response = failed.value.response
    assert int(response.headers["retry-after"]) in (1, 2)
